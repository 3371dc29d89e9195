import { type Content, decodeCbor, type Entry, encodeCbor, storeError } from '../../../store/index.ts';
import type { RowDigest } from './digest.ts';
import { type DatabaseRecord, decodeFacts, encodeFacts } from './facts-entry.ts';
import { encodeFields, FieldReader, type FieldTable } from './fields.ts';
import type { SequenceValue } from './sequences.ts';
import type { RelationKind } from './tables.ts';

/** The first byte of a key; the order of the kinds is the order in which a backup learns them. */
const entryKinds = { segment: 1, relation: 2, sequence: 3, definitions: 4, facts: 5 } as const;
export type EntryKind = keyof typeof entryKinds;

export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** What changed in a segment since an earlier state of it. */
export interface SegmentDelta {
  /** Of the state that the delta is against; rows with an older xmin are in that state or an earlier delta. */
  readonly baseXmin: bigint;
  /** Blocks that it touched: so many records has `live`. */
  readonly blocks: number;
  readonly rowCount: number;
  readonly rows: Content;
  readonly ctids: Content;
  readonly live: Content;
}

/** Rows of one block range of a table. */
export interface SegmentEntry extends RelationName {
  readonly first: number;
  readonly blocks: number;
  /** Of the rows that it stands for: those of the base and the deltas that are still live. */
  readonly digest: RowDigest;
  readonly rows: Content;
  readonly ctids: Content;
  /** Oldest first. */
  readonly deltas: readonly SegmentDelta[];
}

/** A relation at the pin; rows and digest are those of all its segments. */
export interface RelationEntry extends RelationName {
  readonly kind: Exclude<RelationKind, 'sequence'>;
  readonly oid: number;
  readonly columns: readonly string[];
  readonly digest: RowDigest;
  readonly filenode: number;
  /** 32 bytes: equal means that equal stored rows read as equal values. Empty where there are no rows. */
  readonly definition: Uint8Array;
  readonly segmentBlocks: number;
  readonly heapBlocks: number;
  readonly isUnlogged: boolean;
  readonly isPopulated: boolean;
  readonly condition: string | null;
  readonly loadThrough: RelationName | null;
  /** Of materialized views: refresh in ascending order. */
  readonly refreshOrder: number | null;
}

/** `pre-data`, `post-data`, `large-objects`: SQL that makes what the rows go into, and what follows them. */
export interface DefinitionsEntry {
  readonly section: string;
  readonly sql: Content;
}

export type DatabaseEntry =
  | ({ readonly entry: 'segment' } & SegmentEntry)
  | ({ readonly entry: 'relation' } & RelationEntry)
  | ({ readonly entry: 'sequence' } & SequenceValue)
  | ({ readonly entry: 'definitions' } & DefinitionsEntry)
  | ({ readonly entry: 'facts' } & DatabaseRecord);

/** The prefix of all keys of a kind; with a relation's name: of all that belong to it. */
export function keyPrefix(kind: EntryKind, relation?: RelationName): Uint8Array {
  const name = relation ? `${relation.schema}\0${relation.name}\0` : '';
  return Buffer.concat([Uint8Array.of(entryKinds[kind]), Buffer.from(name, 'utf8')]);
}

export function segmentKey(segment: RelationName & { readonly first: number }): Uint8Array {
  const first = Buffer.alloc(4);
  first.writeUInt32BE(segment.first); // big-endian, so that keys sort by block
  return Buffer.concat([keyPrefix('segment', segment), first]);
}

const segmentFields: FieldTable<'blocks' | 'rowCount' | 'digest' | 'deltas'> = {
  blocks: 0,
  rowCount: 1,
  digest: 2,
  deltas: 3,
};
const deltaFields: FieldTable<'baseXmin' | 'blocks' | 'rowCount'> = { baseXmin: 0, blocks: 1, rowCount: 2 };

export function encodeSegment(segment: SegmentEntry): Entry {
  return {
    key: segmentKey(segment),
    body: encodeCbor(
      encodeFields(segmentFields, {
        blocks: segment.blocks,
        rowCount: segment.digest.rows,
        digest: sumBytes(segment.digest.sum),
        deltas: segment.deltas.map(delta =>
          encodeFields(deltaFields, {
            baseXmin: delta.baseXmin,
            blocks: delta.blocks,
            rowCount: delta.rowCount,
          }),
        ),
      }),
    ),
    contents: [
      segment.rows,
      segment.ctids,
      ...segment.deltas.flatMap(one => [one.rows, one.ctids, one.live]),
    ],
  };
}

