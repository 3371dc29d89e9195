import { after } from 'node:test';
import type pg from 'pg';
import {
  type AvailableServer,
  type PostgresServer,
  startServer,
  withClient,
} from '../../../../../../bench/servers/index.ts';
import {
  type CatalogDdl,
  type CatalogDdlOptions,
  readCatalogDdl,
  readLargeObjectDdl,
} from '../../../../../../engine/database/postgres/definitions/catalog-ddl/index.ts';
import { roles } from './shapes.ts';

/** A server with the roles that the shapes speak of, ended after the tests. */
export async function serverWithRoles({ kind, major }: AvailableServer): Promise<PostgresServer> {
  const server = await startServer({ kind, major });
  after(() => server.stop());
  await withClient(server.superuserUrl, async client => {
    for (const role of roles) await client.query(`CREATE ROLE ${client.escapeIdentifier(role)}`);
    await client.query(`CREATE ROLE instance LOGIN PASSWORD 'instance' IN ROLE other`);
  });
  return server;
}

/** Reads the definitions as the engine does. */
export function read(url: string, options: CatalogDdlOptions = {}): Promise<CatalogDdl> {
  return pinned(url, client => readCatalogDdl(client, options));
}

/** Reads what is defined about large objects, as the engine does. */
export function readObjects(url: string): Promise<readonly string[]> {
  return pinned(url, client => readLargeObjectDdl(client));
}

function pinned<T>(url: string, body: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(url, async client => {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`);
    await client.query(`SELECT set_config('search_path', '', true)`);
    return body(client);
  });
}

/** Executes definitions in an empty database, each stage as one message. */
export async function write(url: string, ddl: CatalogDdl): Promise<void> {
  await withClient(url, client => client.query(ddl.preData));
  await withClient(url, client => client.query(ddl.postData));
}
