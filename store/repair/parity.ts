import type { Backend } from '../backend/index.ts';
import type { FramePlace } from '../chunk-index/chunk-index.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { PackId, SessionId } from '../ids.ts';
import { readTrailer } from '../pack/reader.ts';
import { type PackRow, packName } from '../pack/row.ts';
import { blockBytes, type Parity, parityOf, rebuildPack } from '../parity/code.ts';
import { parityName, parityRecord } from '../parity/record.ts';
import { isWorthParity } from '../parity/writer.ts';
import { putRecord } from '../protocol/note.ts';
import { openRecord } from '../record.ts';
import type { Inventory } from '../verify/run.ts';
import type { VerifiedStore } from '../verify.ts';
import { callOf, lookAtFrames, type PackState } from './assess.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** No pack is larger; a record that says more is not believed. */
const packBytesMax = 256 * 1024 * 1024;
const parityBytesMax = 16 * 1024 * 1024;
const pieceBytes = 16 * blockBytes;

/**
 * What of a damaged pack its parity gives back: frames that open in the rebuilt bytes and have their chunks. They are not
 * whole where they lie, so that they are copied from there.
 */
export async function withParity(
  context: StoreContext,
  { look, state }: { readonly look: VerifiedStore; readonly state: PackState },
  options: CallOptions,
): Promise<PackState> {
  const { pack, bytes, bad, unreadable, isTrailerWhole } = state;
  if (bytes === undefined || (bad.length + unreadable.length === 0 && isTrailerWhole)) return state;
  const rebuilt = await rebuiltContext(context, { pack, bytes }, options);
  if (rebuilt === undefined) return state;
  const row = state.row ?? (await rowOf(rebuilt, pack, options));
  if (row === undefined) return state;
  const { index } = look.verified;
  const isListed = state.frames.length > 0;
  if (!isListed) index.addPack(row);
  const frames = isListed ? state.frames : index.framesOf(pack);
  const wanted = isListed ? [...bad, ...unreadable] : frames;
  const ordinals = new Set(wanted.map(({ ordinal }) => ordinal));
  const isSuspect = ({ ordinal }: FramePlace) => ordinals.has(ordinal);
  const still = await lookAtFrames(rebuilt.context, { row, frames, isSuspect }, options);
  const lost = new Set([...still.bad, ...still.unreadable].map(({ ordinal }) => ordinal));
  const isLost = ({ ordinal }: FramePlace) => lost.has(ordinal);
  return {
    ...state,
    row,
    frames,
    chunkClass: row.chunkClass,
    mayBeWhole: false,
    bad: (isListed ? bad : frames).filter(isLost),
    unreadable: unreadable.filter(isLost),
    restored: wanted.filter(place => !isLost(place)),
  };
}

async function rowOf(rebuilt: Rebuilt, pack: PackId, options: CallOptions): Promise<PackRow | undefined> {
  return unlessUnusable(readTrailer(rebuilt.context, { pack, bytes: rebuilt.bytes }, callOf(options)));
}

interface Rebuilt {
  /** Reads the pack as it was, and all else as it is. */
  readonly context: StoreContext;
  readonly bytes: number;
}

/** Undefined: there is no parity, none that can be used, or nothing that it can do. */
export async function rebuiltContext(
  context: StoreContext,
  { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
  options: CallOptions,
): Promise<Rebuilt | undefined> {
  const parity = await unlessUnusable(readParity(context, pack, options));
  if (parity === undefined || parity.packBytes > packBytesMax) return undefined;
  const name = packName(pack);
  const damaged = await readInPieces(context, { name, bytes: Math.min(bytes, parity.packBytes) }, options);
  const { bytes: whole, rebuilt } = rebuildPack(parity, damaged);
  if (rebuilt === 0) return undefined;
  return { context: { ...context, backend: withObject(context.backend, name, whole) }, bytes: whole.length };
}

/** STORE_DAMAGED, STORE_OBJECT_MISSING, STORE_READ_FAILED. */
export async function readParity(
  { backend, ring }: StoreContext,
  pack: PackId,
  options: CallOptions,
): Promise<Parity> {
  const name = parityName(pack);
  const bytes = await backend.get(name, { ...callOf(options), bytesMax: parityBytesMax });
  return parityRecord.decode(openRecord(ring, bytes, { kind: 'parity', name }).fields, name);
}

/** What the medium does not give is zeros. */
async function readInPieces(
  { backend }: StoreContext,
  { name, bytes }: { readonly name: string; readonly bytes: number },
  options: CallOptions,
): Promise<Uint8Array> {
  const call = callOf(options);
  const all = await unlessUnusable(backend.get(name, { ...call, offset: 0, length: bytes }));
  if (all !== undefined) return all;
  const read = new Uint8Array(bytes);
  const take = async (from: number, to: number, step: number): Promise<void> => {
    for (let offset = from; offset < to; offset += step) {
      const length = Math.min(step, to - offset);
      const piece = await unlessUnusable(backend.get(name, { ...call, offset, length }));
      if (piece !== undefined) read.set(piece, offset);
      else if (step > blockBytes) await take(offset, offset + length, blockBytes);
    }
  };
  await take(0, bytes, pieceBytes);
  return read;
}

/** Packs that are worth parity, and have none that is known. */
export function bareOf(
  { packs, parity, damagedParity }: Inventory,
  isSound: (pack: PackId) => boolean,
): PackId[] {
  return [...packs]
    .filter(([pack, bytes]) => isWorthParity(bytes) && !parity.has(pack) && !damagedParity.has(pack))
    .map(([pack]) => pack)
    .filter(isSound);
}

/** Reads packs once more, and puts parity of each. A pack that a prune has taken has none. */
export async function addParity(
  context: StoreContext,
  { session, packs }: { readonly session: SessionId; readonly packs: readonly PackId[] },
  options: CallOptions,
): Promise<void> {
  const call = callOf(options);
  for (const pack of packs) {
    options.signal?.throwIfAborted();
    const bytes = await unlessUnusable(context.backend.get(packName(pack), call));
    if (bytes === undefined) continue;
    const place = { name: parityName(pack), kind: 'parity', codec: parityRecord, session } as const;
    await putRecord(context, { ...place, record: parityOf([bytes]) }, { ...call, sync: 'deferred' });
  }
  await context.backend.sync(call);
}

function withObject(backend: Backend, object: string, bytes: Uint8Array): Backend {
  return {
    location: backend.location,
    put: (...args) => backend.put(...args),
    sync: (...args) => backend.sync(...args),
    async get(name, options = {}) {
      if (name !== object) return backend.get(name, options);
      const { offset = 0, length = bytes.length - offset } = options;
      return bytes.slice(offset, offset + length);
    },
    list: (...args) => backend.list(...args),
    delete: (...args) => backend.delete(...args),
    close: async () => {},
  };
}

async function unlessUnusable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return undefined;
  }
}
