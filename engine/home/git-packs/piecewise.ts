import type { Cuts } from '../../../chunker/index.ts';
import {
  type ChunkId,
  type ChunkSink,
  type Content,
  type Extent,
  inlineBytesMax,
  storeExtents,
} from '../../../store/index.ts';
import type { Receiver } from '../system/read.ts';
import type { Piece } from './plan.ts';

/** A part of a block of own bytes, named when the block is full. */
interface OwnPart {
  readonly kind: 'part';
  readonly block: number;
  readonly offset: number;
  readonly length: number;
}

/** Takes the bytes of a pack and stores those that are its own, gathered into chunks, whatever lies between them. */
export function storingPieces(
  pieces: readonly Piece[],
  { sink, cuts }: { readonly sink: ChunkSink; readonly cuts: Cuts },
): Receiver<Content> {
  const blockBytes = cuts.data.averageBytes;
  const blocks: ChunkId[] = [];
  const parts: (Extent | OwnPart)[] = [];
  const block = new Uint8Array(blockBytes);
  let filled = 0;
  let piece = 0;
  /** Of the current piece, how much is still to come. */
  let left = pieces[0]?.length ?? 0;

  const flush = async (): Promise<void> => {
    if (filled === 0) return;
    blocks.push(await sink.put(block.subarray(0, filled), 'data'));
    filled = 0;
  };
  const keep = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + blockBytes - filled);
      block.set(part, filled);
      parts.push({ kind: 'part', block: blocks.length, offset: filled, length: part.length });
      filled += part.length;
      at += part.length;
      if (filled === blockBytes) await flush();
    }
  };
  const take = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const current = pieces[piece];
      if (current === undefined) return; // it grew meanwhile: not steady, so it is read again
      const part = bytes.subarray(at, at + left);
      if (current.kind === 'own') {
        const isSmall = current.length <= inlineBytesMax;
        if (isSmall) parts.push({ kind: 'inline', bytes: new Uint8Array(part) });
        else await keep(part);
      }
      at += part.length;
      left -= part.length;
      if (left > 0) continue;
      if (current.kind === 'stored') parts.push(current.extent);
      piece += 1;
      left = pieces[piece]?.length ?? 0;
    }
  };
  return {
    bytes: take,
    async hole(length) {
      const zeros = new Uint8Array(Math.min(length, blockBytes));
      for (let done = 0; done < length; done += zeros.length) await take(zeros.subarray(0, length - done));
    },
    async finish() {
      await flush();
      const extents = parts.map(
        (part): Extent =>
          part.kind === 'part'
            ? { kind: 'chunk', id: blocks[part.block]!, offset: part.offset, length: part.length }
            : part,
      );
      return storeExtents(sink, cuts.nodes, extents);
    },
  };
}
