// Stand-ins until the ingest's door is open; nothing here outlives it.
import { type Cuts, RowCutter } from '../../chunker/index.ts';
import {
  type ChunkSink,
  type ChunkSource,
  type Content,
  type Extent,
  extentsOf,
  storeExtents,
} from '../../store/index.ts';

export function rowsWriter(sink: ChunkSink, cuts: Cuts) {
  const cutter = new RowCutter(cuts.rows, cuts.data);
  const extents: Extent[] = [];
  const store = async (chunks: Iterable<Uint8Array>) => {
    for (const chunk of chunks) {
      const length = chunk.length;
      extents.push({ kind: 'chunk', id: await sink.put(chunk, 'data'), offset: 0, length });
    }
  };
  return {
    write: (rows: Uint8Array): Promise<void> => store(cutter.write(rows)),
    async finish(): Promise<Content> {
      await store(cutter.finish());
      return extents.length === 0 ? { length: 0, extents: [] } : storeExtents(sink, cuts.nodes, extents);
    },
  };
}

export function contentWriter(sink: ChunkSink, cuts: Cuts) {
  return rowsWriter(sink, cuts);
}

export async function* readContent(
  source: ChunkSource,
  content: Content,
): AsyncGenerator<{ kind: 'bytes'; bytes: Uint8Array } | { kind: 'hole'; length: number }> {
  for await (const extent of extentsOf(source, content)) {
    if (extent.kind === 'hole') yield extent;
    else if (extent.kind === 'inline') yield { kind: 'bytes', bytes: extent.bytes };
    else {
      const chunk = await source.get(extent.id, 'data');
      yield { kind: 'bytes', bytes: chunk.subarray(extent.offset, extent.offset + extent.length) };
    }
  }
}

export async function contentBytes(source: ChunkSource, content: Content): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of readContent(source, content))
    if (part.kind === 'bytes') parts.push(part.bytes.slice());
  return Buffer.concat(parts);
}

export async function readLargeObjectDdl(_client: unknown): Promise<readonly string[]> {
  return [];
}
