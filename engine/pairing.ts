import { readListing, type Store } from '../store/index.ts';
import { readDatabaseCounts } from './database/index.ts';
import { decodeHomeEntry } from './home/index.ts';
import type { PairedHome, Snapshot } from './pair.ts';

/**
 * Whether a snapshot is the pair that its manifest says: the fence is whole and in order, and both halves hold as many
 * files, tables and rows as were counted. What is wrong, a sentence; undefined when nothing is.
 */
export async function checkPairing(store: Store, snapshot: Snapshot): Promise<string | undefined> {
  const { home, database } = snapshot;
  return (
    checkFence(snapshot) ??
    (home ? await checkHome(store, home) : undefined) ??
    (database ? await checkDatabase(store, database) : undefined)
  );
}

function checkFence({ fence, commands }: Snapshot): string | undefined {
  const { kind, lockedAtMs, drainedAtMs, capturedAtMs, unlockedAtMs } = fence;
  if (kind === 'none') return undefined;
  const isWhole = lockedAtMs !== null && drainedAtMs !== null && unlockedAtMs !== null;
  if (capturedAtMs === null || (kind !== 'stopped' && !isWhole)) {
    return `The fence says ${kind} and lacks one of its times`;
  }
  switch (kind) {
    case 'latched':
      return fence.taskId === null ? 'The fence says latched and names no task' : undefined;
    case 'command': {
      const missing = (['lock', 'unlock'] as const).find(
        moment => !commands.some(one => one.moment === moment),
      );
      return missing && `The fence says command and the ${missing} command is not among those that ran`;
    }
    case 'stopped':
      return fence.heldMs === 0 ? undefined : 'The fence says stopped and that something was held';
    default:
      return kind satisfies never;
  }
}

async function checkHome(store: Store, home: PairedHome): Promise<string | undefined> {
  const found = { files: 0, folders: 0, bytes: 0 };
  for (const root of home.roots) {
    for await (const entry of readListing(store, root.listing)) {
      const { kind, content } = decodeHomeEntry(entry);
      if (kind === 'folder') found.folders++;
      else found.files++;
      found.bytes += content?.length ?? 0;
    }
  }
  for (const name of ['files', 'folders', 'bytes'] as const) {
    if (found[name] !== home[name])
      return `The home has ${found[name]} ${name}, its manifest says ${home[name]}`;
  }
  return undefined;
}

async function checkDatabase(
  store: Store,
  database: NonNullable<Snapshot['database']>,
): Promise<string | undefined> {
  const found = await readDatabaseCounts(store, database.listing);
  for (const name of ['tables', 'rows', 'segments'] as const) {
    if (found[name] !== database[name])
      return `The database has ${found[name]} ${name}, its manifest says ${database[name]}`;
  }
  return undefined;
}
