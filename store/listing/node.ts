import type { Entry, Extent } from '../content.ts';
import type { ChunkId } from '../ids.ts';

/** A child of an inner node of a listing: its last key, and the number of leaf entries below. */
export interface Branch {
  readonly key: Uint8Array;
  readonly node: ChunkId;
  readonly entries: number;
}

/** A child of an inner node of an extent list: the sum of the lengths below. */
export interface Span {
  readonly node: ChunkId;
  readonly length: number;
}

/** One node of a listing or of an extent list. Level 0 is a leaf. */
export type Node =
  | { readonly kind: 'listing'; readonly level: 0; readonly entries: readonly Entry[] }
  | { readonly kind: 'listing'; readonly level: number; readonly branches: readonly Branch[] }
  | { readonly kind: 'extents'; readonly level: 0; readonly extents: readonly Extent[] }
  | { readonly kind: 'extents'; readonly level: number; readonly spans: readonly Span[] };

export const nodeVersion = 1;
/** No node is larger; the frame that holds it is not either. */
export const nodeBytesMax = 8 * 1024 * 1024;
/** Entries, contents, extents, branches and spans of a node together: one of 8 MiB could hold millions, each an object. */
export const nodeItemsMax = 0x1_0000;
export const keyBytesMax = 0xffff;
/** 8 KiB nodes with some hundred children each: 2^64 entries need fewer levels. */
export const levelMax = 24;
/** 64 TiB in chunks of a mebibyte: some nodes, named again and again, could say many more. */
export const extentsMax = 2 ** 26;
/** A content with more extents keeps them in a list of their own. */
export const extentsInPlaceMax = 32;

export const kinds = { listing: 0, extents: 1 } as const;
export const fields = { version: 0, kind: 1, level: 2, data: 3, nodes: 4, items: 5 } as const;
export const idBytes = 32;

/** Unsigned lexicographic order. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** What nodeItemsMax counts. */
export function itemsOf(node: Node): number {
  if ('branches' in node) return node.branches.length;
  if ('spans' in node) return node.spans.length;
  if ('extents' in node) return node.extents.length;
  let items = node.entries.length;
  for (const { contents } of node.entries) {
    items += contents.length;
    for (const content of contents) if ('extents' in content) items += content.extents.length;
  }
  return items;
}

export function extentLength(extent: Extent): number {
  return extent.kind === 'inline' ? extent.bytes.length : extent.length;
}
