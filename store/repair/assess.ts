import type { FramePlace } from '../chunk-index/chunk-index.ts';
import { readPart } from '../chunk-index/load.ts';
import { failedRead } from '../chunk-index/masks.ts';
import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { type StillpointError, storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { isFinding } from '../medium-error.ts';
import { FrameReader, readTrailer } from '../pack/reader.ts';
import { chunkKeyAt, chunkKeyBytes, chunkLengthAt, frameRowAt, type PackRow, packName } from '../pack/row.ts';
import { headerBytes, openSeal } from '../seal/index.ts';
import type { VerifiedStore } from '../verify.ts';

/** A pack that is not as it should be, after a second look. */
export interface PackState {
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  /** Undefined: it is not there. */
  readonly bytes: number | undefined;
  /** What it holds, from the index or from itself; undefined: nobody knows. */
  readonly row: PackRow | undefined;
  /** Whether it can say itself what it holds. */
  readonly isTrailerWhole: boolean;
  /** Whether an index part that can be read lists it. */
  readonly isListed: boolean;
  /** As the index has them. */
  readonly frames: readonly FramePlace[];
  /** What is whole in it and must have a copy elsewhere: nothing new may depend on it where it is. */
  readonly frail: readonly FramePlace[];
  /** Frames that do not open, or are not what they should be: by ordinal. */
  readonly bad: readonly FramePlace[];
  /** Nobody knows what it holds, and only because the medium did not give it. */
  readonly mayBeWhole: boolean;
  /** Frames that the medium did not give: they may be whole. */
  readonly unreadable: readonly FramePlace[];
  /** Frames that are not whole where they lie, and that the pack's parity gives back. */
  readonly restored: readonly FramePlace[];
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface AssessedStore extends VerifiedStore {
  readonly isReported: (object: string) => boolean;
  /** Header and trailer of every pack were read already. */
  readonly areListsRead: boolean;
  /** Packs that may go at any moment: what is whole in them must have a copy elsewhere. */
  readonly doomed: ReadonlySet<PackId>;
}

/** Looks a second time at every pack that a verification found wanting, or that no index part lists. */
export async function* assessPacks(
  context: StoreContext,
  look: AssessedStore,
  options: CallOptions,
): AsyncGenerator<PackState> {
  const { inventory, verified } = look;
  const { index, rows } = verified;
  checkAnyThere(context, look);
  const packs = new Set<PackId>([...inventory.packs.keys(), ...index.packSizes().map(({ pack }) => pack)]);
  for (const pack of packs) {
    const frames = index.framesOf(pack);
    const isSuspect =
      look.isReported(packName(pack)) ||
      look.doomed.has(pack) ||
      frames.some(({ frame }) => index.isBad(frame));
    if (!isSuspect && rows.has(pack) && look.areListsRead) continue;
    const state = await assess(context, look, { pack, frames }, options);
    if (isSuspect || !state.isListed || !state.isTrailerWhole) yield state;
  }
}

/** A medium that is not mounted has no packs, and damage that is recorded of them stays recorded. STORE_IMPLAUSIBLE. */
function checkAnyThere({ backend }: StoreContext, { inventory, verified }: AssessedStore): void {
  const { length } = verified.index.packSizes();
  if (inventory.packs.size > 0 || length === 0) return;
  throw storeError(
    'STORE_IMPLAUSIBLE',
    `Cannot repair ${backend.location}: none of the ${length} packs that its index lists is there`,
    {
      remedy:
        'Nothing was changed. Check that all of the store is there (mounts below it, permissions), or bring packs/ back from a copy. If all packs are lost, so is every snapshot: make a new store elsewhere.',
      context: { object: 'packs/' },
    },
  );
}

async function assess(
  context: StoreContext,
  { inventory, verified, doomed }: AssessedStore,
  { pack, frames }: { readonly pack: PackId; readonly frames: readonly FramePlace[] },
  options: CallOptions,
): Promise<PackState> {
  const bytes = inventory.packs.get(pack);
  const isListed = verified.rows.has(pack);
  const chunkClass = frames[0]?.chunkClass ?? 'data';
  const trailer =
    bytes === undefined
      ? undefined
      : await unlessDamaged(readTrailer(context, { pack, bytes }, callOf(options)));
  const own = isFailure(trailer) ? undefined : trailer;
  const row = own ?? (isListed ? await rowFromParts(context, { verified, pack }, options) : undefined);
  // Then a part that lists it may be whole.
  const isUnread = !isListed && failedRead(verified.problems) !== undefined;
  const state = {
    pack,
    frames,
    chunkClass: row?.chunkClass ?? chunkClass,
    bytes,
    row,
    isTrailerWhole: own !== undefined,
    mayBeWhole: row === undefined && isFailure(trailer) && (isUnread || trailer.code === 'STORE_READ_FAILED'),
    isListed,
  };
  if (bytes === undefined) await checkAbsent(context, pack, options);
  const none = { bad: [], unreadable: [], frail: [], restored: [] };
  if (bytes === undefined || row === undefined) return { ...state, ...none, bad: frames };
  const header = await unlessDamaged(readHeader(context, pack, options));
  if (isFailure(header))
    return { ...state, ...none, [header.code === 'STORE_READ_FAILED' ? 'unreadable' : 'bad']: frames };
  const isFrail = ({ ordinal }: FramePlace) =>
    own === undefined || doomed.has(pack) || verified.masks.isDamaged(pack, ordinal);
  // What is to be copied out is looked at as a whole.
  const isSuspect = (place: FramePlace) => isFrail(place) || verified.index.isBad(place.frame);
  const { bad, unreadable } = await lookAtFrames(context, { row, frames, isSuspect }, options);
  const frail = frames.filter(place => isFrail(place) && !bad.includes(place) && !unreadable.includes(place));
  return { ...state, ...none, bad, unreadable, frail };
}

/** Which of the suspect frames do not open, or have other chunks than the row says. */
export async function lookAtFrames(
  context: StoreContext,
  job: {
    readonly row: PackRow;
    readonly frames: readonly FramePlace[];
    readonly isSuspect: (place: FramePlace) => boolean;
  },
  { signal }: CallOptions,
): Promise<Pick<PackState, 'bad' | 'unreadable'>> {
  const { row, frames, isSuspect } = job;
  const reader = new FrameReader(context, { cacheBytesMax: 0 });
  const bad: FramePlace[] = [];
  const unreadable: FramePlace[] = [];
  let position = 0;
  for (const place of frames) {
    const { chunks } = frameRowAt(row, place.ordinal);
    if (isSuspect(place)) {
      signal?.throwIfAborted();
      const raw = await unlessDamaged(reader.read(place));
      if (isFailure(raw)) (raw.code === 'STORE_READ_FAILED' ? unreadable : bad).push(place);
      else if (!hasChunks(context, row, { raw, position, chunks })) bad.push(place);
    }
    position += chunks;
  }
  return { bad, unreadable };
}

function hasChunks(
  context: StoreContext,
  row: PackRow,
  { raw, position, chunks }: { readonly raw: Uint8Array; readonly position: number; readonly chunks: number },
): boolean {
  let at = 0;
  for (let chunk = position; chunk < position + chunks; chunk++) {
    const length = chunkLengthAt(row, chunk);
    const id = context.idOf(raw.subarray(at, at + length), row.chunkClass);
    if (Buffer.compare(id.subarray(0, chunkKeyBytes), chunkKeyAt(row, chunk)) !== 0) return false;
    at += length;
  }
  return true;
}

/** The row that an index part has of a pack. */
async function rowFromParts(
  context: StoreContext,
  { verified, pack }: { readonly verified: VerifiedStore['verified']; readonly pack: PackId },
  options: CallOptions,
): Promise<PackRow | undefined> {
  const name = verified.rows.get(pack)?.part;
  const part = name === undefined ? undefined : await readPart(context, name, options);
  return part !== undefined && 'rows' in part ? part.rows.find(row => row.pack === pack) : undefined;
}

/** A list that leaves out what is there must not cost it. STORE_IMPLAUSIBLE. */
async function checkAbsent({ backend }: StoreContext, pack: PackId, options: CallOptions): Promise<void> {
  const name = packName(pack);
  const answer = await unlessDamaged(backend.get(name, { ...callOf(options), offset: 0, length: 1 }));
  if (isFailure(answer) && answer.code === 'STORE_OBJECT_MISSING') return;
  if (isFailure(answer) && answer.context['errno'] === 'EISDIR') throw answer; // no list has a folder
  throw storeError(
    'STORE_IMPLAUSIBLE',
    `Cannot repair ${backend.location}: ${name} is not listed, and there`,
    {
      remedy: 'Check that the medium lists everything (mounts, permissions), and repair again.',
      context: { object: name },
    },
  );
}

async function readHeader(
  { backend, ring }: StoreContext,
  pack: PackId,
  options: CallOptions,
): Promise<void> {
  const name = packName(pack);
  const header = await backend.get(name, { ...callOf(options), offset: 0, length: headerBytes });
  openSeal(ring, header, { kind: ['data-pack', 'metadata-pack'], name });
}

function isFailure(result: unknown): result is StillpointError {
  return result instanceof Error;
}

async function unlessDamaged<T>(reading: Promise<T>): Promise<T | StillpointError> {
  try {
    return await reading;
  } catch (error) {
    if (!isFinding(error)) throw error;
    return error;
  }
}

export function callOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
