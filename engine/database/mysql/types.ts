import type { ListingRoot } from '../../../store/index.ts';
import type { BaseAccess, ConnectOptions, RestoreFrom, RestoreTarget } from '../database.ts';
import type { Guards } from './pin.ts';

/** Where a database is. `password` wins over the URL's; without either, MYSQL_PWD counts. */
export interface MysqlAddress {
  readonly type: 'mysql';
  /** `mysql://user@host:3306/name`, `?socket=/path`; may hold a password, which no message ever shows. */
  readonly url: string;
  readonly password?: string | undefined;
}

export interface MysqlOptions extends MysqlAddress, ConnectOptions {
  /** Connections that read rows beside the one that pins. */
  readonly readers?: number | undefined;
  /** A range of rows ends after so many bytes. */
  readonly rangeBytes?: number | undefined;
  /** For tests that must be able to fail. */
  readonly guards?: Guards | undefined;
}

export interface MysqlBase extends BaseAccess {
  readonly root: ListingRoot;
}

export interface MysqlTarget extends MysqlAddress, RestoreTarget {}

export interface RestoreMysqlOptions extends MysqlTarget, RestoreFrom {}
