export type {
  BaseAccess,
  ConnectOptions,
  DatabaseAddress,
  DatabaseAudit,
  DatabaseBase,
  DatabaseEstimate,
  DatabaseOwners,
  DatabaseResult,
  DatabaseSource,
  DatabaseWish,
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
  checkWish,
  connectDatabase,
  databaseTarget,
  databaseTitle,
  findKind,
  kindOf,
  knownDatabase,
  nameOfDatabase,
  restoreDatabase,
  sqlOf,
  urlOf,
} from './kinds.ts';
export { unknownMarks } from './marks.ts';
export { type PostgresAddress, type PostgresOptions, placeOf } from './postgres/index.ts';
