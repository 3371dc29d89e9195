import { type Clock, type Content, type Entry, hex } from '../../../../store/index.ts';
import { contentWriter } from '../../../ingest/index.ts';
import type { AuditDifference, FinishOptions } from '../../database.ts';
import { addDigests, emptyDigest, type RowDigest } from '../../digest.ts';
import { readLargeObjectIds, withLargeObjects } from '../catalog/large-objects.ts';
import type { Relation } from '../catalog/relations.ts';
import { listed } from '../catalog/rights.ts';
import type { ServerFacts } from '../catalog/server.ts';
import { advanceTables } from '../changes/advance.ts';
import type { LoadedBase } from '../changes/base.ts';
import type { TableState, ViewedTable } from '../changes/table-state.ts';
import type { Connection } from '../connect/connection.ts';
import { rowSettings } from '../connect/settings.ts';
import { readLargeObjectDdl } from '../definitions/catalog-ddl/index.ts';
import { type DatabaseProperties, readDatabaseProperties } from '../definitions/properties.ts';
import { encodeDefinitions, encodeRecordOfDatabase, encodeSequence } from '../entries/entry.ts';
import { inKeyOrder } from '../entries/entry-parts.ts';
import { encodeRelation } from '../entries/relation-entry.ts';
import type { PostgresResult } from '../types.ts';
import type { Pinned } from './pin.ts';
import type { PreparedDdl } from './prepare.ts';
import { storeListing } from './store-listing.ts';
import { tablesOfOtherTypes, typesChanged, viewTables } from './view.ts';
import { waitUntilFlushed } from './wal.ts';

export interface FinishJob extends FinishOptions {
  readonly clock: Clock;
  readonly facts: ServerFacts;
  readonly pinned: Pinned;
  readonly ddl: PreparedDdl;
  readonly fingerprintSql: string;
  readonly watch: Connection;
  readonly readers: readonly Connection[];
  readonly loaded: LoadedBase | undefined;
  /** What is known of a table's rows; undefined: all of them are read. */
  readonly stateOf: (table: ViewedTable) => TableState | undefined;
}

/** What is stored of one table. */
interface TableRows {
  readonly entries: Entry[];
  digest: RowDigest;
  /** Where its last segment ends. */
  blocks: number;
  segmentBlocks: number;
}

