import { type Cuts, Cutter } from '../../chunker/index.ts';
import {
  type ChunkSink,
  type Content,
  type Extent,
  inlineBytesMax,
  storeExtents,
} from '../../store/index.ts';

/** Takes the bytes of one source in order and says where they are stored. */
export interface ContentWriter {
  /** Where the next bytes, 1 to `wanted`, may be read into; then `write` them. Good until then. */
  room(wanted: number): Uint8Array;
  /** Copies what it keeps: the bytes may be reused as soon as the promise has resolved. */
  write(bytes: Uint8Array): Promise<void>;
  /** A run of zeros that is not stored; length in bytes. */
  hole(length: number): Promise<void>;
  /** Cuts what is left. The writer is of no use afterwards. */
  finish(): Promise<Content>;
}

/**
 * Cuts bytes by content and stores the chunks. A source of at most 128 bytes is kept in place. Each byte is copied once,
 * into the memory where it is scanned; not even that when it was read into `room`.
 */
export function contentWriter(sink: ChunkSink, cuts: Cuts): ContentWriter {
  const cutter = new Cutter(cuts.data);
  const extents: Extent[] = [];
  let room: Uint8Array | undefined;
  let total = 0;

  const storeAll = async (options?: { final: boolean }): Promise<void> => {
    for (let chunk = cutter.next(options); chunk; chunk = cutter.next(options)) {
      const { length } = chunk;
      const id = await sink.put(chunk, 'data');
      extents.push({ kind: 'chunk', id, offset: 0, length });
    }
  };

  return {
    room(wanted) {
      room = cutter.room(wanted);
      return room;
    },
    async write(bytes) {
      total += bytes.length;
      for (let at = 0; at < bytes.length; ) {
        const isInPlace = room?.buffer === bytes.buffer && room.byteOffset === bytes.byteOffset;
        const target = isInPlace ? bytes : cutter.room(bytes.length - at);
        const part = bytes.subarray(at, at + target.length);
        if (!isInPlace) target.set(part);
        room = undefined;
        cutter.took(part.length);
        at += part.length;
        await storeAll();
      }
    },
    async hole(length) {
      if (length === 0) return;
      await storeAll({ final: true });
      total += length;
      extents.push({ kind: 'hole', length });
    },
    async finish() {
      if (extents.length === 0 && total <= inlineBytesMax) {
        const bytes = cutter.next({ final: true })?.slice();
        return { length: total, extents: bytes ? [{ kind: 'inline', bytes }] : [] };
      }
      await storeAll({ final: true });
      cutter.release();
      return storeExtents(sink, cuts.nodes, extents);
    },
  };
}
