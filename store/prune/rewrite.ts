import type { ChunkIndex, FramePlace } from '../chunk-index/chunk-index.ts';
import type { LoadedIndex } from '../chunk-index/load.ts';
import { putIndexPart } from '../chunk-index/put-part.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { ChunkId, PackId, SessionId } from '../ids.ts';
import { FrameReader, readTrailer } from '../pack/reader.ts';
import {
  chunkKeyAt,
  chunkKeyBytes,
  chunkLengthAt,
  frameCount,
  frameRowAt,
  type PackRow,
  packName,
} from '../pack/row.ts';
import { PackWriter } from '../pack/writer.ts';
import type { Marked } from './mark.ts';
import { keepersOf, type RewrittenPack } from './plan.ts';
import type { IsTimeUp } from './time.ts';

export interface RewriteParts {
  readonly session: SessionId;
  readonly loaded: LoadedIndex;
  readonly marked: Marked;
  readonly packs: readonly RewrittenPack[];
  readonly isOwn?: (pack: PackId) => boolean;
  /** Rows that are to be listed in any case. */
  readonly alsoList: readonly PackRow[];
}

export interface Rewritten {
  /** Everything that is needed of them has a copy that is durable and listed. */
  readonly packs: readonly PackId[];
  /** Of which something that is needed could not be read: they stay as they are. */
  readonly unreadable: readonly PackId[];
  /** That the time did not suffice for. */
  readonly left: readonly PackId[];
  readonly writtenPacks: number;
  readonly writtenBytes: number;
}

interface CallOptions {
  readonly isTimeUp?: IsTimeUp | undefined;
  readonly onPack?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const rowsPerPartMax = 64;

/** Copies what is needed out of packs, and lists the copies: nothing may name a pack as rewritten before. */
export async function rewritePacks(
  context: StoreContext,
  { session, loaded, marked, packs, isOwn, alsoList }: RewriteParts,
  { isTimeUp, onPack, signal }: CallOptions = {},
): Promise<Rewritten> {
  const rows: PackRow[] = [...alsoList];
  let writtenPacks = 0;
  let writtenBytes = 0;
  const writer = new PackWriter(context, {
    session,
    signal,
    onPublished(row, bytes) {
      rows.push(row);
      writtenPacks += 1;
      writtenBytes += bytes;
    },
  });
  const list = async (): Promise<void> => {
    const part = rows.splice(0, rowsPerPartMax);
    const { written } = loaded;
    if (part.length > 0)
      await putIndexPart(context, { session, rows: part, replaces: [], written }, { signal });
  };
  const done: PackId[] = [];
  const unreadable: PackId[] = [];
  const left: PackId[] = [];
  try {
    for (const [i, { pack }] of packs.entries()) {
      // The last quarter is for the sweep, without which the copies have freed nothing.
      if (left.length > 0 || isTimeUp?.(0.75)) left.push(pack);
      else if (await copyPack(context, { pack, loaded, marked, isOwn, writer }, { signal })) done.push(pack);
      else unreadable.push(pack);
      if (rows.length >= rowsPerPartMax) await list();
      onPack?.(i + 1, packs.length);
    }
    await writer.flush();
    while (rows.length > 0) await list();
    await writer.settleParity();
  } finally {
    await writer.end();
  }
  return { packs: done, unreadable, left, writtenPacks, writtenBytes };
}

/** False: something could not be read. What was copied before is then a second copy, and does no harm. */
async function copyPack(
  context: StoreContext,
  {
    pack,
    loaded: { index, sizes },
    marked,
    isOwn,
    writer,
  }: {
    readonly pack: PackId;
    readonly loaded: LoadedIndex;
    readonly marked: Marked;
    readonly isOwn: RewriteParts['isOwn'];
    readonly writer: PackWriter;
  },
  { signal }: CallOptions,
): Promise<boolean> {
  try {
    const call = signal ? { signal } : {};
    const row = await readTrailer(context, { pack, bytes: sizes.get(pack) ?? 0 }, call);
    const frames = new FrameReader(context, { cacheBytesMax: 0 });
    const places = index.framesOf(pack);
    let position = 0;
    for (let ordinal = 0; ordinal < frameCount(row); ordinal++) {
      const { chunks } = frameRowAt(row, ordinal);
      const wanted = wantedOf({ index, marked, isOwn, row }, { first: position, count: chunks });
      if (wanted.length > 0) await copyFrame(context, { frames, place: places[ordinal]!, wanted, writer });
      position += chunks;
    }
    return true;
  } catch (error) {
    const isDamage =
      isStoreError(error) && (error.code === 'STORE_DAMAGED' || error.code === 'STORE_OBJECT_MISSING');
    if (!isDamage) throw error;
    return false;
  }
}

interface WantedChunk {
  readonly key: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** The chunks of a frame that are needed, and that no other pack keeps. */
function wantedOf(
  {
    index,
    marked,
    isOwn,
    row,
  }: {
    readonly index: ChunkIndex;
    readonly marked: Marked;
    readonly isOwn: RewriteParts['isOwn'];
    readonly row: PackRow;
  },
  { first, count }: { readonly first: number; readonly count: number },
): WantedChunk[] {
  const wanted: WantedChunk[] = [];
  let offset = 0;
  for (let position = first; position < first + count; position++) {
    const key = chunkKeyAt(row, position);
    const length = chunkLengthAt(row, position);
    const isKept = keepersOf(index, key, isOwn).some(({ pack }) => pack === row.pack);
    if (marked.isLive(key) && isKept) wanted.push({ key, offset, length });
    offset += length;
  }
  return wanted;
}

async function copyFrame(
  context: StoreContext,
  {
    frames,
    place,
    wanted,
    writer,
  }: {
    readonly frames: FrameReader;
    readonly place: FramePlace;
    readonly wanted: readonly WantedChunk[];
    readonly writer: PackWriter;
  },
): Promise<void> {
  const raw = await frames.read(place);
  for (const { key, offset, length } of wanted) {
    const bytes = raw.subarray(offset, offset + length);
    const id: ChunkId = context.idOf(bytes, place.chunkClass);
    if (Buffer.compare(id.subarray(0, chunkKeyBytes), key) !== 0)
      throw storeError(
        'STORE_DAMAGED',
        `Cannot copy from ${packName(place.pack)}: a chunk does not match its id`,
      );
    while (writer.isFull && !writer.has(id)) await writer.room();
    writer.check();
    if (!writer.has(id)) writer.add(id, bytes, place.chunkClass);
  }
}
