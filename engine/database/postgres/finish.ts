import { type Clock, type Entry, hex, ListingBuilder } from '../../../store/index.ts';
import { contentWriter } from '../../ingest/index.ts';
import type { DatabaseResult, FinishOptions } from '../database.ts';
import { readLargeObjectDdl } from './catalog-ddl/index.ts';

import { type Connection, rowSettings } from './connection.ts';
import { type CopiedSegment, copySegment, type SegmentRange, segmentBlocks } from './copy.ts';
import type { Ddl } from './ddl.ts';
import { readDefinitionFingerprints } from './definition.ts';
import { addDigests, emptyDigest, type RowDigest } from './digest.ts';
import {
  encodeDefinitions,
  encodeRecordOfDatabase,
  encodeRelation,
  encodeSegment,
  encodeSequence,
  keyPrefix,
  type RelationEntry,
} from './entry.ts';
import { callsSql, largeObjectCalls, readLargeObjectIds } from './large-objects.ts';
import type { Pinned } from './pin.ts';
import { readDatabaseProperties } from './properties.ts';
import type { ServerFacts } from './server.ts';
import { listed, type Relation } from './tables.ts';
import { waitUntilFlushed } from './wal.ts';
import { allOrCut, InOrder } from './workers.ts';

export interface FinishJob extends FinishOptions {
  readonly clock: Clock;
  readonly facts: ServerFacts;
  readonly pinned: Pinned;
  readonly ddl: Ddl;
  readonly watch: Connection;
  readonly readers: readonly Connection[];
}

/** A relation with what is known of its file. */
interface Sized {
  /** Instead of its blocks. */
  readonly sql?: string;
  readonly relation: Relation;
  readonly heapBlocks: number;
  readonly segmentBlocks: number;
  readonly bytes: number;
}

interface Task {
  readonly sized: Sized;
  readonly range: SegmentRange;
}

/** Reads everything from the pinned view into one listing. */
export async function finishCopy(job: FinishJob): Promise<DatabaseResult> {
  const { pinned, facts, ddl, readers, sink, cuts } = job;
  const isPublishable = await waitUntilFlushed(job.watch, pinned.lsn, job);
  const [reader] = readers;
  const objects = await readLargeObjectIds(reader!);
  const source = largeObjectSource(pinned.relations, objects.count);
  const relations = inKeyOrder([
    ...pinned.relations.filter(one => one.kind !== 'large-objects' || source === 'pages'),
    ...(source === 'calls' ? [largeObjectCalls] : []),
  ]);
  const sizes = await readSizes(reader!, relations, facts.encoding);
  const definitions = await readDefinitionFingerprints(reader!, pinned.fingerprint);
  const properties = await readDatabaseProperties(reader!, facts);

  const builder = new ListingBuilder(sink, cuts.nodes);
  const copied = await copyAll(job, sizes, entry => builder.add(entry));
  for (const entry of relationEntries(relations, {
    sizes,
    copied,
    definitions,
    order: properties.refreshOrder,
  }))
    await builder.add(encodeRelation(entry));
  for (const sequence of inKeyOrder(pinned.sequences)) await builder.add(encodeSequence(sequence));
  const ownersOfObjects = source === null ? [] : await readLargeObjectDdl(reader!.client);
  for (const [section, sql] of [
    ['large-objects', objects.sql],
    ['large-objects-owners', ownersOfObjects],
    ['post-data', [ddl.postData]],
    ['pre-data', [ddl.preData]],
  ] as const) {
    if (sql.length === 0) continue;
    const writer = contentWriter(sink, cuts);
    await writer.write(Buffer.from(sql.join('\0'), 'utf8'));
    await builder.add(encodeDefinitions({ section, sql: await writer.finish() }));
  }
  await builder.add(
    encodeRecordOfDatabase({
      type: 'postgresql',
      ...facts,
      exportedSnapshot: pinned.exportedSnapshot,
      lsn: pinned.lsn,
      xmin: pinned.xmin,
      xmax: pinned.xmax,
      catalogFingerprint: pinned.fingerprint,
      isPublishable,
      ddlSource: ddl.source,
      settings: rowSettings(),
      roles: properties.roles,
      comment: properties.comment,
      databaseSql: properties.databaseSql,
      largeObjectSource: source,
    }),
  );
  const root = await builder.finish();
  const tables = relations.filter(one => one.kind === 'table');
  return {
    root,
    database: facts.database,
    tables: tables.length,
    rows: tables.reduce((sum, one) => sum + (copied.digests.get(one.oid)?.rows ?? 0), 0),
    segments: copied.segments,
    changedSegments: copied.segments,
    bytes: copied.bytes,
    largeObjects: objects.count,
    serverVersion: facts.serverVersion,
    systemIdentifier: String(facts.systemIdentifier),
    timeline: facts.timeline,
    exportedSnapshot: pinned.exportedSnapshot,
    lsn: pinned.lsn,
    xmin: pinned.xmin,
    xmax: pinned.xmax,
    catalogFingerprint: hex(pinned.fingerprint),
    ddlSource: ddl.source,
    publishable: isPublishable,
    warnings: warningsOf(job, relations),
  };
}

/** Pages where they may be read, else a call for each object; null where there is none. */
function largeObjectSource(relations: readonly Relation[], count: number): 'pages' | 'calls' | null {
  if (count === 0) return null;
  return relations.some(one => one.kind === 'large-objects') ? 'pages' : 'calls';
}

