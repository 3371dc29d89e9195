export { placeOf } from './conninfo.ts';
export { findDumpTool } from './ddl.ts';
export { postgresKind } from './kind.ts';
export { restorePostgres } from './restore.ts';
export { connectPostgres, type PostgresSource } from './source.ts';
export { checkPostgresTarget } from './target.ts';
export type {
  PostgresAddress,
  PostgresBase,
  PostgresOptions,
  PostgresPin,
  PostgresResult,
  RestorePostgresOptions,
} from './types.ts';
