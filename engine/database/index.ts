export type {
  ConnectOptions,
  DatabaseAddress,
  DatabaseFacts,
  DatabasePin,
  DatabaseProgress,
  DatabaseResult,
  DatabaseSource,
  FinishOptions,
  RestoreDatabaseOptions,
  RestoredDatabase,
} from './database.ts';
export { restoreDatabase } from './postgres/restore.ts';
export { connectDatabase } from './postgres/source.ts';
