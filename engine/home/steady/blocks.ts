import type { RowSequence } from '../rows/index.ts';
import type { SteadyPass } from './pass.ts';

/** Rows in blocks, each to be looked at by whoever comes first. In memory that threads share. */
export interface RowBlocks {
  readonly rowsPerBlock: number;
  readonly count: number;
  /** Where in `folders` those above each block's first row begin; one more than there are blocks. */
  readonly foldersFrom: Uint32Array;
  /** Positions, outermost first. */
  readonly folders: Uint32Array;
}

/** So long that the folders above a block, which are asked about once more for it, do not count. */
const rowsPerBlockUsual = 1024;

/** In one pass over the depths: a folder of a million files must not be searched for its begin. */
export function blocksOf(rows: RowSequence, rowsPerBlock = rowsPerBlockUsual): RowBlocks {
  const count = Math.ceil(rows.count / rowsPerBlock);
  const foldersFrom = new Uint32Array(count + 1);
  const folders: number[] = [];
  /** By depth: the newest row, which is a folder where another one is below it. */
  const newest: number[] = [];
  let position = 0;
  for (const { table, from, to } of rows.runs()) {
    const { depth } = table.parts.columns;
    for (let at = from; at < to; at++, position++) {
      if (position % rowsPerBlock === 0) {
        for (let above = 0; above < depth[at]!; above++) folders.push(newest[above]!);
        foldersFrom[position / rowsPerBlock + 1] = folders.length;
      }
      newest[depth[at]!] = position;
    }
  }
  return { rowsPerBlock, count, foldersFrom, folders: Uint32Array.from(folders) };
}

const foldersAbove = ({ foldersFrom, folders }: RowBlocks, block: number): Uint32Array =>
  folders.subarray(foldersFrom[block], foldersFrom[block + 1]);

/** What threads share while they look at the rows. */
export interface SteadyWork {
  readonly blocks: RowBlocks;
  /** Rows in all. */
  readonly count: number;
  /** By position: 1 where a row is as it was. */
  readonly marks: Uint8Array;
  /** The next block that nobody has taken, and whether to stop. */
  readonly progress: Int32Array;
}

const places = { next: 0, stopped: 1 } as const;
const rowsPerRest = 64;

/** Looks at one block after the other as long as nobody has taken them all. Yields now and then, to be able to rest. */
export function* lookAtBlocks(
  pass: SteadyPass,
  { blocks, count, progress }: SteadyWork,
): Generator<void, void> {
  const { rowsPerBlock } = blocks;
  let last = -1;
  for (;;) {
    const block = Atomics.add(progress, places.next, 1);
    if (block >= blocks.count) return;
    if (block !== last + 1) pass.enter(foldersAbove(blocks, block));
    last = block;
    const end = Math.min((block + 1) * rowsPerBlock, count);
    for (let from = block * rowsPerBlock; from < end; from += rowsPerRest) {
      if (Atomics.load(progress, places.stopped) !== 0) return;
      pass.look(from, Math.min(from + rowsPerRest, end));
      yield;
    }
  }
}

export const stopLooking = ({ progress }: SteadyWork): void => {
  Atomics.store(progress, places.stopped, 1);
};
