import type { RelationEntry } from '../entries/relation-entry.ts';
import { isInReach, type KnownSegment } from './advance-segment.ts';
import { type BaseSegments, type LoadedBase, mayDepend } from './base.ts';
import type { Sized } from './sizes.ts';

/** A table's rows as of an earlier view. */
export interface TableState {
  /** Rows that are not older than it are newer than the state. */
  readonly threshold: bigint;
  readonly segmentBlocks: number;
  /** By their first block, ascending. */
  segments(): AsyncIterable<KnownSegment> | Iterable<KnownSegment>;
  /** False: nothing that refers to this segment may be stored. */
  isDependable(segment: KnownSegment): Promise<boolean>;
}

/** What a state is of: the parts of a relation that its rows' bytes and places depend on. */
export type TableKey = Pick<
  RelationEntry,
  | 'schema'
  | 'name'
  | 'kind'
  | 'oid'
  | 'filenode'
  | 'definition'
  | 'columns'
  | 'condition'
  | 'loadThrough'
  | 'isUnlogged'
  | 'segmentBlocks'
>;

/** A table as a view has it. */
export interface ViewedTable extends Sized {
  /** 32 bytes, or empty: see readDefinitions. */
  readonly definition: Uint8Array;
}

/** A table whose size changed its nature is cut anew. */
const segmentBlocksFactorMax = 4;

/** Whether rows of this table, as a state with that key has them, are what they were unless their block changed. */
export function isReusable(key: TableKey, { relation, definition, ...sized }: ViewedTable): boolean {
  const ratio = key.segmentBlocks / sized.segmentBlocks;
  return (
    isAdvancing({ relation, definition, ...sized }) &&
    key.kind === relation.kind &&
    key.schema === relation.schema &&
    key.name === relation.name &&
    key.oid === relation.oid &&
    key.filenode === relation.filenode &&
    key.isUnlogged === relation.isUnlogged &&
    key.condition === null &&
    Buffer.compare(key.definition, definition) === 0 &&
    JSON.stringify(key.columns) === JSON.stringify(relation.columns) &&
    JSON.stringify(key.loadThrough) === JSON.stringify(relation.loadThrough) &&
    ratio <= segmentBlocksFactorMax &&
    ratio >= 1 / segmentBlocksFactorMax
  );
}

/** Whether a state of this table is of any use later: where it is not, all of it is read each time. */
export function isAdvancing({ relation, definition, segmentBlocks }: ViewedTable): boolean {
  return (
    relation.isHeap &&
    relation.filenode !== 0 &&
    relation.condition === null &&
    definition.length === 32 &&
    segmentBlocks > 0
  );
}

/** The state that an earlier snapshot gives; undefined: none that may be used. */
export function stateFromBase(
  loaded: LoadedBase,
  table: ViewedTable,
  view: { readonly threshold: bigint; readonly xmax: bigint; readonly segments: BaseSegments },
): TableState | undefined {
  const key = loaded.relations.get(table.relation.oid);
  if (!key) return undefined;
  const isWhole = table.signatureSql !== undefined && key.segmentBlocks === 0;
  if (!isWhole && !(isReusable(key, table) && isInReach(view.threshold, view.xmax))) return undefined;
  return {
    threshold: view.threshold,
    segmentBlocks: key.segmentBlocks,
    async *segments() {
      for await (const stored of view.segments.of(key)) yield { ...stored, isRead: false };
    },
    isDependable: ({ entry }) => mayDepend(loaded.base, entry.contents),
  };
}
