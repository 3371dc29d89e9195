import type { ChunkSource } from '../../../../store/index.ts';
import type { DatabaseEstimate, TableCache } from '../../database.ts';
import { type Piece, shareOut } from '../changes/advance.ts';
import { wholeSignature } from '../changes/advance-pieces.ts';
import { changedBlocks } from '../changes/advance-segment.ts';
import type { TableState, ViewedTable } from '../changes/table-state.ts';
import type { Connection } from '../connect/connection.ts';
import { SegmentMemory } from '../rows/segment-memory.ts';

export interface EstimateJob {
  readonly source: ChunkSource;
  readonly cache?: TableCache | undefined;
  readonly readers: readonly Connection[];
  readonly tables: readonly ViewedTable[];
  readonly stateOf: (table: ViewedTable) => TableState | undefined;
}

const blockBytes = 8192;
/** Hashes are not looked at here. */
const noKey = new Uint8Array(16);

/** Counts what changed by signatures alone. */
export async function estimateCopy(job: EstimateJob): Promise<DatabaseEstimate> {
  const memory = new SegmentMemory({ ...job, digestKey: noKey });
  const total = { bytes: 0, segments: 0, changedSegments: 0 };
  const changedTables = new Set<number>();
  const change = (table: ViewedTable, bytes: number): void => {
    changedTables.add(table.relation.oid);
    total.changedSegments += 1;
    total.bytes += bytes;
  };
  await shareOut(
    job.readers,
    job.tables.map(table => ({ table, state: job.stateOf(table) })),
    {
      async work(reader, { table, pieces }, signature) {
        if (table.sql !== undefined) return [(await isUnchanged(reader, { table, pieces, memory })) ? 0 : 1];
        if (!signature) return pieces.map(({ range }) => range.blocks);
        const changed: number[] = [];
        for (const { range, known } of pieces) {
          const counts = known && (await memory.counts(known));
          if (!counts) changed.push(range.blocks);
          else changed.push(changedBlocks(known.segment, counts, { range, signature }).length);
        }
        return changed;
      },
      take({ table, pieces }, changed) {
        const bytesPerBlock = table.heapBlocks === 0 ? blockBytes : table.bytes / table.heapBlocks;
        total.segments += pieces.length;
        for (const blocks of changed) if (blocks > 0) change(table, Math.round(blocks * bytesPerBlock));
      },
    },
  );
  const { length: tables } = job.tables.filter(one => one.relation.kind === 'table');
  return { tables, changedTables: changedTables.size, ...total };
}

/** Rows without places. */
async function isUnchanged(
  reader: Connection,
  task: { readonly table: ViewedTable; readonly pieces: readonly Piece[]; readonly memory: SegmentMemory },
): Promise<boolean> {
  const known = task.pieces[0]?.known;
  if (!known || task.table.signatureSql === undefined) return false;
  return (await task.memory.signature(known)) === (await wholeSignature(reader, task.table));
}