function warningsOf(job: FinishJob, relations: readonly Relation[]): string[] {
  const foreign = relations.filter(one => one.kind === 'foreign');
  return [
    ...job.ddl.warnings,
    ...(foreign.length === 0
      ? []
      : [
          `Foreign tables are kept as definitions, without their rows: ${listed(foreign.map(one => `${one.schema}.${one.name}`))}`,
        ]),
  ];
}

function inKeyOrder<T extends { readonly schema: string; readonly name: string }>(items: readonly T[]): T[] {
  const keyed = items.map(item => ({ item, key: keyPrefix('relation', item) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(one => one.item);
}

/** A heap that is read cannot shrink while it is locked; what was added since the pin is invisible to it. */
async function readSizes(
  connection: Connection,
  relations: readonly Relation[],
  encoding: string,
): Promise<Sized[]> {
  const withRows = relations.filter(one => one.kind === 'table' || one.kind === 'large-objects');
  const rows = await connection.rows<{ oid: number; heap: string; whole: string }>(
    'read the sizes of tables',
    `SELECT o.oid, pg_catalog.pg_relation_size(o.oid)::text AS heap, pg_catalog.pg_table_size(o.oid)::text AS whole
     FROM pg_catalog.unnest('{${withRows.map(one => one.oid).join(',')}}'::oid[]) o (oid)`,
  );
  const sizes = new Map(rows.map(row => [row.oid, row]));
  return withRows.map(relation => {
    if (relation === largeObjectCalls)
      return { relation, heapBlocks: 0, segmentBlocks: 0, bytes: 0, sql: callsSql(encoding) };
    const size = sizes.get(relation.oid);
    const heapBytes = Number(size?.heap ?? 0);
    const tableBytes = Number(size?.whole ?? 0);
    return {
      relation,
      heapBlocks: Math.ceil(heapBytes / 8192),
      segmentBlocks: segmentBlocks({ heapBytes, tableBytes }),
      bytes: tableBytes,
    };
  });
}

function* tasksOf(sizes: readonly Sized[]): Generator<Task> {
  for (const sized of sizes) {
    if (sized.sql !== undefined) yield { sized, range: { first: 0, blocks: 0 } };
    for (let first = 0; first < sized.heapBlocks; first += sized.segmentBlocks)
      yield { sized, range: { first, blocks: Math.min(sized.segmentBlocks, sized.heapBlocks - first) } };
  }
}

interface Copied {
  readonly digests: ReadonlyMap<number, RowDigest>;
  readonly segments: number;
  readonly bytes: number;
}

/** Every reader takes the next segment when it is done with one; entries come out in key order. */
async function copyAll(
  job: FinishJob,
  sizes: readonly Sized[],
  add: (entry: Entry) => Promise<void>,
): Promise<Copied> {
  const digests = new Map<number, RowDigest>();
  const total = { segments: 0, bytes: 0, rows: 0, done: 0 };
  const bytesTotal = sizes.reduce((sum, one) => sum + one.bytes, 0);
  const inOrder = new InOrder<{ task: Task; segment: CopiedSegment }>(async ({ task, segment }) => {
    const { relation, heapBlocks } = task.sized;
    digests.set(relation.oid, addDigests(digests.get(relation.oid) ?? emptyDigest, segment.digest));
    total.segments += 1;
    total.rows += segment.digest.rows;
    if (segment.first + segment.blocks === heapBlocks) total.done += 1;
    await add(encodeSegment({ ...relation, ...segment, deltas: [] }));
  });
  const report = (): void =>
    job.onProgress?.({
      tablesDone: total.done,
      tablesTotal: sizes.length,
      rows: total.rows,
      bytes: total.bytes,
      bytesTotal,
    });
  const tasks = tasksOf(sizes);
  let number = 0;
  const work = async (reader: Connection): Promise<void> => {
    for (const task of tasks) {
      const mine = number++;
      await inOrder.room(mine);
      const segment = await copySegment(reader, {
        relation: task.sized.relation,
        range: task.range,
        encoding: job.facts.encoding,
        target: job,
        sql: task.sized.sql,
        onBytes: bytes => {
          total.bytes += bytes;
        },
      });
      await inOrder.put(mine, { task, segment });
      report();
    }
  };
  await allOrCut(job.readers, work, error => inOrder.fail(error));
  return { digests, segments: total.segments, bytes: total.bytes };
}

function* relationEntries(
  relations: readonly Relation[],
  known: {
    readonly sizes: readonly Sized[];
    readonly copied: Copied;
    readonly definitions: ReadonlyMap<number, Uint8Array>;
    readonly order: ReadonlyMap<number, number>;
  },
): Generator<RelationEntry> {
  const sizes = new Map(known.sizes.map(one => [one.relation.oid, one]));
  for (const relation of relations) {
    const { kind } = relation;
    if (kind === 'sequence') continue;
    const size = sizes.get(relation.oid);
    yield {
      ...relation,
      kind,
      digest: known.copied.digests.get(relation.oid) ?? emptyDigest,
      definition: known.definitions.get(relation.oid) ?? new Uint8Array(),
      segmentBlocks: size?.segmentBlocks ?? 0,
      heapBlocks: size?.heapBlocks ?? 0,
      refreshOrder: known.order.get(relation.oid) ?? null,
    };
  }
}
