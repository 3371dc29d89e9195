import type { ClientBase } from 'pg';
import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';

/** A boolean as the server writes it. */
export type Flag = 't' | 'f';

/** Runs one catalog query; every value comes as the server's text, whatever parsers the client has. */
export type Select = <T>(sql: string, parameters?: readonly string[]) => Promise<T[]>;

const asText = { getTypeParser: () => (value: string) => value };

/** What the text of a definition depends on, beside the catalogs. */
const settings: readonly (readonly [string, string])[] = [
  ['client_encoding', 'UTF8'],
  ['search_path', ''],
  ['quote_all_identifiers', 'off'],
  ['standard_conforming_strings', 'on'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
];

export interface Server {
  /** 180004 for 18.4. */
  readonly versionNumber: number;
  /** Whether the server keeps text in a known encoding; SQL_ASCII keeps bytes. */
  readonly knowsEncoding: boolean;
}

/**
 * Runs a reader of the catalogs under settings that make equal catalogs give equal text. They are local to the
 * transaction that the client must be in; the client encoding is put back.
 */
export async function withSettledText<T>(
  client: ClientBase,
  body: (select: Select, server: Server) => Promise<T>,
): Promise<T> {
  const select = selectFrom(client);
  const [before] = await select<{ encoding: string; server: string; version: string }>(
    `SELECT pg_catalog.current_setting('client_encoding') AS encoding,
            pg_catalog.current_setting('server_encoding') AS server,
            pg_catalog.current_setting('server_version_num') AS version`,
  );
  await settle(select, settings);
  const [settled] = await select<{ path: string }>(
    `SELECT pg_catalog.current_setting('search_path') AS path`,
  );
  if (settled?.path !== '') throw new TypeError('the client is not in a transaction');
  const result = await body(select, {
    versionNumber: Number(before!.version),
    knowsEncoding: before!.server !== 'SQL_ASCII',
  });
  await settle(select, [['client_encoding', before!.encoding]]);
  return result;
}

async function settle(select: Select, values: readonly (readonly [string, string])[]): Promise<void> {
  const calls = values.map((_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, true)`);
  await select(`SELECT ${calls.join(', ')}`, values.flat());
}

function selectFrom(client: ClientBase): Select {
  return async <T>(sql: string, parameters: readonly string[] = []): Promise<T[]> => {
    try {
      const result = await client.query({ text: sql, values: [...parameters], types: asText });
      return result.rows as T[];
    } catch (cause) {
      if (cause instanceof StillpointError) throw cause;
      const state = cause instanceof Error ? cause.message : String(cause);
      throw engineError('DATABASE_FAILED', `Cannot read definitions: ${state}`, {
        remedy: 'Look into the log of the database server, then run the backup again.',
        cause,
      });
    }
  };
}
