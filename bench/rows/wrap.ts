import { execFile } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { serverAccount } from '../servers/account.ts';
import type { PostgresServer } from '../servers/index.ts';

const run = promisify(execFile);
/** Transaction ids per file of pg_xact, two bits each. */
const idsPerFile = 4 * 256 * 1024;
const idsMax = 2 ** 32;
/** Below 2³¹, or everything that there is would be in the future. */
const stepMax = 2_000_000_000;

/**
 * Moves a fresh server on until its 32-bit transaction ids begin again in so many of them. Needs pg_resetwal and pg_ctl,
 * which the embedded server lacks.
 */
export async function moveNearWrap(server: PostgresServer, idsLeft: number): Promise<void> {
  const account = serverAccount();
  const as = account.foreign ? { uid: account.uid, gid: account.gid } : {};
  const tool = (name: string, args: string[]) =>
    run(join(server.binDir, name), args, { ...as, cwd: server.dataDir });
  for (let id = 0; id < idsMax - idsLeft; ) {
    id = Math.min(id + stepMax, idsMax - idsLeft);
    await freezeAll(server);
    await tool('pg_ctl', ['stop', '-m', 'fast', '-D', server.dataDir]);
    const file = Math.floor(id / idsPerFile)
      .toString(16)
      .toUpperCase()
      .padStart(4, '0');
    const path = join(server.dataDir, 'pg_xact', file);
    writeFileSync(path, new Uint8Array(idsPerFile / 4), { flag: 'a' });
    if (account.foreign) chownSync(path, account.uid, account.gid);
    await tool('pg_resetwal', ['-f', '-x', String(id), '-D', server.dataDir]);
    await server.restart();
  }
  await freezeAll(server);
}

/** The next transaction id with its epoch. */
export async function nextId(server: PostgresServer): Promise<bigint> {
  const [row] = await query(
    server.superuserUrl,
    'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS id',
  );
  return BigInt((row as { id: string }).id);
}

async function freezeAll(server: PostgresServer): Promise<void> {
  await query(server.superuserUrl, "UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'");
  const databases = await query(server.superuserUrl, 'SELECT datname FROM pg_database');
  for (const { datname } of databases as { datname: string }[])
    await query(server.url(datname), 'VACUUM (FREEZE)');
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
