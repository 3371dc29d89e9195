import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SnapshotId, writeDurably } from '../store/index.ts';
import { engineError } from './errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/** Stands in a restored home until the restore is whole, so that nobody takes half a home for a whole one. */
export const restoreMarkerName = '.stillpoint-restore-unfinished';

/** What an earlier run of the same restore left. */
export interface EarlierRun {
  /** The database that was whole when only the marks were left to be taken off. */
  readonly wholeDatabase: string | undefined;
}

/**
 * Makes the target ready: an empty or absent folder (`lost+found` counts as empty), or what an earlier run of the same
 * restore left, which is cleared but for its marker. Anything else is TARGET_NOT_EMPTY.
 */
export async function prepareHomeTarget(
  target: string,
  snapshot: SnapshotId,
): Promise<EarlierRun | undefined> {
  let lines: string[];
  try {
    lines = (await readFile(join(target, restoreMarkerName), 'utf8')).split('\n');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    await checkEmpty(target);
    return undefined;
  }
  const [unfinished = '', wholeDatabase, restorer = ''] = lines;
  await refuseWhileAlive(target, restorer);
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
  return { wholeDatabase: wholeDatabase || undefined };
}

/** Two runs that restore into one folder would destroy each other's work. */
async function refuseWhileAlive(target: string, restorer: string): Promise<void> {
  if (restorer === '') return;
  const identity = JSON.parse(restorer) as ProcessIdentity;
  if (identity.pid === process.pid || !(await isAlive(identity))) return;
  throw engineError(
    'RUN_ACTIVE',
    `Cannot restore into ${target}: process ${identity.pid} is restoring into it`,
    {
      remedy: 'Wait until it ends, or end it and run this again.',
    },
  );
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

/** Marks a home as half restored, beside a database that is whole if one is named. The folder must exist. */
export async function markUnfinished(
  target: string,
  {
    snapshot,
    wholeDatabase = '',
  }: { readonly snapshot: SnapshotId; readonly wholeDatabase?: string | undefined },
): Promise<void> {
  const restorer = JSON.stringify(await ownIdentity());
  const lines = Buffer.from(`${snapshot}\n${wholeDatabase}\n${restorer}\n`);
  await writeDurably(join(target, restoreMarkerName), lines, {
    overwrite: 'replace',
    mode: 0o600,
  });
}

/** The restore is whole. */
export async function removeMarker(target: string): Promise<void> {
  await rm(join(target, restoreMarkerName), { force: true });
}
