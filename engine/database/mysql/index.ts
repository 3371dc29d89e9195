export { mysqlKind } from './kind.ts';
export { restoreMysql } from './restore.ts';
export { connectMysql, type MysqlSource } from './source.ts';
export type { MysqlAddress, MysqlBase, MysqlOptions } from './types.ts';
