export { placeOf } from './connect/conninfo.ts';
export { findDumpTool } from './definitions/ddl.ts';
export { postgresKind } from './kind.ts';
export { restorePostgres } from './restore/restore.ts';
export { checkPostgresTarget } from './restore/target.ts';
export { connectPostgres, type PostgresSource } from './source/source.ts';
export type {
  PostgresAddress,
  PostgresBase,
  PostgresOptions,
  PostgresPin,
  PostgresResult,
  RestorePostgresOptions,
} from './types.ts';
