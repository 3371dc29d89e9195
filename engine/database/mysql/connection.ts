import type { Connection as Driver } from 'mysql2';
import { type MysqlAddress, readAddress } from './address.ts';
import { connectError, databaseError } from './failure.ts';
import { quoted } from './sql.ts';
import { lacksTls, type Way, waysTo } from './tls.ts';

/** A value as the server sent it; null is NULL. */
export type Cell = Buffer | null;
/** The cells of a row, in the order of the query. Valid until the next pull; copy to keep. */
export type Row = readonly Cell[];

export interface OpenOptions {
  readonly url: string;
  readonly password?: string | undefined;
  readonly purpose: 'pin' | 'watch' | 'read' | 'restore';
  /** False: the database need not be there; `use` it later. */
  readonly uses?: boolean | undefined;
}

const connectTimeoutMs = 10_000;

/**
 * One session. Every byte goes through as it is: the session's character set is `binary`, so a text column gives the
 * bytes that are stored, and a literal is taken as bytes.
 */
export interface Connection {
  readonly address: string;
  readonly database: string;
  readonly threadId: number;
  readonly isLost: boolean;
  /** Rows of a query that gives few. */
  rows(action: string, sql: string): Promise<Row[]>;
  /** The same, as UTF-8 text by column name. */
  texts(action: string, sql: string): Promise<Record<string, string | null>[]>;
  /** Rows of a query that gives many. A stream that is left before its end cuts the connection. */
  stream(action: string, sql: string): AsyncGenerator<Row>;
  /** Statements, one after the other; a buffer is sent as it is. */
  run(action: string, statements: readonly (string | Buffer)[]): Promise<void>;
  close(): Promise<void>;
  /** Cuts it: whatever waits fails at once. */
  destroy(): void;
}

/** Opens a session and pins every setting that the text of a row, or of a definition, depends on. */
export async function openConnection(options: OpenOptions): Promise<Connection> {
  const address = readAddress(options);
  const [first, ...others] = waysTo(address.tls, address);
  const opened = connect(address, { way: first, purpose: options.purpose }).catch((error: unknown) => {
    if (others.length === 0 || !lacksTls((error as Error).cause)) throw error;
    return connect(address, { way: others[0], purpose: options.purpose });
  });
  const connection = await opened;
  try {
    await connection.run('set up the session', sessionSettings(options.purpose));
    if (options.uses !== false)
      await connection.run(`use ${address.shown}`, [`USE ${quoted(address.database)}`]);
  } catch (error) {
    connection.destroy();
    throw error;
  }
  return connection;
}

async function connect(
  address: MysqlAddress,
  { way, purpose }: { readonly way: Way; readonly purpose: OpenOptions['purpose'] },
): Promise<MysqlConnection> {
  // Loaded when there is a server to speak to: it is some eighty files.
  const { createConnection } = await import('mysql2');
  const { host, port, socketPath } = address;
  const driver = createConnection({
    // The name is what a certificate must have, by a socket, too.
    ...{ host, port },
    ...(socketPath !== undefined && { socketPath }),
    ...(way !== undefined && { ssl: way }),
    user: asWire(address.user),
    ...(address.password !== undefined && { password: address.password }),
    charset: 'binary',
    connectTimeout: connectTimeoutMs,
    connectAttributes: { program_name: `stillpoint-${purpose}` },
    // A server must not be able to ask for a file of ours; nor may the driver change its encoding when a session's is set.
    flags: ['-LOCAL_FILES', '-SESSION_TRACK'],
  });
  const connection = new MysqlConnection(driver, address);
  await connection.opened();
  return connection;
}

/** Seconds; the server cuts who is silent for longer, and a pinned reader may wait for its turn for hours. */
const silenceSecondsMax = 604_800;
/** Seconds that a lock of somebody else's may take; the application stands still meanwhile. */
const lockWaitSeconds = 2;

const everyRow = '18446744073709551615';

