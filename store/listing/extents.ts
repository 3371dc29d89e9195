import type { NodeCutParams } from '../../chunker/index.ts';
import { type ChunkSink, type ChunkSource, type Content, type Extent, inlineBytesMax } from '../content.ts';
import { storeError } from '../errors.ts';
import type { ChunkId } from '../ids.ts';
import { extentLength, extentsInPlaceMax, extentsMax, type Node, type Span } from './node.ts';
import { childrenOf, readNode } from './read-node.ts';
import { NodeTree, type TreeShape } from './tree.ts';

/** An extent inside a list: what its parent's sums need. */
const shape: TreeShape<Extent, Span> = {
  leafNode: extents => ({ kind: 'extents', level: 0, extents }),
  innerNode: (spans, level) => ({ kind: 'extents', level, spans }),
  overLeaf: (extents, node) => ({ node, length: extents.reduce((sum, e) => sum + extentLength(e), 0) }),
  overInner: (spans, node) => ({ node, length: spans.reduce((sum, s) => sum + s.length, 0) }),
  weighLeaf: extent => ({ key: cutKey(extent), weightBytes: extentWeightBytes(extent) }),
  weighInner: span => ({ key: span.node, weightBytes: 40 }),
  idOf: span => span.node,
};

/** What a cut after an extent depends on: the extent alone, so that an insertion does not move later cuts. */
function cutKey(extent: Extent): Uint8Array {
  if (extent.kind === 'inline') return extent.bytes;
  const key = Buffer.alloc(extent.kind === 'hole' ? 8 : 48);
  if (extent.kind === 'chunk') {
    key.set(extent.id);
    key.writeBigUInt64LE(BigInt(extent.offset), 32);
  }
  key.writeBigUInt64LE(BigInt(extent.length), key.length - 8);
  return key;
}

/** About the encoded size, the chunk's id included; never depends on the extent's place in a node. */
export function extentWeightBytes(extent: Extent): number {
  if (extent.kind === 'inline') return extent.bytes.length + 2;
  return extent.kind === 'hole' ? 8 : 44;
}

/**
 * Stores a sequence of extents: up to 32 stay in place, more become an extent list. Neighbours that continue each other
 * are joined and empty ones dropped, so that equal contents have equal extents.
 */
export async function storeExtents(
  sink: ChunkSink,
  params: NodeCutParams,
  extents: Iterable<Extent> | AsyncIterable<Extent>,
): Promise<Content> {
  const inPlace: Extent[] = [];
  let tree: NodeTree<Extent, Span> | undefined;
  let length = 0;
  let count = 0;
  for await (const extent of joined(extents)) {
    length += extentLength(extent);
    count += 1;
    if (count > extentsMax)
      throw storeError('STORE_WRITE_FAILED', `Cannot store content: it has more than ${extentsMax} extents`, {
        remedy: 'Leave that file out of the backup.',
      });
    if (!Number.isSafeInteger(length)) throw new RangeError('Cannot store content: longer than 2^53-1 bytes');
    if (tree !== undefined) {
      await tree.add(extent);
    } else {
      inPlace.push(extent);
      if (inPlace.length > extentsInPlaceMax) {
        tree = new NodeTree(sink, params, shape);
        for (const early of inPlace) await tree.add(early);
      }
    }
  }
  if (tree === undefined) return { length, extents: inPlace };
  return { length, list: (await tree.finish()).id };
}

async function* joined(extents: Iterable<Extent> | AsyncIterable<Extent>): AsyncGenerator<Extent> {
  let held: Extent | undefined;
  for await (const extent of extents) {
    checkExtent(extent);
    if (extentLength(extent) === 0) continue;
    const both = held === undefined ? undefined : join(held, extent);
    if (both === undefined && held !== undefined) yield held;
    held = both ?? extent;
  }
  if (held !== undefined) yield held;
}

function checkExtent(extent: Extent): void {
  const length = extentLength(extent);
  if (!Number.isSafeInteger(length) || length < 0)
    throw new RangeError(`Cannot store extent: length ${length}`);
  if (extent.kind === 'inline' && length > inlineBytesMax)
    throw new RangeError(`Cannot store extent: ${length} inline bytes, at most ${inlineBytesMax}`);
  if (extent.kind === 'chunk' && !(Number.isSafeInteger(extent.offset + length) && extent.offset >= 0))
    throw new RangeError(`Cannot store extent: offset ${extent.offset}`);
}

function join(a: Extent, b: Extent): Extent | undefined {
  if (a.kind === 'hole' && b.kind === 'hole') return { kind: 'hole', length: a.length + b.length };
  if (a.kind === 'inline' && b.kind === 'inline' && a.bytes.length + b.bytes.length <= inlineBytesMax)
    return { kind: 'inline', bytes: new Uint8Array(Buffer.concat([a.bytes, b.bytes])) };
  if (a.kind === 'chunk' && b.kind === 'chunk' && b.offset === a.offset + a.length && sameId(a.id, b.id))
    return { kind: 'chunk', id: a.id, offset: a.offset, length: a.length + b.length };
  return undefined;
}

function sameId(a: ChunkId, b: ChunkId): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The extents of a content in order, one node of a long list at a time, checked against the sums that name it. */
export async function* extentsOf(source: ChunkSource, content: Content): AsyncGenerator<Extent> {
  if ('extents' in content) {
    yield* content.extents;
    return;
  }
  let isAfterHole = false;
  let count = 0;
  for await (const extent of below(source, { node: content.list, length: content.length }, undefined)) {
    count += 1;
    if (count > extentsMax)
      throw storeError('STORE_DAMAGED', `Cannot read extent list: it has more than ${extentsMax} extents`);
    const isHole = extent.kind === 'hole';
    // Without this a few nodes, named again and again, would be as many holes as there are bytes in 2^53.
    if (isHole && isAfterHole) throw storeError('STORE_DAMAGED', 'Cannot read extent list: two holes touch');
    isAfterHole = isHole;
    yield extent;
  }
}

async function* below(source: ChunkSource, span: Span, level: number | undefined): AsyncGenerator<Extent> {
  const node = await readNode(source, span.node, { kind: 'extents', level });
  const length = lengthOf(node);
  if (length !== span.length)
    throw storeError(
      'STORE_DAMAGED',
      `Cannot read extent list: ${length} bytes, its parent says ${span.length}`,
    );
  if ('extents' in node) {
    yield* node.extents;
  } else if ('spans' in node) {
    for await (const [child, load] of childrenOf(source, node.spans)) {
      yield* below(load, child, node.level - 1);
    }
  }
}

function lengthOf(node: Node): number {
  let length = 0;
  if ('extents' in node) for (const extent of node.extents) length += extentLength(extent);
  if ('spans' in node) for (const span of node.spans) length += span.length;
  return length;
}
