import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresServer } from '../servers/index.ts';
import { reachableTemp } from '../servers/scratch.ts';

const run = promisify(execFile);

export const regressionName = 'regression';

/** The scripts of PostgreSQL's own tests, which leave a database with some of everything. Dispose to remove them. */
export interface RegressionScripts extends Disposable {
  readonly folder: string;
  /** In the order of its schedule. */
  readonly names: readonly string[];
}

/**
 * Has Debian's source package of PostgreSQL 15 brought, by the package lists of this machine. Throws where they give none.
 * Functions in C are not compiled: what leans on them is not made.
 */
export async function fetchRegressionScripts(): Promise<RegressionScripts> {
  const folder = mkdtempSync(join(reachableTemp(), 'stillpoint-regression-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    chmodSync(folder, 0o755);
    const lists = join(folder, 'lists');
    mkdirSync(join(lists, 'partial'), { recursive: true });
    const sources = join(folder, 'sources');
    mkdirSync(sources);
    for (const [i, text] of sourceLists().entries()) writeFileSync(join(sources, `${i}.sources`), text);
    const places = [
      ...['Dir::Etc::sourcelist=/dev/null', `Dir::Etc::sourceparts=${sources}`, `Dir::State::lists=${lists}`],
      'Dir::Cache::srcpkgcache=',
      'Dir::Cache::pkgcache=',
    ].flatMap(one => ['-o', one]);
    await run('apt-get', [...places, 'update'], { cwd: folder });
    await run('apt-get', [...places, 'source', '--download-only', 'postgresql-15'], { cwd: folder });
    const archive = readdirSync(folder).find(name => name.endsWith('.orig.tar.bz2'));
    if (archive === undefined) throw new Error('the source package has no such archive as expected');
    const wanted = ['--strip-components=4', '--wildcards', '*/src/test/regress/*'];
    await run('tar', ['-xjf', join(folder, archive), '-C', folder, ...wanted]);
  } catch (error) {
    remove();
    const said = String((error as { stderr?: string }).stderr || (error as Error).message);
    throw new Error(
      `Cannot have PostgreSQL's own tests: ${said.trim().split('\n').at(-1)} (needs apt-get, tar and bzip2)`,
      { cause: error },
    );
  }
  const names = readFileSync(join(folder, 'parallel_schedule'), 'utf8')
    .split('\n')
    .flatMap(line => /^test: (.*)/.exec(line)?.[1]?.split(' ') ?? []);
  return { folder, names: names.filter(Boolean), [Symbol.dispose]: remove };
}

/** The package lists of this machine, asked for sources; what is updated for security has none there. */
function sourceLists(): string[] {
  const folder = '/etc/apt/sources.list.d';
  return readdirSync(folder)
    .filter(name => name.endsWith('.sources'))
    .map(name =>
      readFileSync(join(folder, name), 'utf8')
        .split(/\n\s*\n/)
        .filter(stanza => /^URIs:/m.test(stanza) && !stanza.includes('security'))
        .map(stanza => stanza.replace(/^Types:.*/m, 'Types: deb-src'))
        .join('\n\n'),
    );
}

/** Plays the scripts one after the other, whatever fails in them. The URL of what they leave. */
export async function makeRegressionDatabase(
  server: PostgresServer,
  { folder, names }: RegressionScripts,
): Promise<string> {
  const url = await server.createDatabase(regressionName, `TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`);
  mkdirSync(join(folder, 'results'), { recursive: true });
  chmodSync(join(folder, 'results'), 0o777);
  const env = {
    ...process.env,
    ...{ PG_ABS_SRCDIR: folder, PG_ABS_BUILDDIR: folder, PG_LIBDIR: folder, PG_DLSUFFIX: '.so' },
    ...{
      PGTZ: 'PST8PDT',
      PGDATESTYLE: 'Postgres, MDY',
      PGOPTIONS: '-c intervalstyle=postgres_verbose -c bytea_output=hex',
    },
  };
  const variables = ['-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'];
  for (const name of names) {
    const child = spawn(
      join(server.clientDir!, 'psql'),
      ['-X', '-q', '-d', url, ...variables, '-f', join(folder, 'sql', `${name}.sql`)],
      { cwd: folder, env, stdio: 'ignore' },
    );
    await once(child, 'close');
  }
  return url;
}
