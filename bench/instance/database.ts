import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Pool, PoolClient } from 'pg';
import type { PostgresServer } from '../servers/index.ts';
import type { SeededRef } from './home.ts';
import { type RefMove, zeroHash } from './refs.ts';

/** Something that a user did besides pushing, recorded in the same transaction. */
export type SideRow = 'activity' | 'pull-request' | 'comment' | 'build';

/** The rows of the application, written through one small pool. */
export interface Database {
  readonly url: string;
  /** Records moves in one transaction and returns their row ids, in order. */
  recordMoves(repositoryId: number, moves: readonly RefMove[], also?: readonly SideRow[]): Promise<number[]>;
  /** The hash that the newest row gives for the ref; zeros = deleted; null = no row. */
  newestHash(repositoryId: number, ref: string): Promise<{ rowId: number; hash: string } | null>;
  recordSeed(refs: readonly SeededRef[]): Promise<void>;
  repositories(): Promise<{ id: number; projectKey: string; slug: string }[]>;
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** The schema's file: beside the source, since the compiler copies no SQL. */
export function schemaPath(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const path = join(folder, 'bench', 'instance', 'schema.sql');
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) throw new Error('Cannot find bench/instance/schema.sql');
  }
}

/** Makes an empty database that belongs to an ordinary role with a password, as an application has it; returns its URL. */
export async function createInstanceDatabase(server: PostgresServer, name = 'bitbucket'): Promise<string> {
  const role = { name, password: 'bit:bucket/1' };
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: server.superuserUrl });
  await client.connect();
  try {
    const quoted = client.escapeIdentifier(name);
    await client.query(`CREATE ROLE ${quoted} LOGIN PASSWORD ${client.escapeLiteral(role.password)}`);
    await client.query(`CREATE DATABASE ${quoted} OWNER ${quoted}`);
    const found = await client.query(`SELECT 1 FROM pg_roles WHERE rolname = 'instance_reader'`);
    if (found.rowCount === 0) await client.query('CREATE ROLE instance_reader');
  } finally {
    await client.end();
  }
  return server.url(name, role);
}

export async function openDatabase(url: string): Promise<Database> {
  const pg = (await import('pg')).default;
  const pool = new pg.Pool({ connectionString: url, max: 4, application_name: 'stand-in' });
  // A connection that breaks is replaced by the next query, which then tells if there is no server. The pool hears of it
  // only while the connection is idle; one that is in use must be listened to itself, or its error ends the process.
  pool.on('error', () => {});
  pool.on('connect', client => void client.on('error', () => {}));
  return {
    url,
    recordMoves: (repositoryId, moves, also = []) => recordMoves(pool, { repositoryId, moves, also }),
    newestHash: async (repositoryId, ref) => {
      const { rows } = await pool.query(
        'SELECT id, to_hash FROM public.ref_update WHERE repository_id = $1 AND ref_name = $2 ORDER BY id DESC LIMIT 1',
        [repositoryId, ref],
      );
      return rows[0] ? { rowId: Number(rows[0].id), hash: String(rows[0].to_hash) } : null;
    },
    recordSeed: async refs => {
      await pool.query(
        `INSERT INTO public.ref_update (repository_id, ref_name, to_hash)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])`,
        [refs.map(one => one.repositoryId), refs.map(one => one.ref), refs.map(one => one.hash)],
      );
    },
    repositories: async () => {
      const { rows } = await pool.query(
        'SELECT r.id, p.key, r.slug FROM public.repository r JOIN public.project p ON p.id = r.project_id ORDER BY r.id',
      );
      return rows.map(row => ({ id: Number(row.id), projectKey: String(row.key), slug: String(row.slug) }));
    },
    query: async (sql, values = []) => (await pool.query(sql, [...values])).rows,
    close: () => pool.end(),
  };
}

export async function loadSchema(database: Database): Promise<void> {
  await database.query(await readFile(schemaPath(), 'utf8'));
}

interface Recorded {
  readonly repositoryId: number;
  readonly moves: readonly RefMove[];
  readonly also: readonly SideRow[];
}

const insertMove = {
  name: 'insert-move',
  text: `INSERT INTO public.ref_update (repository_id, ref_name, from_hash, to_hash, author_id)
         VALUES ($1, $2, $3, $4, (SELECT id FROM public.app_user ORDER BY id LIMIT 1)) RETURNING id`,
};

const sideRows: Record<SideRow, string> = {
  activity: `INSERT INTO public.activity (repository_id, actor_id, kind, payload)
    VALUES ($1, 1, 'PUSH', jsonb_build_object('at', clock_timestamp(), 'by', 'stand-in'))`,
  'pull-request': `INSERT INTO public.pull_request (repository_id, title, description, from_ref, to_ref, merge_window)
    VALUES ($1, 'Change ' || clock_timestamp(), repeat('why ', 40), 'refs/heads/feature', 'refs/heads/main',
            tstzrange(now(), now() + interval '1 day'))`,
  comment: `INSERT INTO public.comment (pull_request_id, author_id, body, anchor)
    SELECT p.id, u.id, 'Looks good at ' || clock_timestamp(), '{"line": 12}' FROM public.pull_request p, public.app_user u
    WHERE p.repository_id = $1 ORDER BY p.id DESC, u.id LIMIT 1`,
  build: `UPDATE public.repository SET size_bytes = size_bytes + 1024, settings = settings || '{"built": true}' WHERE id = $1`,
};

async function recordMoves(pool: Pool, recorded: Recorded): Promise<number[]> {
  const { repositoryId, moves, also } = recorded;
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    // A single row is a transaction by itself and saves two round trips.
    if (moves.length + also.length === 1) return [await insert(client, repositoryId, moves[0]!)];
    await client.query('BEGIN');
    const ids: number[] = [];
    for (const move of moves) ids.push(await insert(client, repositoryId, move));
    for (const row of also) await client.query({ name: row, text: sideRows[row] }, [repositoryId]);
    await client.query('COMMIT');
    return ids;
  } catch (error) {
    broken = error instanceof Error ? error : new Error(String(error));
    throw broken;
  } finally {
    client.release(broken); // with an error: closed, which rolls back
  }
}

async function insert(client: PoolClient, repositoryId: number, move: RefMove): Promise<number> {
  const values = [repositoryId, move.ref, move.from, move.to ?? zeroHash];
  const { rows } = await client.query(insertMove, values);
  return Number(rows[0].id);
}
