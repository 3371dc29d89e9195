import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, readResults, writeResults } from '../results.ts';
import {
  type Counts,
  compareExisting,
  compareFixture,
  compareRandom,
  dumpToolFor,
  type Furnished,
  type Pair,
} from './compare-restored.ts';
import { fetchRegressionScripts, makeRegressionDatabase, regressionName } from './regression.ts';
import { furnish } from './round.ts';
import { fixtures } from './sections.ts';
import { majors, startMajor } from './servers.ts';

/**
 * Backs up and restores databases with every kind of object, and random ones, on each server from 14 to 18 and from one
 * into a newer one, and compares all catalogs, rows, sequences and large objects; with pg_dump's word where there is one.
 */
const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: majors.join(',') },
    /** `15:18`: from one into another. */
    across: { type: 'string', default: '15:18' },
    random: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    /** No further seed is begun after so many minutes of one pair of servers. */
    minutes: { type: 'string', default: '1000' },
    'no-fixtures': { type: 'boolean', default: false },
    /** The database that PostgreSQL's own tests leave, on the system's 15. */
    regression: { type: 'boolean', default: false },
    /** Where other versions are kept. */
    cache: {
      type: 'string',
      default: join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'stillpoint-servers'),
    },
    /** Adds to `bench/results/matrix.json`. */
    write: { type: 'boolean', default: false },
  },
});

const seed = Number(values.seed);
const random = Number(values.random);
const seeds = Array.from({ length: random }, (_, i) => seed + i);
const say = (text: string): void => console.log(text);
mkdirSync(values.cache, { recursive: true });

const started = new Map<number, Furnished | string>();
const list = (text: string): string[] => text.split(',').filter(Boolean);

async function serverOf(major: number): Promise<Furnished | string> {
  const known = started.get(major);
  if (known !== undefined) return known;
  let found: Furnished | string;
  try {
    const server = await startMajor(major, values.cache);
    found = { server, ...(await furnish(server)) };
  } catch (error) {
    found = error instanceof Error ? error.message : String(error);
  }
  started.set(major, found);
  return found;
}

interface Line {
  readonly from: string;
  readonly to: string;
  readonly pgDump: string;
  readonly fixtures: number;
  readonly seeds: string;
  readonly comparedByPgDump: number;
  readonly comparedByCatalog: number;
  readonly refused: number;
  readonly wrong: number;
  readonly seconds: number;
}

async function runPair(from: Furnished, to: Furnished): Promise<Line> {
  const wrong: string[] = [];
  const counts: Counts = { compared: { pg_dump: 0, catalog: 0 }, refused: 0, wrong };
  let told = 0;
  const tell = (): void => {
    for (; told < wrong.length; told += 1) say(`WRONG ${wrong[told]}`);
  };
  const pair: Pair = { from, to, counts };
  const startedMs = performance.now();
  const chosen = values['no-fixtures'] ? [] : fixtures;
  for (const fixture of chosen) await compareFixture(pair, fixture);
  tell();
  let last = seed - 1;
  for (const one of seeds) {
    if (performance.now() - startedMs > 60_000 * Number(values.minutes)) break;
    await compareRandom(pair, one);
    last = one;
    tell();
    process.stderr.write(
      `${from.server.major} to ${to.server.major}: seed ${one}, ${counts.wrong.length} wrong\n`,
    );
  }

  return {
    from: from.server.version,
    to: to.server.version,
    pgDump: (await dumpToolFor(from.server)) ?? 'none that is new enough',
    fixtures: chosen.length,
    seeds: last < seed ? 'none' : `${seed} to ${last}`,
    comparedByPgDump: counts.compared.pg_dump,
    comparedByCatalog: counts.compared.catalog,
    refused: counts.refused,
    wrong: counts.wrong.length,
    seconds: Math.round((performance.now() - startedMs) / 1000),
  };
}

/** The database that PostgreSQL's own tests leave: by pg_dump, and by the catalogs as far as they are read. */
async function runRegression(): Promise<void> {
  const from = await serverOf(15);
  if (typeof from === 'string' || from.server.clientDir === null) {
    say(`PostgreSQL's own tests: not played: ${typeof from === 'string' ? from : 'no psql is here'}`);
    process.exitCode = 1;
    return;
  }
  using scripts = await fetchRegressionScripts();
  const startedMs = performance.now();
  const url = await makeRegressionDatabase(from.server, scripts);
  const madeMs = performance.now();
  const { wrong, byPgDump, refused } = await compareExisting(from, { name: regressionName, url });
  for (const line of wrong) say(`WRONG ${line}`);
  const seconds = (ms: number) => Math.round(ms / 1000);
  say(
    `PostgreSQL ${from.server.version}, what ${scripts.names.length} scripts of its own tests leave (${seconds(madeMs - startedMs)} s): ` +
      `${wrong.length} differences from what pg_dump and psql bring back, which differs from the original in ${byPgDump}; ` +
      `${refused} objects that the reader of the catalogs refuses by name; ${seconds(performance.now() - madeMs)} s`,
  );
  if (wrong.length > 0) process.exitCode = 1;
}

const pairs = [
  ...list(values.servers).map(major => [Number(major), Number(major)] as const),
  ...list(values.across).map(pair => pair.split(':').map(Number) as [number, number]),
];
const lines: Line[] = [];
try {
  if (values.regression) await runRegression();
  for (const [a, b] of pairs) {
    const [from, to] = [await serverOf(a), await serverOf(b)];
    const reason = typeof from === 'string' ? from : typeof to === 'string' ? to : null;
    if (reason !== null || typeof from === 'string' || typeof to === 'string') {
      say(`PostgreSQL ${a} into ${b}: not compared: ${reason}`);
      process.exitCode = 1;
      continue;
    }
    const line = await runPair(from, to);
    lines.push(line);
    say(
      `PostgreSQL ${line.from} into ${line.to}: ${line.fixtures} fixtures, seeds ${line.seeds}; ` +
        `${line.comparedByPgDump} by pg_dump (${line.pgDump}), ${line.comparedByCatalog} by the catalogs, ` +
        `${line.refused} kinds refused by name, ${line.wrong} differences, ${line.seconds} s`,
    );
    if (line.wrong > 0 || line.comparedByCatalog === 0) process.exitCode = 1;
  }
} finally {
  for (const one of started.values()) if (typeof one !== 'string') await one.server.stop();
}
if (values.write) {
  const before = (readResults('matrix')['pairs'] ?? []) as Line[];
  const others = before.filter(old => !lines.some(one => one.from === old.from && one.to === old.to));
  const all = [...others, ...lines].sort((a, b) => Number.parseFloat(a.from) - Number.parseFloat(b.from));
  say(writeResults('matrix', { environment: environment(), pairs: all }));
}
