import type { ChunkSource, Content, Extent } from '../content.ts';
import { storeError } from '../errors.ts';
import { hex } from '../ids.ts';
import { extentLength, type Span } from './node.ts';
import { readNode } from './read-node.ts';

/** What contents take where a file is made of blocks, and holes are of none. Neighbours that share a block may count it twice. */
export interface ContentSpace {
  /** In bytes. STORE_DAMAGED. */
  of(content: Content): number | Promise<number>;
}

/**
 * Reads each node of a list once, however often it is named: a list of some nodes can stand for 2^53 extents. Calls
 * `breathe` before each.
 */
export function contentSpace(
  source: ChunkSource,
  { blockBytes, breathe }: { readonly blockBytes: number; readonly breathe: () => Promise<void> },
): ContentSpace {
  const known = new Map<string, number>();

  async function below(
    span: Span,
    at: { readonly level: number | undefined; readonly isAtBlock: boolean },
  ): Promise<number> {
    const name = `${hex(span.node)} ${at.isAtBlock}`;
    const before = known.get(name);
    if (before !== undefined) return before;
    await breathe();
    const node = await readNode(source, span.node, { kind: 'extents', level: at.level });
    let bytes = 0;
    let length = 0;
    if ('extents' in node) {
      bytes = blocksOf(node.extents, { blockBytes, isAtBlock: at.isAtBlock }) * blockBytes;
      for (const extent of node.extents) length += extentLength(extent);
    } else if ('spans' in node) {
      for (const child of node.spans) {
        bytes += await below(child, {
          level: node.level - 1,
          isAtBlock: at.isAtBlock && length % blockBytes === 0,
        });
        length += child.length;
      }
    }
    if (length !== span.length)
      throw storeError(
        'STORE_DAMAGED',
        `Cannot read extent list: ${length} bytes, its parent says ${span.length}`,
      );
    known.set(name, bytes);
    return bytes;
  }

  return {
    of(content) {
      if ('list' in content)
        return below({ node: content.list, length: content.length }, { level: undefined, isAtBlock: true });
      return blocksOf(content.extents, { blockBytes, isAtBlock: true }) * blockBytes;
    },
  };
}

/** Blocks that runs of bytes touch; where nobody knows how far into a block they begin, as many as may be. */
function blocksOf(
  extents: readonly Extent[],
  { blockBytes, isAtBlock }: { readonly blockBytes: number; readonly isAtBlock: boolean },
): number {
  let blocks = 0;
  let offset = 0;
  let start = 0;
  const endRun = (): void => {
    if (offset === start) return;
    blocks += isAtBlock
      ? Math.ceil(offset / blockBytes) - Math.floor(start / blockBytes)
      : Math.ceil((offset - start) / blockBytes) + 1;
  };
  for (const extent of extents) {
    if (extent.kind === 'hole') endRun();
    offset += extentLength(extent);
    if (extent.kind === 'hole') start = offset;
  }
  endRun();
  return blocks;
}
