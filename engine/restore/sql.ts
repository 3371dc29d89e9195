import type { Store } from '../../store/index.ts';
import { type DatabaseWish, sqlOf } from '../database/index.ts';
import { engineError } from '../errors.ts';
import { inSnapshot } from '../naming.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';

/**
 * The database of a snapshot as SQL for the client of its server: for psql in one transaction that ends with the last line.
 * A failure, RESTORE_MISMATCH among them, comes before that line. Pieces are good until the next pull. USAGE, STORE_DAMAGED, the store's.
 */
export async function* restoreSql(
  store: Store,
  options: {
    readonly snapshot: Snapshot;
    readonly wish?: DatabaseWish | undefined;
    /** This machine's name: whoever prunes meanwhile is told. */
    readonly host: string;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: OnProgress | undefined;
    readonly onWarning?: ((text: string) => void) | undefined;
  },
): AsyncGenerator<Uint8Array | string> {
  const { snapshot, host, signal, onProgress } = options;
  if (!snapshot.database)
    throw engineError('USAGE', `Cannot write SQL: snapshot ${snapshot.id.slice(0, 8)} holds no database`, {
      remedy: 'Name a snapshot that holds one.',
    });
  await using _reading = await store.beginReading({ host, snapshots: [snapshot.id], signal });
  try {
    yield* sqlOf(snapshot.database, {
      ...options,
      source: store,
      root: snapshot.database.listing,
      digestKey: store.rowDigestKey,
      onProgress: done => onProgress?.({ phase: 'restore-database', ...done }),
    });
  } catch (error) {
    throw inSnapshot(error, snapshot.id);
  }
}
