import type { FramePlace } from '../chunk-index/chunk-index.ts';
import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import { FrameReader } from '../pack/reader.ts';
import { chunkKeyAt, chunkLengthAt, frameRowAt } from '../pack/row.ts';
import type { PackState } from './assess.ts';
import type { Copies } from './copies.ts';
import type { RepairWriting } from './writing.ts';

interface ChunkPart {
  readonly key: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/**
 * Puts what is whole in a pack and has no sound copy elsewhere into another. How many chunks that are; without `writing`
 * nothing is put.
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
  const reader = new FrameReader(context, { cacheBytesMax: 0 });
  let chunks = 0;
  for (const [place, parts] of partsOf(state, state.frail)) {
    const wanted = parts.filter(({ key }) => !copies.hasSoundCopy(key, place.chunkClass));
    if (wanted.length === 0) continue;
    signal?.throwIfAborted();
    const raw = await reader.read(place);
    for (const { offset, length } of wanted) {
      const bytes = raw.subarray(offset, offset + length);
      await writing?.put(context.idOf(bytes, place.chunkClass), bytes, place.chunkClass);
    }
    chunks += wanted.length;
  }
  return chunks;
}

/** How many chunks of some frames of a pack have a sound copy elsewhere. */
export function copiedElsewhere(
  state: PackState,
  { ordinals, copies }: { readonly ordinals: readonly number[] | 'all'; readonly copies: Copies },
): number {
  const frames = state.bad.filter(({ ordinal }) => ordinals === 'all' || ordinals.includes(ordinal));
  let chunks = 0;
  for (const [{ chunkClass }, parts] of partsOf(state, frames))
    chunks += parts.filter(({ key }) => copies.hasSoundCopy(key, chunkClass)).length;
  return chunks;
}

/** Packs that no part lists and that have the only sound copies of what is not sound where it is listed. */
export function reliedOn(packs: readonly PackState[], copies: Copies): Set<PackId> {
  const unlisted = new Set(packs.filter(({ isListed }) => !isListed).map(({ pack }) => pack));
  const needed = new Set<PackId>();
  if (unlisted.size === 0) return needed;
  for (const state of packs) {
    const { bad, unreadable, frail, restored } = state;
    for (const [{ chunkClass }, parts] of partsOf(state, [...bad, ...unreadable, ...frail, ...restored]))
      for (const { key } of parts) {
        const found = copies.soundCopies(key, chunkClass).map(({ pack }) => pack);
        if (found.every(pack => unlisted.has(pack))) for (const pack of found) needed.add(pack);
      }
  }
  return needed;
}

/** Frames with their chunks. */
function* partsOf(
  { row, frames }: PackState,
  wanted: readonly FramePlace[],
): Generator<[FramePlace, ChunkPart[]]> {
  if (row === undefined) return;
  let position = 0;
  for (const place of frames) {
    const end = position + frameRowAt(row, place.ordinal).chunks;
    const parts: ChunkPart[] = [];
    for (let offset = 0; position < end; position++) {
      const length = chunkLengthAt(row, position);
      parts.push({ key: chunkKeyAt(row, position), offset, length });
      offset += length;
    }
    if (wanted.includes(place)) yield [place, parts];
  }
}
