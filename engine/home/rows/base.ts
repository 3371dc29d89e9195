import type { ChunkClass, ChunkId, ChunkSource, ListedNode, ListingRoot } from '../../../store/index.ts';
import type { EntryFileSystem } from '../entries/entry.ts';
import type { HomeBase } from '../types.ts';
import type { EntryTable } from './table.ts';

/** Its first key is that of its first row. */
export type KnownNode = Omit<ListedNode, 'first'>;

/** A whole node of the base's listing and the row after its last one. */
export interface BaseNode {
  readonly node: KnownNode;
  readonly to: number;
}

/** What an earlier snapshot had under one root, as rows. Those that must not be trusted are untaken. */
export interface TreeBase {
  readonly listing: ListingRoot;
  readonly table: EntryTable;
  readonly fileSystems: readonly EntryFileSystem[];
  /** Fingerprint of the rules that left things out. */
  readonly rules: Uint8Array | undefined;
  /** The newest change of a trusted row, by file system. */
  readonly newestNs: readonly (bigint | undefined)[];
  /** The root folder's entry as it is stored. */
  readonly rootBody: Uint8Array;
  /** Nodes that a new listing may take over, by their first row, the largest first. */
  readonly nodes: ReadonlyMap<number, readonly BaseNode[]>;
  /** True when a new snapshot may depend on every node. */
  readonly isWhole: boolean;
  readonly source: ChunkSource;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** True when its rows were remembered, so that they need not be written again. */
  readonly isRemembered: boolean;
}

export const accessOf = (base: HomeBase): Pick<TreeBase, 'source' | 'has'> => ({
  source: base.source,
  has: (id, chunkClass) => base.has(id, chunkClass),
});
