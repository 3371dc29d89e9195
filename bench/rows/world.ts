import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import copyStreams from 'pg-copy-streams';
import type { PostgresServer } from '../servers/index.ts';
import { type FuzzEvent, isDefinitionKind, isRowKind, openSessions, type Phase } from './events.ts';
import { copyData, goPast, readPosition } from './set-back.ts';
import { type EventSql, otherSql, rowSql } from './statements.ts';
import { fuzzTables, schemaSql } from './tables.ts';

/** `refused`: the server did not let it, because of a lock or of what another event had done. */
export type Outcome = 'done' | 'refused' | 'nothing to do';

/** Locked, deadlocked, not there, there already, in the way of something else. Anything else is a fault of the fuzzer. */
const refusals = new Set([
  '55P03',
  '40P01',
  '40001',
  '42P01',
  '42703',
  '42704',
  '42710',
  '42701',
  '0A000',
  '2BP01',
  '55006',
  '23514',
  '22003',
  '42804',
  '42P16',
]);
const lockTimeoutMs = 30;

interface OpenTransaction {
  readonly client: pg.Client;
  isOpen: boolean;
  /** Tables that it may have locked. */
  touched: Set<string>;
}

/** The sessions that change a fuzzed database, and what they left open. */
export class World implements AsyncDisposable {
  readonly #server: PostgresServer;
  readonly #url: string;
  #main!: pg.Client;
  #open: OpenTransaction[] = [];
  #prepared = new Map<string, ReadonlySet<string>>();
  /** Transactions that were prepared when the data were kept; undefined: they were not. */
  #kept: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  #late: Promise<unknown>[] = [];

  constructor(server: PostgresServer, url: string) {
    this.#server = server;
    this.#url = url;
  }

  /** Makes the tables. */
  async start(): Promise<void> {
    await this.#connect();
    for (const sql of schemaSql()) await this.#main.query(sql);
  }

  async run(event: FuzzEvent, phase: Phase): Promise<Outcome> {
    try {
      return await this.#run(event, phase);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined || !refusals.has(code))
        throw new Error(`Cannot run event ${event.id} (${event.kind}): ${String(error)}`, { cause: error });
      return 'refused';
    }
  }

  /** Waits for what had to wait until the backup let go. */
  async settle(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    await Promise.all(late);
  }

