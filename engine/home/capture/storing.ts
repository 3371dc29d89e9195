import type { Cuts } from '../../../chunker/index.ts';
import { type ChunkId, type ChunkSink, type Content, inlineBytesMax } from '../../../store/index.ts';
import { contentWriter } from '../../ingest/index.ts';
import type { Receiver } from '../system/read.ts';
import type { Stats } from '../system/stat.ts';
import { inlineContent } from './tree.ts';

interface Store {
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
}

/** Stores a file's bytes as they come. */
export function storing({ size }: Stats, { sink, cuts }: Store): Receiver<Content> {
  // one read and at most one chunk: nothing to cut, so no buffer to fill
  if (size <= cuts.data.minBytes) return storingWhole({ size, sink, cuts });
  const writer = contentWriter(sink, cuts);
  return {
    room: wanted => writer.room(wanted),
    bytes: bytes => writer.write(bytes),
    hole: length => writer.hole(length),
    finish: () => writer.finish(),
  };
}

/** Stores a small file's bytes; a promise only where the sink makes it wait. */
export function storeSmall(bytes: Uint8Array, { sink, cuts }: Store): Content | Promise<Content> {
  const length = bytes.length;
  if (length <= inlineBytesMax) return inlineContent(bytes);
  if (length > cuts.data.minBytes) return storeInPieces(bytes, { sink, cuts });
  const id = sink.putNow?.(bytes, 'data');
  const contentOf = (chunk: ChunkId): Content => ({
    length,
    extents: [{ kind: 'chunk', id: chunk, offset: 0, length }],
  });
  return id ? contentOf(id) : sink.put(bytes, 'data').then(contentOf);
}

async function storeInPieces(bytes: Uint8Array, { sink, cuts }: Store): Promise<Content> {
  const writer = contentWriter(sink, cuts);
  await writer.write(bytes);
  return writer.finish();
}

function storingWhole({
  size,
  sink,
  cuts,
}: {
  size: number;
  sink: ChunkSink;
  cuts: Cuts;
}): Receiver<Content> {
  let content = inlineContent(new Uint8Array(0));
  let writer: ReturnType<typeof contentWriter> | undefined;
  return {
    bytes(bytes) {
      if (writer) return writer.write(bytes);
      if (bytes.length < size || content.length > 0) {
        writer = contentWriter(sink, cuts); // in pieces: holes, or shortened meanwhile
        return writer.write(bytes);
      }
      if (size <= inlineBytesMax) {
        content = inlineContent(bytes);
        return undefined;
      }
      return sink.put(bytes, 'data').then(id => {
        content = { length: size, extents: [{ kind: 'chunk', id, offset: 0, length: size }] };
      });
    },
    hole(length) {
      writer ??= contentWriter(sink, cuts);
      return writer.hole(length);
    },
    finish: () => (writer ? writer.finish() : content),
  };
}
