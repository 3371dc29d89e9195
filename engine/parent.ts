import type { BackupSession, ChunkClass, ChunkId, ChunkSource, Store } from '../store/index.ts';
import type { Cache } from './cache.ts';
import { type DatabaseAddress, type DatabaseBase, kindOf } from './database/index.ts';
import type { HomeBase } from './home/index.ts';
import { recallSnapshots } from './own-snapshots.ts';
import type { Snapshot } from './pair.ts';
import { listSnapshots } from './snapshots.ts';

/** What both halves of an incremental backup need of the snapshot that they build on. */
export interface ParentAccess {
  readonly source: ChunkSource;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** Where the rows of its home's listings may be. */
  readonly remembered?: HomeBase['remembered'];
}

/** Windows that a forecast looks back on. */
const recentMax = 5;

/** What a new snapshot can learn from those before it. */
export interface Ancestry {
  /** Whose states it may use again: the instance's newest that can be read. Null: there is none. */
  readonly parent: Snapshot | null;
  /** The newest few, the parent last. */
  readonly recent: readonly Snapshot[];
}

/**
 * Finds the parent among the snapshots of an instance, and the few before it. A write-only host builds on its own alone, as
 * its cache has them, and nobody else builds on those of such a host: its word for a file is its own.
 */
export async function findParent(
  store: Store,
  { instance, cache }: { readonly instance: string; readonly cache?: Cache | undefined },
): Promise<Ancestry> {
  if (store.host !== undefined) {
    const own = await recallSnapshots(store, { instance, cache, countMax: recentMax });
    return { parent: own.at(-1) ?? null, recent: own };
  }
  // A damaged manifest is no parent; verify names it, and what it held is found by content.
  const listed = await listSnapshots(store, { instance, onDamage: () => undefined });
  // What is left of a snapshot says less of what is stored than that one does.
  const snapshots = listed.filter(({ degraded, isWriteOnly }) => degraded === undefined && !isWriteOnly);
  return { parent: snapshots.at(-1) ?? null, recent: snapshots.slice(-recentMax) };
}

/** The parent of a backup, which from here on nobody takes away; one that was forgotten while it was chosen is none. */
export async function parentFor(
  session: Pick<BackupSession, 'buildOn'>,
  find: () => Promise<Ancestry>,
): Promise<Ancestry> {
  const found = await find();
  if (found.parent === null || (await session.buildOn(found.parent.id))) return found;
  const again = await find();
  if (again.parent === null || (await session.buildOn(again.parent.id))) return again;
  return { ...again, parent: null };
}

/**
 * Where the store no longer has what its newest snapshot begins with: an index that is lost lists nothing, and everything would
 * be stored again without a word. Empty: it has.
 */
export function missedOf(parent: Snapshot | null, has: ParentAccess['has']): string[] {
  const roots = parent?.home?.roots ?? [];
  if (parent === null || roots.every(({ listing }) => has(listing.id, 'metadata'))) return [];
  return [
    `The index of the store does not have what snapshot ${parent.id.slice(0, 8)} needs: it is stored again where it is missed. Run \`stillpoint repair\``,
  ];
}

export function homeBaseOf(parent: Snapshot | null, access: ParentAccess): HomeBase | undefined {
  if (!parent?.home) return undefined;
  return { ...access, roots: parent.home.roots, timeMs: parent.timeMs };
}

/** Of a database of that type; null: there is none, or nothing can build on it. */
export function databaseBaseOf(
  parent: Snapshot | null,
  { type, ...access }: ParentAccess & { readonly type: DatabaseAddress['type'] },
): DatabaseBase | null {
  // What another kind of database left says nothing of this one.
  if (!parent?.database || parent.database.type !== type) return null;
  return kindOf(parent.database).baseOf(parent.database, access);
}
