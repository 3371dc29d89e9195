import { decodeCbor, type Entry, encodeCbor } from '../../../../store/index.ts';
import { type RowDigest, sumBytes, sumFrom } from '../../digest.ts';
import { damaged, encodeFields, FieldReader, type FieldTable } from '../../fields.ts';
import { keyPrefix, nameFrom, type RelationName } from './entry-parts.ts';

/** What a relation is to a backup. */
export type RelationKind =
  | 'table' // rows of its own: ordinary tables and leaf partitions, logged or not
  | 'partitioned' // a parent without rows
  | 'foreign' // definition only
  | 'materialized' // definition, and whether to refresh it
  | 'sequence'
  | 'large-objects'; // pg_largeobject as a table: rows of (object, page, bytes)

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

export function decodeRelation(entry: Entry): RelationEntry {
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
