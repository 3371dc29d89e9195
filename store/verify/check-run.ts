import type { ChunkClass } from '../content.ts';
import { chunkKeyBytes, chunkRowBytes, viewOf } from '../pack/row.ts';
import type { RunOpener, SealedRun } from '../pack/run.ts';

/** Neighbouring frames, and what their pack says they hold. */
export interface CheckJob {
  readonly run: SealedRun;
  readonly chunkClass: ChunkClass;
  /** How many chunks each frame has. */
  readonly counts: readonly number[];
  /** Their rows, one after the other. */
  readonly rows: Uint8Array;
}

export interface CheckAnswer {
  /** Places in the run of frames that are not what they should be. */
  readonly bad: readonly number[];
  /** The bytes that were looked at, where something is bad. */
  readonly bytes: Uint8Array | undefined;
}

/** Opens frames and compares each chunk with its id. */
export function checkRun({ run, chunkClass, counts, rows }: CheckJob, opener: RunOpener): CheckAnswer {
  const bad: number[] = [];
  let row = 0;
  for (const [i, frame] of run.frames.entries()) {
    const end = row + counts[i]! * chunkRowBytes;
    try {
      const raw = opener.open(run, frame);
      if (!hasChunks(raw, rows.subarray(row, end), { chunkClass, opener })) bad.push(i);
    } catch {
      bad.push(i); // who asked looks again and hears why
    }
    row = end;
  }
  return { bad, bytes: bad.length > 0 ? run.bytes : undefined };
}

function hasChunks(
  raw: Uint8Array,
  rows: Uint8Array,
  { chunkClass, opener }: { readonly chunkClass: ChunkClass; readonly opener: RunOpener },
): boolean {
  const view = viewOf(rows);
  let at = 0;
  for (let row = 0; row < rows.length; row += chunkRowBytes) {
    const length = view.getUint32(row + chunkKeyBytes, true);
    const id = opener.idOf(raw.subarray(at, at + length), chunkClass);
    if (Buffer.compare(id.subarray(0, chunkKeyBytes), rows.subarray(row, row + chunkKeyBytes)) !== 0)
      return false;
    at += length;
  }
  return at === raw.length;
}