  /** What is open is rolled back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disconnect();
    await this.settle();
  }

  async #run(event: FuzzEvent, phase: Phase): Promise<Outcome> {
    const { kind } = event;
    if (isRowKind(kind)) return this.#changeRows(event);
    switch (kind) {
      case 'commit':
      case 'roll back all':
        return this.#end(event, kind === 'commit' ? 'COMMIT' : 'ROLLBACK');
      case 'prepare transaction':
        return this.#prepare(event);
      case 'commit prepared':
      case 'roll back prepared':
        return this.#endPrepared(event, kind === 'commit prepared' ? 'COMMIT' : 'ROLLBACK');
      case 'restart':
      case 'crash':
      case 'stop at once':
        return this.#endServer(async () => {
          if (kind === 'crash') await this.#server.crash();
          if (kind === 'stop at once') await this.#server.stopAtOnce();
        });
      case 'kill a backend':
        return this.#killBackend();
      case 'keep the data':
        return this.#endServer(async () => {
          await this.#server.stopAtOnce();
          await copyData(this.#server.dataDir, this.#keptDir);
          this.#kept = new Map(this.#prepared);
        });
      case 'set the data back':
        return this.#setBack();
      case 'commits asynchronous':
        for (const client of [this.#main, ...this.#open.map(one => one.client)])
          await client.query(`SET synchronous_commit = ${event.b % 3 === 0 ? 'on' : 'off'}`).catch(() => {}); // its transaction failed: stays as it is
        return 'done';
      default:
        if (phase !== 'after' || !(isDefinitionKind(kind) || kind === 'vacuum full' || kind === 'cluster')) {
          await this.#alone(this.#main, otherSql(event));
          return 'done';
        }
        return this.#queue(event);
    }
  }

  async #endServer(end: () => Promise<void>): Promise<Outcome> {
    await this.#disconnect();
    await end();
    await this.#server.restart();
    await this.#connect();
    return 'done';
  }

  /** The others are ended, too, and what was not written is lost; the server goes on, and is as old as it was. */
  async #killBackend(): Promise<Outcome> {
    const victim = await this.#client();
    const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0]!.pid, 'SIGKILL');
    await victim.end().catch(() => {}); // it is gone
    await this.#disconnect();
    for (let tries = 0; ; tries += 1) {
      try {
        await this.#connect();
        return 'done';
      } catch (error) {
        await this.#disconnect();
        if (tries === 200) throw error;
        await sleep(20);
      }
    }
  }

  get #keptDir(): string {
    return `${this.#server.dataDir}-kept`;
  }

  /** The data are what they were; then the server goes on, past where it had been. */
  async #setBack(): Promise<Outcome> {
    const kept = this.#kept;
    if (!kept) return 'nothing to do';
    const before = await readPosition(this.#main);
    await this.#endServer(async () => {
      await this.#server.stopAtOnce();
      await copyData(this.#keptDir, this.#server.dataDir);
      this.#prepared = new Map(kept);
    });
    await goPast(this.#main, before);
    return 'done';
  }

  async #changeRows(event: FuzzEvent): Promise<Outcome> {
    const sql = rowSql(event);
    const session = this.#open[event.session - 1];
    if (!session) {
      const isOne = sql.statements.length + (sql.copy ? 1 : 0) === 1;
      if (isOne) await send(this.#main, sql);
      else await this.#alone(this.#main, { ...sql, statements: ['BEGIN', ...sql.statements] });
      return 'done';
    }
    try {
      if (!session.isOpen) await session.client.query('BEGIN');
      session.isOpen = true;
      session.touched.add(event.table);
      await send(session.client, sql);
      return 'done';
    } catch (error) {
      await this.#close(session, 'ROLLBACK');
      throw error;
    }
  }

  /** Statements that may begin a transaction: it is committed, or undone where one fails. */
  async #alone(client: pg.Client, sql: EventSql): Promise<void> {
    const isTransaction = sql.statements[0] === 'BEGIN' && sql.statements.at(-1) !== 'COMMIT';
    try {
      await send(client, sql);
      if (isTransaction) await client.query('COMMIT');
    } catch (error) {
      if (sql.statements[0] === 'BEGIN') await client.query('ROLLBACK');
      throw error;
    }
  }

  async #end(event: FuzzEvent, word: 'COMMIT' | 'ROLLBACK'): Promise<Outcome> {
    const session = this.#open[event.session - 1] ?? this.#open.find(one => one.isOpen);
    if (!session?.isOpen) return 'nothing to do';
    await this.#close(session, word);
    return 'done';
  }

  async #close(session: OpenTransaction, word: string): Promise<void> {
    session.isOpen = false;
    session.touched = new Set();
    await session.client.query(word);
  }

  async #prepare(event: FuzzEvent): Promise<Outcome> {
    const session = this.#open[event.session - 1] ?? this.#open.find(one => one.isOpen);
    if (!session?.isOpen || this.#prepared.size >= 6) return 'nothing to do';
    const name = `prepared ${event.id}`;
    const { touched } = session;
    await this.#close(session, `PREPARE TRANSACTION '${name}'`);
    this.#prepared.set(name, touched);
    return 'done';
  }

  async #endPrepared(event: FuzzEvent, word: 'COMMIT' | 'ROLLBACK'): Promise<Outcome> {
    const names = [...this.#prepared.keys()];
    const name = names[event.a % Math.max(names.length, 1)];
    if (name === undefined) return 'nothing to do';
    this.#prepared.delete(name);
    await this.#main.query(`${word} PREPARED '${name}'`);
    return 'done';
  }

  /** Waits in a session of its own for the backup's locks; only where nobody holds a transaction open on the table. */
  async #queue(event: FuzzEvent): Promise<Outcome> {
    const family = fuzzTables.find(one => one.heaps.includes(event.table));
    const names = ['plain', 'even', 'typed', 'loose', 'parts', event.table, ...(family ? [family.name] : [])];
    const held = [...this.#open.map(one => one.touched), ...this.#prepared.values()];
    if (held.some(touched => names.some(name => touched.has(name)))) return 'nothing to do';
    const client = await this.#client();
    const { rows } = await client
      .query<{ pid: number }>('SET lock_timeout = 0; SELECT pg_backend_pid() AS pid')
      .then(answer => (answer as unknown as pg.QueryResult<{ pid: number }>[])[1]!);
    let isOver = false;
    this.#late.push(
      this.#alone(client, otherSql(event))
        .catch((error: { code?: string }) => {
          if (error.code === undefined || !refusals.has(error.code)) throw error;
        })
        .finally(() => {
          isOver = true;
          return client.end();
        }),
    );
    this.#late.at(-1)!.catch(() => {}); // told by settle
    for (let polls = 0; polls < 100 && !isOver; polls += 1) {
      const state = await this.#main.query(
        'SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = $2',
        [rows[0]!.pid, 'Lock'],
      );
      if (state.rowCount === 1) break;
      await sleep(2);
    }
    return 'done';
  }

  async #client(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url });
    client.on('error', () => {}); // told by the statement under way
    await client.connect();
    await client.query(`SET lock_timeout = ${lockTimeoutMs}; SET timezone = 'UTC'`);
    return client;
  }

  async #connect(): Promise<void> {
    this.#main = await this.#client();
    this.#open = [];
    for (let i = 0; i < openSessions; i += 1)
      this.#open.push({ client: await this.#client(), isOpen: false, touched: new Set() });
  }

  async #disconnect(): Promise<void> {
    for (const client of [this.#main, ...this.#open.map(one => one.client)])
      await client.end().catch(() => {}); // its backend was killed
  }
}

async function send(client: pg.Client, sql: EventSql): Promise<void> {
  for (const statement of sql.statements) await client.query(statement);
  if (!sql.copy) return;
  const stream = client.query(copyStreams.from(sql.copy.sql));
  await pipeline([sql.copy.text], stream);
}
