export type {
  BaseAccess,
  ConnectOptions,
  DatabaseAddress,
  DatabaseAudit,
  DatabaseBase,
  DatabaseEstimate,
  DatabaseResult,
  DatabaseSource,
  FinishOptions,
  OtherSession,
} from './database.ts';
export type {
  DatabaseDifference,
  DatabaseItem,
  DatabaseThing,
  SequenceChange,
  StoredDatabase,
  TableChange,
} from './kind.ts';
export {
  checkDatabaseTarget,
  connectDatabase,
  databaseTarget,
  databaseTitle,
  findKind,
  kindOf,
  knownDatabase,
  nameOfDatabase,
  restoreDatabase,
  urlOf,
} from './kinds.ts';
export { unknownMarks } from './marks.ts';
export type { PostgresAddress, PostgresOptions } from './postgres/index.ts';
