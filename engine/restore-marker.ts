import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SnapshotId, writeDurably } from '../store/index.ts';
import { engineError } from './errors.ts';

/** Stands in a restored home until the restore is whole, so that nobody takes half a home for a whole one. */
export const restoreMarkerName = '.stillpoint-restore-unfinished';

/**
 * Makes the target ready: an empty or absent folder (`lost+found` counts as empty), or what an earlier run of the same
 * restore left, which is cleared and begun again. Anything else is TARGET_NOT_EMPTY.
 */
export async function prepareHomeTarget(target: string, snapshot: SnapshotId): Promise<void> {
  const marker = join(target, restoreMarkerName);
  let unfinished: string;
  try {
    unfinished = (await readFile(marker, 'utf8')).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return checkEmpty(target);
    throw error;
  }
  if (unfinished !== snapshot) {
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${target}: it holds an unfinished restore of ${unfinished}`,
      {
        remedy: `Restore ${unfinished.slice(0, 8)} there to finish it, or name an empty folder.`,
      },
    );
  }
  for (const name of await readdir(target)) {
    if (name !== 'lost+found' && name !== restoreMarkerName)
      await rm(join(target, name), { recursive: true, force: true });
  }
  await rm(marker);
}

async function checkEmpty(target: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(target);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw engineError('TARGET_NOT_EMPTY', `Cannot restore into ${target}: ${message}`, {
      remedy: 'Name an empty or absent folder.',
      cause: error,
    });
  }
  const found = names.find(name => name !== 'lost+found');
  if (found === undefined) return;
  throw engineError('TARGET_NOT_EMPTY', `Cannot restore into ${target}: it holds ${found}`, {
    remedy: 'Name an empty or absent folder.',
  });
}

/** Marks a home as half restored. The folder must exist. */
export async function markUnfinished(target: string, snapshot: SnapshotId): Promise<void> {
  await writeDurably(join(target, restoreMarkerName), Buffer.from(`${snapshot}\n`), {
    overwrite: 'replace',
    mode: 0o600,
  });
}

/** The restore is whole. */
export async function removeMarker(target: string): Promise<void> {
  await rm(join(target, restoreMarkerName), { force: true });
}