function decodeSegment(entry: Entry): SegmentEntry {
  const at = entry.key.length - 4;
  const name = nameFrom(entry.key.subarray(1, Math.max(1, at)));
  const what = `segment of ${name.schema}.${name.name}`;
  const fields = new FieldReader(segmentFields, decodeCbor(entry.body, { what }), what);
  const [rows, ctids, ...rest] = entry.contents;
  const deltas = fields.list('deltas');
  if (!rows || !ctids || rest.length !== 3 * deltas.length) throw damaged(what, 'contents do not match');
  return {
    ...name,
    first: new DataView(entry.key.buffer, entry.key.byteOffset + at, 4).getUint32(0),
    blocks: fields.number('blocks'),
    digest: { rows: fields.number('rowCount'), sum: sumFrom(fields.bytes('digest'), what) },
    rows,
    ctids,
    deltas: deltas.map((value, i) => {
      const delta = new FieldReader(deltaFields, value, what);
      return {
        baseXmin: delta.bigint('baseXmin'),
        blocks: delta.number('blocks'),
        rowCount: delta.number('rowCount'),
        rows: rest[3 * i]!,
        ctids: rest[3 * i + 1]!,
        live: rest[3 * i + 2]!,
      };
    }),
  };
}

const relationKinds: Readonly<Record<RelationEntry['kind'], number>> = {
  table: 0,
  partitioned: 1,
  foreign: 2,
  materialized: 3,
  'large-objects': 4,
};

const relationFields: FieldTable<
  Exclude<keyof RelationEntry, keyof RelationName | 'digest'> | 'rowCount' | 'sum'
> = {
  kind: 0,
  oid: 1,
  columns: 2,
  rowCount: 3,
  sum: 4,
  filenode: 5,
  definition: 6,
  segmentBlocks: 7,
  heapBlocks: 8,
  isUnlogged: 9,
  isPopulated: 10,
  condition: 11,
  loadThrough: 12,
  refreshOrder: 13,
};

export function encodeRelation(relation: RelationEntry): Entry {
  const { loadThrough } = relation;
  return {
    key: keyPrefix('relation', relation),
    body: encodeCbor(
      encodeFields(relationFields, {
        kind: relationKinds[relation.kind],
        oid: relation.oid,
        columns: relation.columns,
        rowCount: relation.digest.rows,
        sum: sumBytes(relation.digest.sum),
        filenode: relation.filenode,
        definition: relation.definition,
        segmentBlocks: relation.segmentBlocks,
        heapBlocks: relation.heapBlocks,
        isUnlogged: relation.isUnlogged,
        isPopulated: relation.isPopulated,
        condition: relation.condition,
        loadThrough: loadThrough && [loadThrough.schema, loadThrough.name],
        refreshOrder: relation.refreshOrder,
      }),
    ),
    contents: [],
  };
}

function decodeRelation(entry: Entry): RelationEntry {
  const name = nameFrom(entry.key.subarray(1));
  const what = `table ${name.schema}.${name.name}`;
  const fields = new FieldReader(relationFields, decodeCbor(entry.body, { what }), what);
  const code = fields.number('kind');
  const kind = (Object.keys(relationKinds) as RelationEntry['kind'][]).find(
    one => relationKinds[one] === code,
  );
  if (!kind) throw damaged(what, `kind ${code} is unknown`);
  const through = fields.texts('loadThrough');
  return {
    ...name,
    kind,
    oid: fields.number('oid'),
    columns: fields.texts('columns'),
    digest: { rows: fields.number('rowCount'), sum: sumFrom(fields.bytes('sum'), what) },
    filenode: fields.number('filenode'),
    definition: fields.bytes('definition'),
    segmentBlocks: fields.number('segmentBlocks'),
    heapBlocks: fields.number('heapBlocks'),
    isUnlogged: fields.boolean('isUnlogged'),
    isPopulated: fields.boolean('isPopulated'),
    condition: fields.textOrNull('condition'),
    loadThrough: through.length === 2 ? { schema: through[0]!, name: through[1]! } : null,
    refreshOrder: fields.numberOrNull('refreshOrder'),
  };
}

