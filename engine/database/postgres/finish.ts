import { type Clock, hex, ListingBuilder } from '../../../store/index.ts';
import { contentWriter } from '../../ingest/index.ts';
import type { DatabaseResult, FinishOptions } from '../database.ts';
import { readLargeObjectDdl } from './catalog-ddl/index.ts';
import type { Connection } from './connection.ts';
import { type Copied, copyAll, readSizes, type Sized } from './copy-all.ts';
import type { Ddl } from './ddl.ts';
import { readDefinitionFingerprints } from './definition.ts';
import { emptyDigest } from './digest.ts';
import { encodeDefinitions, encodeRecordOfDatabase, encodeSequence } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import { largeObjectCalls, readLargeObjectIds } from './large-objects.ts';
import type { Pinned } from './pin.ts';
import { readDatabaseProperties } from './properties.ts';
import { encodeRelation, type RelationEntry } from './relation-entry.ts';
import type { ServerFacts } from './server.ts';
import { rowSettings } from './settings.ts';
import { listed, type Relation } from './tables.ts';
import { waitUntilFlushed } from './wal.ts';

export interface FinishJob extends FinishOptions {
  readonly clock: Clock;
  readonly facts: ServerFacts;
  readonly pinned: Pinned;
  readonly ddl: Ddl;
  readonly watch: Connection;
  readonly readers: readonly Connection[];
}

/** Reads everything from the pinned view into one listing. */
export async function finishCopy(job: FinishJob): Promise<DatabaseResult> {
  const { pinned, facts, ddl, readers, sink, cuts } = job;
  const flushed = waitUntilFlushed(job.watch, pinned.lsn, job);
  flushed.catch(() => {}); // awaited below, unless something else fails first
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
  const copied = await copyAll({ ...job, encoding: facts.encoding }, sizes, entry => builder.add(entry));
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
    ['globals', [properties.globals]],
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
      catalogFingerprint: pinned.fingerprint,
      ddlSource: ddl.source,
      settings: rowSettings,
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
    readBytes: copied.bytes,
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
    publishable: await flushed,
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
