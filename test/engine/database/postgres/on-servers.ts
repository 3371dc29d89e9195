import { after, before, describe } from 'node:test';
import pg from 'pg';
import { availableServers, type PostgresServer, startServer } from '../../../../bench/servers/index.ts';
import {
  connectPostgres,
  type PostgresOptions,
  type PostgresResult,
  type PostgresSource,
  type RestorePostgresOptions,
  restorePostgres,
} from '../../../../engine/database/postgres/index.ts';
import { type SnapshotId, systemClock } from '../../../../store/index.ts';
import type { MemoryChunks } from '../../../helpers/memory-chunks.ts';

export const digestKey = Uint8Array.from({ length: 16 }, (_, i) => 7 * i);
export const snapshotA = 'a'.repeat(64) as SnapshotId;
export const snapshotB = 'b'.repeat(64) as SnapshotId;

const servers = await availableServers();

/** The same tests on every server that this machine can start, or on one of them. */
export function onServers(
  body: (server: () => PostgresServer) => void,
  options: { readonly only?: 'first' | 'with pg_dump' } = {},
): void {
  const chosen = {
    first: servers.slice(0, 1),
    'with pg_dump': servers.filter(one => one.clientDir !== null).slice(0, 1),
    all: servers,
  }[options.only ?? 'all'];
  for (const found of chosen) {
    describe(`PostgreSQL ${found.version} (${found.kind})`, () => {
      let server: PostgresServer | undefined;
      before(async () => {
        server = await startServer({ kind: found.kind, major: found.major });
      });
      after(() => server?.stop());
      body(() => server!);
    });
  }
}

/** Runs SQL and gives the last statement's rows. */
export async function sql<T = Record<string, unknown>>(url: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const answer: unknown = await client.query(text);
    return (Array.isArray(answer) ? answer.at(-1) : answer).rows;
  } finally {
    await client.end();
  }
}

/** A session that stays open, such as one that holds a lock; an end from the server's side is no error of the test. */
export async function openSession(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export function connect(url: string, options: Partial<PostgresOptions> = {}): Promise<PostgresSource> {
  return connectPostgres({ type: 'postgresql', url, clock: systemClock, ...options });
}

export const targetOf = (url: string) =>
  ({ type: 'postgresql', url, clock: systemClock, snapshot: snapshotA }) as const;

/** A whole backup, with hooks at its seams. */
export async function backUp(
  url: string,
  chunks: MemoryChunks,
  options: Partial<PostgresOptions> & {
    readonly beforePin?: () => Promise<unknown>;
    readonly afterPin?: () => Promise<unknown>;
  } = {},
): Promise<PostgresResult> {
  await using source = await connect(url, options);
  await source.prepare();
  await options.beforePin?.();
  await source.pin();
  await options.afterPin?.();
  return await source.finish({ sink: chunks, source: chunks, cuts: chunks.cuts, digestKey });
}

export function restore(
  url: string,
  from: { readonly chunks: Pick<MemoryChunks, 'get'>; readonly result: Pick<PostgresResult, 'root'> },
  options: Partial<RestorePostgresOptions> = {},
) {
  return restorePostgres({
    ...targetOf(url),
    source: from.chunks,
    root: from.result.root,
    digestKey,
    ...options,
  });
}
