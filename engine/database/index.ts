export type {
  ConnectOptions,
  DatabaseAddress,
  DatabaseFacts,
  DatabasePin,
  DatabaseProgress,
  DatabaseResult,
  DatabaseSource,
  DatabaseTarget,
  FinishOptions,
  RestoreDatabaseOptions,
  RestoredDatabase,
} from './database.ts';
export { type DatabaseCounts, readDatabaseCounts } from './postgres/counts.ts';
export { type DumpTool, findDumpTool } from './postgres/ddl.ts';
export { describeDatabaseEntry } from './postgres/entry.ts';
export { restoreDatabase } from './postgres/restore.ts';
export { connectDatabase } from './postgres/source.ts';
export { checkDatabaseTarget } from './postgres/target.ts';
