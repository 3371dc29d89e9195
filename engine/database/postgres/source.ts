import { engineError } from '../../errors.ts';
import type { ConnectOptions, DatabaseSource } from '../database.ts';

/** Connects, checks that the server is one this program can back up, and opens every connection that the run needs. */
export async function connectDatabase(options: ConnectOptions): Promise<DatabaseSource> {
  options.signal?.throwIfAborted();
  throw engineError('DATABASE_UNSUPPORTED', 'Cannot back up PostgreSQL: not built yet');
}
