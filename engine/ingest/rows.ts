import { type Cuts, RowCutter } from '../../chunker/index.ts';
import { type ChunkSink, type Content, type Extent, storeExtents } from '../../store/index.ts';

/** Takes the rows of one segment in order and says where they are stored. */
export interface RowsWriter {
  /** Rows, each ended by '\n'; may be split anywhere. Copies what it keeps. */
  write(rows: Uint8Array): Promise<void>;
  finish(): Promise<Content>;
}

/** Cuts a stream of rows at row ends, so that a table that was not modified is found again wherever its blocks went. */
export function rowsWriter(sink: ChunkSink, cuts: Cuts): RowsWriter {
  const cutter = new RowCutter(cuts.rows, cuts.data);
  const extents: Extent[] = [];
  let total = 0;
  const store = async (chunks: Iterable<Uint8Array>) => {
    for (const chunk of chunks) {
      const length = chunk.length;
      const id = await sink.put(chunk, 'data');
      extents.push({ kind: 'chunk', id, offset: 0, length });
      total += length;
    }
  };
  return {
    write: rows => store(cutter.write(rows)),
    async finish() {
      await store(cutter.finish());
      return total === 0 ? { length: 0, extents: [] } : storeExtents(sink, cuts.nodes, extents);
    },
  };
}
