import type { ChunkSource, Content, Entry, Extent, ListingRoot } from '../content.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { ChunkId } from '../ids.ts';
import { extentLength, extentsMax } from '../listing/node.ts';
import { type Promised, promisedBy, readPromised } from '../listing/read.ts';
import { readNode } from '../listing/read-node.ts';

/** A node of a listing that is lost with all that is below it. */
export interface ListingGap {
  readonly node: ChunkId;
  /** How many were below it. */
  readonly entries: number;
  /** The last key before it; undefined at the beginning. */
  readonly after: Uint8Array | undefined;
  /** The last key of what is lost; undefined where nothing says it: all to the end. */
  readonly upTo: Uint8Array | undefined;
}

/** Bytes of a content of which nobody can say where they are: a node of its list is lost. */
export interface ExtentGap {
  readonly kind: 'gap';
  readonly node: ChunkId;
  readonly length: number;
}

/**
 * Reads what is left of a listing, in order: its entries, and a gap for each node that is lost. A node that the medium
 * fails to read is no gap: STORE_READ_FAILED.
 */
export async function* salvageListing(
  source: ChunkSource,
  root: ListingRoot,
): AsyncGenerator<{ readonly entry: Entry } | { readonly gap: ListingGap }> {
  const place: { after: Uint8Array | undefined } = { after: undefined };
  yield* salvageBelow(source, promisedBy(root), place);
}

async function* salvageBelow(
  source: ChunkSource,
  promised: Promised,
  place: { after: Uint8Array | undefined },
): AsyncGenerator<{ readonly entry: Entry } | { readonly gap: ListingGap }> {
  const node = await unlessLost(() => readPromised(source, promised));
  if (node === undefined) {
    const { node: id, entries, key } = promised;
    yield { gap: { node: id, entries, after: place.after, upTo: key } };
    if (key !== undefined) place.after = key;
  } else if ('entries' in node) {
    for (const entry of node.entries) {
      yield { entry };
      place.after = entry.key;
    }
  } else if ('branches' in node) {
    for (const branch of node.branches)
      yield* salvageBelow(source, { ...branch, level: node.level - 1 }, place);
  }
}

/** The extents of a content in order, and a gap for each node of a long list that is lost. STORE_READ_FAILED. */
export async function* salvageExtents(
  source: ChunkSource,
  content: Content,
): AsyncGenerator<Extent | ExtentGap> {
  if ('extents' in content) yield* content.extents;
  else {
    let count = 0;
    for await (const extent of extentsBelow(source, {
      node: content.list,
      length: content.length,
      level: undefined,
    })) {
      count += 1;
      if (count > extentsMax)
        throw storeError('STORE_DAMAGED', `Cannot read extent list: it has more than ${extentsMax} extents`);
      yield extent;
    }
  }
}

async function* extentsBelow(
  source: ChunkSource,
  promised: { readonly node: ChunkId; readonly length: number; readonly level: number | undefined },
): AsyncGenerator<Extent | ExtentGap> {
  const node = await unlessLost(() =>
    readNode(source, promised.node, { kind: 'extents', level: promised.level }),
  );
  const gap = { kind: 'gap', node: promised.node, length: promised.length } as const;
  if (node === undefined) yield gap;
  else if ('extents' in node) {
    const length = node.extents.reduce((sum, extent) => sum + extentLength(extent), 0);
    if (length === promised.length) yield* node.extents;
    else yield gap;
  } else if ('spans' in node) {
    for (const span of node.spans) yield* extentsBelow(source, { ...span, level: node.level - 1 });
  }
}

async function unlessLost<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isStoreError(error) && (error.code === 'STORE_DAMAGED' || error.code === 'STORE_OBJECT_MISSING'))
      return undefined;
    throw error;
  }
}
