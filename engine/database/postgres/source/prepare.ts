import type { Content } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import { fingerprintOf, fingerprintSql } from '../catalog/fingerprint.ts';
import { listRelations } from '../catalog/relations.ts';
import { readServerFacts, type ServerFacts } from '../catalog/server.ts';
import { type LoadedBase, loadBase, mayDepend } from '../changes/base.ts';
import type { Connection } from '../connect/connection.ts';
import {
  type DumpTool,
  ddlSourceOf,
  findDumpTool,
  inspect,
  type ReadDdlOptions,
  readDdl,
} from '../definitions/ddl.ts';
import { readLosses } from '../definitions/losses.ts';
import type { PostgresBase } from '../types.ts';
import type { Connections } from './connections.ts';
import { type Pinned, type PinPlan, positionFrom, positionSql, warmView } from './pin.ts';

/** The definitions: read, or those of the base, which are the same. */
export interface PreparedDdl {
  readonly source: string;
  readonly preData: string | Content;
  readonly postData: string | Content;
  readonly warnings: readonly string[];
}

/** What was learnt before the lock. */
export interface Prepared {
  readonly facts: ServerFacts;
  readonly plan: PinPlan;
  readonly tool: DumpTool | undefined;
  readonly ddl: PreparedDdl;
  /** What of an earlier snapshot may be used again. */
  readonly loaded: LoadedBase | undefined;
  /** Of the whole database. */
  readonly bytes: number;
}

export interface PrepareOptions {
  /** As in PostgresOptions. */
  readonly pgDump?: string | null | undefined;
  readonly base?: PostgresBase | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Definitions, list of relations and fingerprint of one moment, in a snapshot that is let go; then warms the pin. */
export async function prepareBackup(connections: Connections, options: PrepareOptions): Promise<Prepared> {
  const { pin, watch, readers } = connections;
  const facts = await readServerFacts(watch);
  const tool = await chooseTool(facts.serverVersionNumber, options);
  const sql = await fingerprintSql(watch);
  const action = 'read definitions';
  const [, exported, prints, size] = await pin.script(action, [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    `SELECT pg_catalog.pg_export_snapshot(), ${positionSql}`,
    sql,
    'SELECT pg_catalog.pg_database_size(pg_catalog.current_database())',
  ]);
  const [exportedSnapshot, ...position] = exported![0] as readonly string[];
  const fingerprint = fingerprintOf(prints!);
  const loaded = options.base
    ? await loadBase(options.base, { facts, position: positionFrom(position) })
    : undefined;
  const relations = await listRelations(pin);
  const ddl = await ddlOf(pin, {
    ...{ tool, loaded, fingerprint, encoding: facts.encoding },
    exportedSnapshot: exportedSnapshot!,
    signal: options.signal,
  });
  await pin.script(action, ['ROLLBACK']);
  const plan = await warmView(pin, {
    plan: {
      relations,
      fingerprintSql: sql,
      fingerprint,
      isWarm: false,
    },
    readers,
  });
  return { facts, tool, plan, ddl, loaded, bytes: Number(size![0]![0]) };
}

/** Equal catalogs, seen by the same tool, give the same definitions. */
async function ddlOf(
  connection: Connection,
  options: ReadDdlOptions & { readonly loaded: LoadedBase | undefined; readonly fingerprint: Uint8Array },
): Promise<PreparedDdl> {
  const { loaded, tool } = options;
  const source = ddlSourceOf(tool);
  const preData = loaded?.definitions.get('pre-data');
  const postData = loaded?.definitions.get('post-data');
  if (
    loaded?.record.ddlSource === source &&
    Buffer.compare(loaded.record.catalogFingerprint, options.fingerprint) === 0 &&
    preData &&
    postData &&
    (await mayDepend(loaded.base, [preData, postData]))
  )
    return { source, preData, postData, warnings: await readLosses(connection) };
  return readDdl(connection, options);
}

async function chooseTool(version: number, options: PrepareOptions): Promise<DumpTool | undefined> {
  const { pgDump, signal } = options;
  if (pgDump === null) return undefined;
  if (pgDump === undefined) return findDumpTool(version, { signal });
  const tool = await inspect(pgDump, signal);
  const major = Math.floor(version / 10_000);
  if (tool && Number.parseInt(tool.version, 10) >= major) return tool;
  throw engineError(
    'TOOL_MISSING',
    `Cannot use ${pgDump}: it is ${tool ? `version ${tool.version}` : 'no pg_dump'}`,
    { remedy: `Install the PostgreSQL ${major} client.` },
  );
}

/**
 * The definitions of the pin, where those of the preparation are none. In part they come from the server as it is now,
 * so they must not have changed since.
 */
export async function readPinnedDefinitions(
  connections: Connections,
  job: { readonly prepared: Prepared; readonly pinned: Pinned; readonly signal?: AbortSignal | undefined },
): Promise<PreparedDdl> {
  const { prepared, pinned, signal } = job;
  const ddl = await readDdl(connections.pin, {
    tool: prepared.tool,
    encoding: prepared.facts.encoding,
    exportedSnapshot: pinned.exportedSnapshot,
    signal,
  });
  const [now] = await connections.watch.script('compare definitions', [prepared.plan.fingerprintSql]);
  if (Buffer.compare(fingerprintOf(now!), pinned.fingerprint) === 0) return ddl;
  throw engineError('DATABASE_FAILED', 'Cannot read definitions: they changed again after the pin', {
    remedy: 'Run it again when nobody changes tables.',
  });
}