/** Brings everything up to the pinned view, into one listing; the base's own where nothing changed. */
export async function finishCopy(job: FinishJob): Promise<PostgresResult> {
  const { pinned, facts, ddl, readers } = job;
  const flushed = waitUntilFlushed(job.watch, pinned.lsn, job);
  flushed.catch(() => {}); // awaited below, unless something else fails first
  const reader = readers[0]!;
  const objects = await readLargeObjectIds(reader);
  const { source, relations } = withLargeObjects(pinned.relations, objects);
  const { fingerprint } = pinned;
  const tables = await viewTables(reader, { ...job, relations, fingerprint, encoding: facts.encoding });
  const properties = await readDatabaseProperties(reader, facts);

  const rows = new Map<number, TableRows>();
  const counts = { segments: 0, changed: 0, bytes: 0 };
  const states = tables.map(table => ({ table, state: job.stateOf(table) }));
  for (const { table, state } of states)
    rows.set(table.relation.oid, {
      ...{ entries: [], digest: emptyDigest, blocks: 0 },
      segmentBlocks: state?.segmentBlocks ?? table.segmentBlocks,
    });
  const read = await advanceTables(
    {
      ...job,
      encoding: facts.encoding,
      xmax: pinned.xmax,
      onSegment: ({ relation }, { segment, entry, isRead }) => {
        const one = rows.get(relation.oid)!;
        one.entries.push(entry);
        one.digest = addDigests(one.digest, segment.digest);
        one.blocks = segment.first + segment.blocks;
        counts.segments += 1;
        if (isRead) counts.changed += 1;
        counts.bytes += segment.deltas.reduce((sum, delta) => sum + delta.rows.length, segment.rows.length);
      },
    },
    states,
  );
  const changed = await tablesOfOtherTypes({ watch: job.watch, reader }, { ...job, tables });
  if (changed.length > 0) throw typesChanged(changed);

  const ownersOfObjects = source === null ? [] : await readLargeObjectDdl(reader.client);
  const root = await storeListing(job, [
    ...tables.flatMap(({ relation }) => rows.get(relation.oid)!.entries),
    ...relationEntries(inKeyOrder(relations), { tables, rows, order: properties.refreshOrder }),
    ...inKeyOrder(pinned.sequences).map(encodeSequence),
    ...(await definitionEntries(job, [
      ['globals', properties.globals],
      ['large-objects', objects.sql.length === 0 ? undefined : objects.sql.join('\0')],
      ['large-objects-owners', ownersOfObjects.length === 0 ? undefined : ownersOfObjects.join('\0')],
      ['post-data', ddl.postData],
      ['pre-data', ddl.preData],
    ])),
    encodeRecordOfDatabase({
      type: 'postgresql',
      ...facts,
      catalogFingerprint: fingerprint,
      ddlSource: ddl.source,
      settings: rowSettings,
      ...properties,
      largeObjectSource: source,
    }),
  ]);
  const kept = relations.filter(one => one.kind === 'table');
  return {
    type: 'postgresql',
    root,
    database: facts.database,
    tables: kept.length,
    rows: kept.reduce((sum, one) => sum + (rows.get(one.oid)?.digest.rows ?? 0), 0),
    segments: counts.segments,
    changedSegments: counts.changed,
    bytes: counts.bytes,
    readBytes: read.bytes,
    largeObjects: objects.count,
    serverVersion: facts.serverVersion,
    systemIdentifier: String(facts.systemIdentifier),
    timeline: facts.timeline,
    exportedSnapshot: pinned.exportedSnapshot,
    lsn: pinned.lsn,
    xmin: pinned.xmin,
    xmax: pinned.xmax,
    catalogFingerprint: hex(fingerprint),
    ddlSource: ddl.source,
    publishable: await flushed,
    audit: job.audits ? { rows: read.audited, differences: byTable(read.differences) } : null,
    warnings: warningsOf(job, relations),
  };
}

/** Segments of a table together. */
function byTable(found: readonly AuditDifference[]): AuditDifference[] {
  const tables = new Map<string, AuditDifference>();
  for (const { table, rows, places } of found) {
    const before = tables.get(table);
    tables.set(table, {
      table,
      rows: rows + (before?.rows ?? 0),
      places: [...(before?.places ?? []), ...places].slice(0, 5),
    });
  }
  return [...tables.values()];
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

async function definitionEntries(
  job: FinishJob,
  sections: readonly (readonly [string, string | Content | undefined])[],
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const [section, sql] of sections) {
    if (sql === undefined) continue;
    if (typeof sql !== 'string') {
      entries.push(encodeDefinitions({ section, sql }));
      continue;
    }
    const writer = contentWriter(job.sink, job.cuts);
    await writer.write(Buffer.from(sql, 'utf8'));
    entries.push(encodeDefinitions({ section, sql: await writer.finish() }));
  }
  return entries;
}

function* relationEntries(
  relations: readonly Relation[],
  known: {
    readonly tables: readonly ViewedTable[];
    readonly rows: ReadonlyMap<number, TableRows>;
    readonly order: DatabaseProperties['refreshOrder'];
  },
): Generator<Entry> {
  const tables = new Map(known.tables.map(one => [one.relation.oid, one]));
  for (const relation of relations) {
    const { kind, oid } = relation;
    if (kind === 'sequence') continue;
    const rows = known.rows.get(oid);
    yield encodeRelation({
      ...relation,
      kind,
      digest: rows?.digest ?? emptyDigest,
      definition: tables.get(oid)?.definition ?? new Uint8Array(),
      segmentBlocks: rows?.segmentBlocks ?? 0,
      heapBlocks: rows?.blocks ?? 0,
      refreshOrder: known.order.get(oid) ?? null,
    });
  }
}
