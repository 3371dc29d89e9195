import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type pg from 'pg';

const run = promisify(execFile);

/** With owners and modes; what is at `to` goes. The server of `from` is stopped. */
export async function copyData(from: string, to: string): Promise<void> {
  await run('rm', ['-rf', to]);
  await run('cp', ['-a', from, to]);
}

/** How far a server has come. */
export interface Reached {
  readonly id: string;
  readonly lsn: string;
}

export async function readPosition(client: pg.Client): Promise<Reached> {
  const { rows } = await client.query<Reached>(
    'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS id, pg_current_wal_insert_lsn()::text AS lsn',
  );
  return rows[0]!;
}

/** Uses ids for other changes than those that had them before, until the server is past where it was. */
export async function goPast(client: pg.Client, { id, lsn }: Reached): Promise<void> {
  await client.query(`DO $$ BEGIN
    FOR i IN 1..100000 LOOP
      EXIT WHEN pg_snapshot_xmax(pg_current_snapshot())::text::int8 > ${id};
      UPDATE hot SET k = 'gone on ' || i WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM hot WHERE id = i * 7 % 1200 LIMIT 1 FOR UPDATE SKIP LOCKED));
      PERFORM pg_current_xact_id();
      COMMIT;
    END LOOP;
    FOR i IN 1..10000 LOOP
      EXIT WHEN pg_current_wal_insert_lsn() > '${lsn}';
      PERFORM pg_logical_emit_message(false, '', repeat('x', 100000));
    END LOOP; END $$`);
}
