import { findDumpTool } from '../../engine/database/postgres/index.ts';
import { StillpointError } from '../../store/index.ts';
import { type PostgresServer, withClient } from '../servers/index.ts';
import { copyByPgDump } from './dump.ts';
import { explainDifferences } from './explain.ts';
import { randomSchema } from './generate.ts';
import {
  backUpAndRestore,
  comparePictures,
  dropDatabases,
  makeDatabase,
  type Picture,
  pictureOf,
  runStatements,
} from './round.ts';
import { type Fixture, type Section, sectionsOf } from './sections.ts';

/** A server, and what is known of it. */
export interface Furnished {
  readonly server: PostgresServer;
  readonly hasIcu: boolean;
}

/** From where definitions came. */
export type Source = 'pg_dump' | 'catalog';

/** What was compared: of each source of definitions, how many databases. */
export interface Counts {
  readonly compared: Record<Source, number>;
  /** Sections that the reader of the catalogs refused by name, as it should. */
  refused: number;
  /** What is wrong, a line each. */
  readonly wrong: string[];
}

export interface Pair {
  readonly from: Furnished;
  /** The same, or a newer one: then what comes back is compared with what the same statements make there. */
  readonly to: Furnished;
  readonly counts: Counts;
}

/** The pg_dump that reads this server; null: none that is new enough. */
export async function dumpToolFor(server: PostgresServer): Promise<string | null> {
  const tool = await findDumpTool(server.major * 10_000);
  return tool?.path ?? null;
}

/** A fixture, by every source of definitions; what the reader of the catalogs refuses is asked of it one by one. */
export async function compareFixture(pair: Pair, fixture: Fixture): Promise<void> {
  const { from, counts } = pair;
  const sections = sectionsOf(fixture, { major: from.server.major, hasIcu: from.hasIcu && pair.to.hasIcu });
  const readable = sections.filter(one => !one.isRefused);
  const tool = await dumpToolFor(from.server);
  const isReadable = readable.length === sections.length;
  const both = tool === null ? [null] : [tool, null];
  if (isReadable) await compare(pair, { name: fixture, ...contentOf(sections), tools: both });
  else {
    if (tool !== null) await compare(pair, { name: fixture, ...contentOf(sections), tools: [tool] });
    await compare(pair, { name: fixture, ...contentOf(readable), tools: [null] });
  }
  for (const section of sections) if (section.isRefused) await expectRefusal(from.server, section, counts);
}

/** The schema of a seed, by every source of definitions. */
export async function compareRandom(pair: Pair, seed: number): Promise<void> {
  const tool = await dumpToolFor(pair.from.server);
  const sql = randomSchema(seed)
    .map(statement => `${statement};\n`)
    .join('');
  const tools = tool === null ? [null] : [tool, null];
  await compare(pair, { name: `seed ${seed}`, sql: [sql], lost: '', tools });
}

interface Job {
  readonly name: string;
  readonly sql: readonly string[];
  readonly lost: string;
  /** Where the definitions come from, one after the other; `null`: from the reader of the catalogs. */
  readonly tools: readonly (string | null)[];
}

const contentOf = (sections: readonly Section[]): Pick<Job, 'sql' | 'lost'> => ({
  sql: sections.map(one => one.sql),
  lost: sections.map(one => one.lost).join('\n'),
});

async function compare({ from, to, counts }: Pair, job: Job): Promise<void> {
  const { name } = job;
  const [here, there] = [from.server, to.server];
  const wrong = (source: Source, what: string): void =>
    void counts.wrong.push(`${here.major} to ${there.major}, ${name}, ${source}: ${what}`);
  const dumper = there.clientDir ?? (there.major <= 15 ? toolFolder(job.tools[0] ?? null) : null);
  const found = new Map<Source, Picture>();
  try {
    const url = await makeDatabase(here, name, job.sql);
    for (const pgDump of job.tools) {
      const source: Source = pgDump === null ? 'catalog' : 'pg_dump';
      try {
        const restored = await backUpAndRestore({ source: here, target: there, name, pgDump });
        found.set(source, await pictureOf(restored.url, dumper));
      } catch (error) {
        wrong(source, String(error));
      }
      await dropDatabases(there, [`${name}_again`]);
    }
    const wanted = here === there ? url : await makeDatabase(there, name, job.sql);
    await withClient(wanted, client => runStatements(client, job.lost));
    const expected = await pictureOf(wanted, dumper);
    const bare = here.major < there.major ? withoutNewKinds : (picture: Picture) => picture;
    for (const [source, picture] of found) {
      for (const line of explainDifferences(comparePictures(bare(expected), bare(picture))))
        wrong(source, line);
      counts.compared[source] += 1;
    }
  } catch (error) {
    wrong('catalog', String(error));
  } finally {
    await dropDatabases(here, [name]);
    await dropDatabases(there, [name, `${name}_again`]);
  }
}

