import { constants } from 'node:fs';
import { access, link, realpath, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hex, type Randomness } from '../../store/index.ts';
import type { FileSystemProbe } from '../home/index.ts';
import { currentUser } from '../user.ts';
import type { Check } from './check.ts';
import { diskOf, nearestThere } from './disk.ts';
import { bad, type Finding, failed, good, warn } from './finding.ts';
import { isInside } from './folders.ts';

export interface StorePlaceOptions {
  readonly place: string;
  readonly home: string | null;
  readonly randomness: Randomness;
  readonly fileSystemSeam?: FileSystemProbe | undefined;
}

/** Where the store lies: apart from what it protects, on a medium that never overwrites. */
export function checkStorePlace(options: StorePlaceOptions): Check {
  const name = 'store place';
  return {
    name,
    async run() {
      const { place, home } = options;
      const there = await nearestThere(place);
      const findings = home === null ? [] : await besideHome(name, { place, there, home });
      if (there !== place) return findings; // that there is no store is told where it is opened
      try {
        await access(place, constants.W_OK | constants.X_OK);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const remedy = 'Give the folder of the store, with all in it, to the user that runs the backup.';
        return [
          ...findings,
          bad(name, { found: `${currentUser()} may not write in ${place}: ${code}`, remedy }),
        ];
      }
      return [...findings, await proveLinks(name, options)];
    },
  };
}

async function besideHome(
  check: string,
  { place, there, home }: { place: string; there: string; home: string },
): Promise<Finding[]> {
  const realHome = await realpath(home).catch(() => home);
  const realPlace = (await realpath(there)) + place.slice(there.length);
  const [inHome, inStore] = [isInside(realPlace, realHome), isInside(realHome, realPlace)];
  if (inHome || inStore) {
    const found = inHome ? `${place} lies inside the home ${home}` : `the home ${home} lies inside ${place}`;
    return [bad(check, { found, remedy: 'Keep the store on another disk, at least outside the home.' })];
  }
  const same = (await stat(there)).dev === (await stat(home).catch(() => undefined))?.dev;
  if (!same) return [];
  const found = `${place} is on the file system of the home: both are lost with that disk`;
  return [warn(check, { found, remedy: 'Keep the store, or a copy of it, on another machine.' })];
}

/** As every object of a store is made: a name that is taken must be refused. Leaves nothing. */
async function proveLinks(check: string, options: StorePlaceOptions): Promise<Finding> {
  const { place, randomness } = options;
  const { type, isRemote } = await diskOf(place, options.fileSystemSeam);
  const [first, second] = ['a', 'b'].map(end => join(place, `.tmp-${hex(randomness.bytes(12))}${end}`)) as [
    string,
    string,
  ];
  try {
    await writeFile(first, '', { flag: 'wx', mode: 0o600 });
    await link(first, second);
    const isRefused = await link(first, second).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'EEXIST',
    );
    const remedy = 'Keep the store on a file system with hard links, such as ext4, xfs or NFS.';
    if (!isRefused)
      return bad(check, { found: `${place} (${type}) overwrites names that are taken`, remedy });
    const shared = isRemote ? ', which other hosts may write, too' : '';
    return good(check, `${place} is on ${type}${shared}: what is there is never overwritten`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) return failed(check, error);
    const found = `${place} (${type}) cannot hold a store: making a hard link gives ${code}`;
    const remedy =
      'Keep the store on a file system with hard links that can be written, such as ext4 or xfs.';
    return bad(check, { found, remedy });
  } finally {
    for (const file of [first, second]) await unlink(file).catch(() => undefined);
  }
}
