import { type Cuts, findCut } from '../../chunker/index.ts';
import {
  type ChunkSink,
  type Content,
  type Extent,
  inlineBytesMax,
  storeExtents,
} from '../../store/index.ts';

/** Takes the bytes of one source in order and says where they are stored. */
export interface ContentWriter {
  /** Copies what it keeps: the bytes may be reused as soon as the promise has resolved. */
  write(bytes: Uint8Array): Promise<void>;
  /** A run of zeros that is not stored; length in bytes. */
  hole(length: number): Promise<void>;
  /** Cuts what is left. The writer is of no use afterwards. */
  finish(): Promise<Content>;
}

const bufferBytesFirst = 64 * 1024;

/**
 * Cuts bytes by content and stores the chunks. A source of at most 128 bytes is kept in place.
 * A cut is looked for only when a whole maximum chunk is at hand, so that every byte is scanned once.
 */
export function contentWriter(sink: ChunkSink, cuts: Cuts): ContentWriter {
  const params = cuts.data;
  const bufferBytesMax = 2 * params.maxBytes;
  const extents: Extent[] = [];
  let buffer = new Uint8Array(bufferBytesFirst);
  let from = 0;
  let to = 0;
  let total = 0;

  const makeRoom = (wanted: number): void => {
    if (to + wanted <= buffer.length) return;
    const held = to - from;
    const target =
      held + wanted <= buffer.length
        ? buffer
        : new Uint8Array(Math.min(bufferBytesMax, Math.max(buffer.length * 4, held + wanted)));
    target.set(buffer.subarray(from, to));
    buffer = target;
    from = 0;
    to = held;
  };

  const storeFirst = async (length: number): Promise<void> => {
    const id = await sink.put(buffer.subarray(from, from + length), 'data');
    extents.push({ kind: 'chunk', id, offset: 0, length });
    from += length;
  };

  const cutAll = async (final: boolean): Promise<void> => {
    while (to - from >= params.maxBytes || (final && to > from)) {
      await storeFirst(findCut(buffer.subarray(0, to), params, { final: true, from }));
    }
  };

  return {
    async write(bytes) {
      total += bytes.length;
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + params.maxBytes);
        makeRoom(part.length);
        buffer.set(part, to);
        to += part.length;
        at += part.length;
        await cutAll(false);
      }
    },
    async hole(length) {
      if (length === 0) return;
      await cutAll(true);
      total += length;
      extents.push({ kind: 'hole', length });
    },
    async finish() {
      if (extents.length === 0 && total <= inlineBytesMax) {
        const bytes = buffer.slice(from, to);
        return { length: total, extents: bytes.length === 0 ? [] : [{ kind: 'inline', bytes }] };
      }
      await cutAll(true);
      return storeExtents(sink, cuts.nodes, extents);
    },
  };
}