/** What came of a database that pg_dump itself does not bring back as it was. */
export interface ExistingCounts {
  /** Lines in which what comes back differs from what pg_dump and psql bring back. */
  readonly wrong: readonly string[];
  /** Lines in which that differs from the original. */
  readonly byPgDump: number;
  /** Objects that the reader of the catalogs refuses by name. */
  readonly refused: number;
}

/** A database that is there already, beside what pg_dump and psql make of it. Needs both. */
export async function compareExisting(
  { server }: Pick<Furnished, 'server'>,
  { name, url }: { readonly name: string; readonly url: string },
): Promise<ExistingCounts> {
  const { clientDir } = server;
  const tool = await dumpToolFor(server);
  if (clientDir === null || tool === null) throw new Error('neither pg_dump nor psql of the server is here');
  const wrong: string[] = [];
  let refused = 0;
  const dumped = await server.createDatabase(`${name}_dumped`, 'TEMPLATE template0');
  try {
    await copyByPgDump(clientDir, { from: url, to: dumped });
    const expected = await pictureOf(dumped, clientDir);
    for (const pgDump of [tool, null]) {
      const source: Source = pgDump === null ? 'catalog' : 'pg_dump';
      try {
        const restored = await backUpAndRestore({ source: server, target: server, name, pgDump });
        const found = await pictureOf(restored.url, clientDir);
        wrong.push(...explainDifferences(comparePictures(expected, found)).map(line => `${source}: ${line}`));
      } catch (error) {
        const objects = error instanceof StillpointError ? error.context['objects'] : undefined;
        if (Array.isArray(objects)) refused = objects.length;
        else wrong.push(`${source}: ${String(error)}`);
      } finally {
        await dropDatabases(server, [`${name}_again`]);
      }
    }
    const byPgDump = comparePictures(await pictureOf(url, clientDir), expected).length;
    return { wrong, byPgDump, refused };
  } finally {
    await dropDatabases(server, [`${name}_dumped`]);
  }
}

const toolFolder = (pgDump: string | null): string | null =>
  pgDump === null ? null : pgDump.replace(/\/pg_dump$/, '');

/**
 * What a newer server has and an older one cannot say: NOT NULL constraints have names from 18 on, MAINTAIN is a
 * privilege from 17 on. Whether a column may be NULL is compared with the columns.
 */
function withoutNewKinds(picture: Picture): Picture {
  const description = new Map(picture.description);
  const constraints = description.get('pg_constraint') ?? [];
  const isNotNull = (line: string): boolean => line.includes('"contype": "n"');
  const names = new Set(
    constraints.filter(isNotNull).map(line => (JSON.parse(line) as { readonly oid: string }).oid),
  );
  description.set(
    'pg_constraint',
    constraints.filter(line => !isNotNull(line)),
  );
  description.set(
    'pg_depend',
    (description.get('pg_depend') ?? []).filter(line => !names.has(line.split(' | ')[0]!)),
  );
  const maintain = /\{[^{}]*"MAINTAIN"\}(, )?/g;
  for (const catalog of ['pg_class', 'pg_default_acl'])
    description.set(
      catalog,
      (description.get(catalog) ?? []).map(line => line.replace(maintain, '').replace(', ]', ']')).sort(),
    );
  return { description, dump: picture.dump };
}

/** What only pg_dump can write is refused, never left out. */
async function expectRefusal(server: PostgresServer, section: Section, counts: Counts): Promise<void> {
  const name = `refused ${section.name}`;
  try {
    await makeDatabase(server, name, [section.sql]);
    await backUpAndRestore({ source: server, target: server, name, pgDump: null });
    counts.wrong.push(`${server.major}, ${section.name}: was not refused`);
  } catch (error) {
    const objects =
      error instanceof StillpointError ? (error.context['objects'] as string[] | undefined) : undefined;
    if (objects?.length) counts.refused += 1;
    else counts.wrong.push(`${server.major}, ${section.name}: ${String(error)}`);
  } finally {
    await dropDatabases(server, [name, `${name}_again`]);
  }
}
