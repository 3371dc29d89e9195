export type {
  ConnectOptions,
  DatabaseAddress,
  DatabaseBase,
  DatabaseEstimate,
  DatabaseFacts,
  DatabasePin,
  DatabasePrecopied,
  DatabaseProgress,
  DatabaseResult,
  DatabaseSource,
  DatabaseTarget,
  FinishOptions,
  OtherSession,
  PrecopyOptions,
  RestoreDatabaseOptions,
  RestoredDatabase,
  TableCache,
} from './database.ts';
export { countDatabase } from './postgres/counts.ts';
export { type DumpTool, findDumpTool } from './postgres/ddl.ts';
export { describeDatabaseEntry, describeDatabaseKey } from './postgres/entry.ts';
export { restoreDatabase } from './postgres/restore.ts';
export { connectDatabase } from './postgres/source.ts';
export { checkDatabaseTarget } from './postgres/target.ts';
