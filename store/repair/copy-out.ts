import type { StoreContext } from '../context.ts';
import { FrameReader } from '../pack/reader.ts';
import { chunkKeyAt, chunkLengthAt, frameRowAt } from '../pack/row.ts';
import type { PackState } from './assess.ts';
import type { Copies } from './copies.ts';
import type { RepairWriting } from './writing.ts';

/** Whether a pack is there and cannot say itself what it holds, while the index can. */
export function copiesOutOf({ bytes, row, isTrailerWhole, isListed }: PackState): boolean {
  return bytes !== undefined && row !== undefined && !isTrailerWhole && isListed;
}

/**
 * Puts what is whole in a pack into another, unless another sound pack has it. How many chunks that are; without
 * `writing` nothing is put.
 */
export async function copyOut(
  context: StoreContext,
  {
    state,
    copies,
    writing,
  }: { readonly state: PackState; readonly copies: Copies; readonly writing: RepairWriting | undefined },
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const row = state.row!;
  const skipped = new Set([...state.bad, ...state.unreadable].map(({ ordinal }) => ordinal));
  const reader = new FrameReader(context, { cacheBytesMax: 0 });
  let chunks = 0;
  let position = 0;
  for (const place of state.frames) {
    const end = position + frameRowAt(row, place.ordinal).chunks;
    const wanted: { offset: number; length: number }[] = [];
    for (let offset = 0; position < end; position++) {
      const length = chunkLengthAt(row, position);
      if (!copies.hasSoundCopy(chunkKeyAt(row, position), place)) wanted.push({ offset, length });
      offset += length;
    }
    if (skipped.has(place.ordinal) || wanted.length === 0) continue;
    signal?.throwIfAborted();
    const raw = await reader.read(place);
    for (const { offset, length } of wanted) {
      const bytes = raw.subarray(offset, offset + length);
      await writing?.put(context.idOf(bytes, place.chunkClass), bytes, place.chunkClass);
      chunks += 1;
    }
  }
  return chunks;
}
