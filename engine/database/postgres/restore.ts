import { engineError } from '../../errors.ts';
import type { RestoreDatabaseOptions, RestoredDatabase } from '../database.ts';

/** Restores a database listing into an absent or empty database and proves it by digest. */
export async function restoreDatabase(options: RestoreDatabaseOptions): Promise<RestoredDatabase> {
  options.signal?.throwIfAborted();
  throw engineError('DATABASE_UNSUPPORTED', 'Cannot restore PostgreSQL: not built yet');
}
