import type { FramePlace } from '../chunk-index/chunk-index.ts';
import type { FoundDamage } from '../damage.ts';
import type { PackId } from '../ids.ts';
import { isFinding } from '../medium-error.ts';
import { FrameReader } from '../pack/reader.ts';
import { frameRowAt, type PackRow, packName } from '../pack/row.ts';
import { isSwept, placesOf, verifyFrame } from './data.ts';
import { rowFromIndex } from './packs.ts';
import { callOf, type Inventory, type VerifiedIndex, type VerifyRun } from './run.ts';

export interface Confirmed {
  /** Twice the same wrong bytes, or twice not there: no passing mistake of the medium. */
  readonly damage: readonly FoundDamage[];
  /** Names of packs that were found wanting, and were whole when they were read again. */
  readonly unsteady: readonly string[];
}

/** Looks again at every pack that was found damaged, before anybody writes it down for good. */
export async function confirmDamage(
  run: VerifyRun,
  { verified, inventory }: { readonly verified: VerifiedIndex; readonly inventory: Inventory },
): Promise<Confirmed> {
  const damage: FoundDamage[] = [];
  const unsteady: string[] = [];
  const missing = verified.index.packSizes().filter(({ pack }) => !inventory.packs.has(pack));
  const listed = missing.length === 0 ? undefined : await listPacksAgain(run);
  for (const { pack } of verified.index.packSizes()) {
    if (!run.report.has(packName(pack))) continue;
    if (!inventory.packs.has(pack)) {
      if (listed?.has(pack)) unsteady.push(packName(pack));
      else if (!(await isSwept(run, pack))) damage.push({ pack, ordinals: 'all', lost: [] });
      continue;
    }
    const marked = verified.index.framesOf(pack).filter(({ frame }) => verified.index.isBad(frame));
    const fresh = marked.filter(({ ordinal }) => !verified.masks.isDamaged(pack, ordinal));
    if (fresh.length === 0) continue;
    const row = await rowFromIndex(run, verified, pack);
    if (row === undefined) continue;
    const { bad, isWell } = await readTwice(run, row, new Set(fresh.map(({ ordinal }) => ordinal)));
    if (bad.length > 0) damage.push({ pack, ordinals: bad, lost: [] });
    else if (isWell) unsteady.push(packName(pack));
  }
  return { damage, unsteady };
}

async function listPacksAgain(run: VerifyRun): Promise<ReadonlySet<string>> {
  const packs = new Set<string>();
  for await (const { name } of run.context.backend.list('packs/', callOf(run))) packs.add(name.slice(-64));
  return packs;
}

/**
 * What is recorded as damaged may have been put back since, from a copy: a frame that is whole now is as good as another for
 * this run. The record stays, and costs a second copy.
 */
export async function lookAgain(
  run: VerifyRun,
  { verified, inventory }: { readonly verified: VerifiedIndex; readonly inventory: Inventory },
): Promise<void> {
  const { index, masks } = verified;
  const recorded = index.badFrames().filter(({ pack, ordinal }) => masks.isDamaged(pack, ordinal));
  for (const pack of new Set(recorded.map(place => place.pack))) {
    const row = inventory.packs.has(pack) ? await rowFromIndex(run, verified, pack) : undefined;
    if (row === undefined) continue;
    const frames = recorded.filter(place => place.pack === pack);
    const bad = new Set(await wrongFrames(run, row, new Set(frames.map(({ ordinal }) => ordinal))));
    for (const { frame, ordinal } of frames) if (!bad.has(ordinal)) index.markGood(frame);
  }
}

/** Those of the frames that cannot be read, or not as what they should be. */
async function wrongFrames(run: VerifyRun, row: PackRow, ordinals: ReadonlySet<number>): Promise<number[]> {
  const found: number[] = [];
  for await (const { place, position } of framesAt(run, row, ordinals))
    if (!(await isWhole(run, row, { place, position, sealed: await readFrame(run, row.pack, place) })))
      found.push(place.ordinal);
  return found;
}

/** Bad are those of the frames that are not there, or are the same wrong bytes in both of two reads. */
async function readTwice(
  run: VerifyRun,
  row: PackRow,
  ordinals: ReadonlySet<number>,
): Promise<{ readonly bad: readonly number[]; readonly isWell: boolean }> {
  const bad: number[] = [];
  let well = 0;
  for await (const { place, position } of framesAt(run, row, ordinals)) {
    const one = await readFrame(run, row.pack, place);
    const other = await readFrame(run, row.pack, place);
    if (one === 'unreadable' || other === 'unreadable') continue;
    if (one === 'absent' && other === 'absent') bad.push(place.ordinal);
    if (one === 'absent' || other === 'absent' || Buffer.compare(one, other) !== 0) continue;
    const isFine = await isWhole(run, row, { place, position, sealed: one });
    if (isFine === false) bad.push(place.ordinal);
    if (isFine) well += 1;
  }
  return { bad, isWell: well === ordinals.size };
}

/** Undefined where that cannot be told: the medium failed on the way. */
async function isWhole(
  run: VerifyRun,
  row: PackRow,
  {
    place,
    position,
    sealed,
  }: { place: FramePlace; position: number; sealed: Uint8Array | 'absent' | 'unreadable' },
): Promise<boolean | undefined> {
  if (typeof sealed === 'string') return undefined;
  try {
    // A reader of its own: the pack's header is read again, too.
    const raw = await new FrameReader(run.context, { cacheBytesMax: 0 }).open(place, sealed);
    verifyFrame(run, row, { raw, position });
    return true;
  } catch (error) {
    if (!isFinding(error)) throw error;
    return error.code === 'STORE_DAMAGED' ? false : undefined;
  }
}

/** Frames with the position of their first chunk. */
async function* framesAt(
  run: VerifyRun,
  row: PackRow,
  ordinals: ReadonlySet<number>,
): AsyncGenerator<{ readonly place: FramePlace; readonly position: number }> {
  let position = 0;
  for (const place of placesOf(row)) {
    run.signal?.throwIfAborted();
    await run.breathe();
    if (ordinals.has(place.ordinal)) yield { place, position };
    position += frameRowAt(row, place.ordinal).chunks;
  }
}

async function readFrame(
  run: VerifyRun,
  pack: PackId,
  { sealedOffset, sealedBytes }: { readonly sealedOffset: number; readonly sealedBytes: number },
): Promise<Uint8Array | 'absent' | 'unreadable'> {
  try {
    const range = { offset: sealedOffset, length: sealedBytes };
    return await run.context.backend.get(packName(pack), { ...callOf(run), ...range });
  } catch (error) {
    if (!isFinding(error)) throw error;
    // Gone since it was listed: a prune may have taken it, and the next verify misses it if none did.
    return error.code === 'STORE_DAMAGED' ? 'absent' : 'unreadable';
  }
}
