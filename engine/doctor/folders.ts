import { constants } from 'node:fs';
import { access, chmod, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { FileSystemProbe } from '../home/index.ts';
import { makeFolder } from '../latch/state-folder.ts';
import { currentUser } from '../user.ts';
import type { Check } from './check.ts';
import { type Disk, diskOf, nearestThere, sizeText } from './disk.ts';
import { bad, type Finding, good, mended, warn } from './finding.ts';

export interface FolderOptions {
  readonly folder: string;
  readonly isMending: boolean;
  /** What is backed up: neither folder should lie in it. */
  readonly home: string | null;
  readonly fileSystemSeam?: FileSystemProbe | undefined;
}

interface FolderNeeds {
  readonly name: string;
  /** The variable that names it. */
  readonly variable: string;
  readonly freeBytesMin: number;
  readonly judgeDisk: (disk: Disk) => Finding | undefined;
  /** Without it no backup can be made. */
  readonly isNeeded: boolean;
}

/** Tokens and run records: on a disk that outlives a reboot, whatever else is broken. */
export function checkStateFolder(options: FolderOptions): Check {
  const name = 'state folder';
  const remedy = 'Set STILLPOINT_STATE_DIR to a folder on a local disk.';
  const found = (why: string) => `${options.folder} is ${why}`;
  return folderCheck(options, {
    ...{ name, variable: 'STILLPOINT_STATE_DIR', freeBytesMin: 1024 ** 2, isNeeded: true },
    judgeDisk: ({ type, isRemote, isInMemory }) => {
      if (isInMemory) {
        const lost = `in memory (${type}): the token of a lock would be lost with a reboot`;
        return warn(name, { found: found(lost), remedy });
      }
      const late = `on ${type}: a token could not be written, nor read, while that is away`;
      return isRemote ? warn(name, { found: found(late), remedy }) : undefined;
    },
  });
}

/** Copies of what the store has; without them a backup reads more of the store. */
export function checkCacheFolder(options: FolderOptions): Check {
  const name = 'cache folder';
  return folderCheck(options, {
    ...{ name, variable: 'STILLPOINT_CACHE_DIR', freeBytesMin: 256 * 1024 ** 2, isNeeded: false },
    judgeDisk: () => undefined,
  });
}

function folderCheck(options: FolderOptions, needs: FolderNeeds): Check {
  return { name: needs.name, run: async () => look(options, needs) };
}

async function look(options: FolderOptions, needs: FolderNeeds): Promise<Finding[]> {
  const { folder } = options;
  const { name, freeBytesMin } = needs;
  const findings: Finding[] = [];
  const disk = await diskOf(folder, options.fileSystemSeam);
  const place = await lookAtPlace(options, needs);
  findings.push(place);
  if (place.state === 'failed') return findings;
  const judged = needs.judgeDisk(disk);
  if (judged) findings.push(judged);
  if (disk.freeBytes < freeBytesMin) {
    const found = `${folder} has ${sizeText(disk.freeBytes)} free, and may need ${sizeText(freeBytesMin)}`;
    findings.push((needs.isNeeded ? bad : warn)(name, { found, remedy: 'Make room on that disk.' }));
  }
  if (options.home !== null && isInside(folder, options.home)) {
    const found = `${folder} lies inside the home, and is backed up with it`;
    findings.push(warn(name, { found, remedy: `Set ${needs.variable} to a folder elsewhere.` }));
  }
  return findings;
}

async function lookAtPlace({ folder, isMending }: FolderOptions, needs: FolderNeeds): Promise<Finding> {
  const { name, variable } = needs;
  const remedy = `Make it for the user that runs the backup (install -d -m 700 -o USER ${folder}), or set ${variable}.`;
  const there = await nearestThere(folder);
  const fail = needs.isNeeded ? bad : warn;
  if (!(await stat(there)).isDirectory()) return fail(name, { found: `${there} is no folder`, remedy });
  try {
    await access(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return fail(name, { found: `${currentUser()} may not write in ${there}: ${code}`, remedy });
  }
  if (there !== folder) {
    if (!isMending) return good(name, `${folder} is not there yet: the first backup makes it`);
    await makeFolder(folder);
    return mended(name, `${folder} was not there, and is made`);
  }
  const { mode } = await stat(folder);
  if ((mode & 0o022) === 0) return good(name, `${folder} can be written by this user alone`);
  if (isMending) {
    await chmod(folder, mode & 0o755);
    return mended(name, `others could write in ${folder}, and cannot now`);
  }
  return warn(name, { found: `others may write in ${folder}`, remedy: `chmod go-w ${folder}` });
}

/** By their names: links are looked through where the store is concerned. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !way.startsWith('/'));
}