/** Every setting that the text of a row, or of a definition, depends on. */
export function sessionSettings(purpose: OpenOptions['purpose']): string[] {
  const common = [
    'autocommit = 1',
    `time_zone = '+00:00'`,
    `wait_timeout = ${silenceSecondsMax}`,
    `net_read_timeout = ${silenceSecondsMax}`,
    `net_write_timeout = ${silenceSecondsMax}`,
    'max_statement_time = 0',
    'idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0',
    `lock_wait_timeout = ${purpose === 'restore' ? 60 : lockWaitSeconds}`,
    // DEFAULT would be what the server's own is.
    `sql_select_limit = ${everyRow}, max_join_size = ${everyRow}, sql_big_selects = 1`,
    'sql_quote_show_create = 1, group_concat_max_len = 4294967295',
    // Every "utf8" of a definition is named by its length then, whatever it means elsewhere.
    `old_mode = ''`,
  ];
  const restoring = [
    `sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'`,
    'foreign_key_checks = 0, check_constraint_checks = 0, innodb_strict_mode = 0',
  ];
  const reading = [`sql_mode = ''`, `tx_isolation = 'REPEATABLE-READ'`];
  return [
    'SET NAMES binary',
    ...[...common, ...(purpose === 'restore' ? restoring : reading)].map(one => `SET SESSION ${one}`),
  ];
}

/** Text as the characters that stand for its bytes, one each. */
function asWire(sql: string | Buffer): string {
  return typeof sql === 'string' ? Buffer.from(sql, 'utf8').toString('latin1') : sql.toString('latin1');
}

const rawCells = {
  rowsAsArray: true,
  typeCast: (field: { buffer(): Buffer | null }) => field.buffer(),
} as const;

class MysqlConnection implements Connection {
  readonly address: string;
  readonly database: string;
  readonly #driver: Driver;
  /** Told when the connection is lost: the driver leaves them waiting where it was cut. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #isLost = false;

  constructor(driver: Driver, address: { readonly shown: string; readonly database: string }) {
    this.#driver = driver;
    this.address = address.shown;
    this.database = address.database;
    driver.on('error', error => this.#lose(error));
  }

  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#driver.connect(error => (error ? reject(connectError(this.address, error)) : resolve()));
    });
  }

  get threadId(): number {
    return this.#driver.threadId ?? 0;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  async rows(action: string, sql: string): Promise<Row[]> {
    return (await this.#query(action, sql)).rows;
  }

  async texts(action: string, sql: string): Promise<Record<string, string | null>[]> {
    const { rows, names } = await this.#query(action, sql);
    return rows.map(row =>
      Object.fromEntries(names.map((name, i) => [name, row[i]?.toString('utf8') ?? null] as const)),
    );
  }

  async *stream(action: string, sql: string): AsyncGenerator<Row> {
    if (this.#isLost) throw databaseError(action, this.#lost());
    let isDone = false;
    const stream = this.#driver.query({ sql: asWire(sql), ...rawCells }).stream({ highWaterMark: 256 });
    const tell = (error: unknown): void => void stream.destroy(error instanceof Error ? error : undefined);
    this.#waiting.add(tell);
    try {
      for await (const row of stream) yield row as Row;
      isDone = true;
    } catch (error) {
      if (isFatal(error)) this.#lose(error);
      isDone = true;
      throw databaseError(action, error);
    } finally {
      this.#waiting.delete(tell);
      if (!isDone) this.destroy();
    }
  }

  async run(action: string, statements: readonly (string | Buffer)[]): Promise<void> {
    for (const sql of statements) await this.#query(action, sql);
  }

  async close(): Promise<void> {
    if (this.#isLost) return this.destroy();
    await new Promise<void>(resolve => this.#driver.end(() => resolve()));
  }

  destroy(): void {
    this.#driver.destroy();
    this.#lose(this.#lost());
  }

  #query(action: string, sql: string | Buffer): Promise<{ rows: Row[]; names: string[] }> {
    return new Promise((resolve, reject) => {
      if (this.#isLost) return reject(databaseError(action, this.#lost()));
      const fail = (error: unknown): void => {
        this.#waiting.delete(fail);
        reject(databaseError(action, error));
      };
      this.#waiting.add(fail);
      this.#driver.query({ sql: asWire(sql), ...rawCells }, (error, result: unknown, fields) => {
        if (error) {
          if (isFatal(error)) this.#lose(error);
          return fail(error);
        }
        this.#waiting.delete(fail);
        const names = (fields ?? []).map(field => field.name);
        resolve({ rows: Array.isArray(result) ? (result as Row[]) : [], names });
      });
    });
  }

  #lose(error: unknown): void {
    this.#isLost = true;
    for (const tell of [...this.#waiting]) tell(error);
    this.#waiting.clear();
  }

  #lost(): Error {
    return new Error(`the connection to ${this.address} was lost`);
  }
}

function isFatal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { fatal?: unknown }).fatal === true;
}