const sequenceFields: FieldTable<'lastValue' | 'isCalled'> = { lastValue: 0, isCalled: 1 };

export function encodeSequence(sequence: SequenceValue): Entry {
  const { lastValue, isCalled } = sequence;
  return {
    key: keyPrefix('sequence', sequence),
    body: encodeCbor(encodeFields(sequenceFields, { lastValue, isCalled })),
    contents: [],
  };
}

function decodeSequence(entry: Entry): SequenceValue {
  const name = nameFrom(entry.key.subarray(1));
  const what = `sequence ${name.schema}.${name.name}`;
  const fields = new FieldReader(sequenceFields, decodeCbor(entry.body, { what }), what);
  return { ...name, lastValue: fields.bigint('lastValue'), isCalled: fields.boolean('isCalled') };
}

export function encodeDefinitions({ section, sql }: DefinitionsEntry): Entry {
  const key = Buffer.concat([keyPrefix('definitions'), Buffer.from(section, 'utf8')]);
  return { key, body: encodeCbor(new Map()), contents: [sql] };
}

function decodeDefinitions(entry: Entry): DefinitionsEntry {
  const section = textFrom(entry.key.subarray(1));
  const [sql] = entry.contents;
  if (!sql) throw damaged(`definitions ${section}`, 'there is no content');
  return { section, sql };
}

export function encodeRecordOfDatabase(record: DatabaseRecord): Entry {
  return { key: keyPrefix('facts'), body: encodeCbor(encodeFacts(record)), contents: [] };
}

/** Reads an entry of a database's listing. STORE_DAMAGED; STORE_NEWER for a kind that this program does not know. */
export function decodeEntry(entry: Entry): DatabaseEntry {
  switch (entry.key[0]) {
    case entryKinds.segment:
      return { entry: 'segment', ...decodeSegment(entry) };
    case entryKinds.relation:
      return { entry: 'relation', ...decodeRelation(entry) };
    case entryKinds.sequence:
      return { entry: 'sequence', ...decodeSequence(entry) };
    case entryKinds.definitions:
      return { entry: 'definitions', ...decodeDefinitions(entry) };
    case entryKinds.facts:
      return { entry: 'facts', ...decodeFacts(decodeCbor(entry.body, { what: 'facts of the database' })) };
    default:
      throw storeError(
        'STORE_NEWER',
        `Cannot read the database's listing: entry kind ${entry.key[0]} is unknown`,
        {
          remedy: 'Use a newer version of this program.',
        },
      );
  }
}

/** What an entry is, for a person: `table public.comment, blocks 0–1023`. */
export function describeDatabaseEntry(entry: Entry): string {
  const one = decodeEntry(entry);
  switch (one.entry) {
    case 'segment':
      return one.schema === 'pg_catalog' && one.name === 'pg_largeobject'
        ? 'large objects'
        : `table ${one.schema}.${one.name}, blocks ${one.first}–${one.first + one.blocks - 1}`;
    case 'relation':
      return describeRelation(one);
    case 'sequence':
      return `sequence ${one.schema}.${one.name}`;
    case 'definitions':
      return `definitions (${one.section})`;
    case 'facts':
      return 'facts of the database';
    default:
      return one satisfies never;
  }
}

function describeRelation(relation: RelationEntry): string {
  const name = `${relation.schema}.${relation.name}`;
  switch (relation.kind) {
    case 'materialized':
      return `materialized view ${name}`;
    case 'foreign':
      return `foreign table ${name}`;
    case 'large-objects':
      return 'large objects';
    case 'table':
    case 'partitioned':
      return `table ${name}`;
    default:
      return relation.kind satisfies never;
  }
}

/** `schema NUL name NUL`. */
function nameFrom(bytes: Uint8Array): RelationName {
  const [schema, name, rest, ...more] = textFrom(bytes).split('\0');
  if (schema === undefined || name === undefined || rest !== '' || more.length > 0)
    throw damaged('an entry of the database', 'its key is no name');
  return { schema, name };
}

function textFrom(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw storeError('STORE_DAMAGED', 'Cannot read an entry of the database: its key is no text', { cause });
  }
}

function sumBytes(sum: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, sum, true);
  return bytes;
}

function sumFrom(bytes: Uint8Array, what: string): bigint {
  if (bytes.length !== 8) throw damaged(what, `digest of ${bytes.length} bytes`);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

function damaged(what: string, found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${what}: ${found}`);
}
