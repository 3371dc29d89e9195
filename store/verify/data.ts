import type { ChunkIndex, FramePlace } from '../chunk-index/chunk-index.ts';
import type { ChunkClass } from '../content.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { isFinding } from '../medium-error.ts';
import { FrameReader, readTrailer } from '../pack/reader.ts';
import {
  chunkKeyAt,
  chunkKeyBytes,
  chunkLengthAt,
  frameCount,
  frameRowAt,
  framesBytesOf,
  framesStartBytes,
  type PackRow,
  packName,
} from '../pack/row.ts';
import { readGenerations } from '../protocol/generations.ts';
import { rowFromIndex } from './packs.ts';
import { ParityCheck } from './parity.ts';
import { callOf, type VerifiedIndex, type VerifyRun } from './run.ts';

const readBytes = 4 * 1024 * 1024;

export interface PlannedPack {
  readonly pack: PackId;
  readonly bytes: number;
  readonly readMs: number | null;
}

/**
 * Reads every byte of packs again: opens each frame, and hashes each chunk. Ends when the time is over, but not before one
 * pack was read: so a small budget comes to an end, too, some day.
 */
export async function verifyData(
  run: VerifyRun,
  verified: VerifiedIndex,
  { packs, parity }: { readonly packs: readonly PlannedPack[]; readonly parity: ReadonlySet<PackId> },
): Promise<void> {
  const total = packs.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const { pack, bytes } of packs) {
    if (done > 0 && run.budget.isSpent()) return;
    const row = await rowOf(run, verified, { pack, bytes });
    const check = parity.has(pack) ? await ParityCheck.open(run, { pack, bytes }) : undefined;
    const isWhole =
      row !== undefined && (await verifyPack(run, verified.index, { row: row.row, check })) && row.isWhole;
    if (isWhole) check?.conclude();
    if (isWhole) await run.notes.read(pack);
    done += bytes;
    run.progress('data', done, total);
  }
}

/** Undefined: nobody can say what the pack holds, which was reported; or a prune took it. */
async function rowOf(
  run: VerifyRun,
  verified: VerifiedIndex,
  { pack, bytes }: { pack: PackId; bytes: number },
): Promise<{ readonly row: PackRow; readonly isWhole: boolean } | undefined> {
  try {
    const row = await readTrailer(run.context, { pack, bytes }, callOf(run));
    run.counts.bytesRead += bytes - framesBytesOf(row);
    return { row, isWhole: true };
  } catch (error) {
    if (!isFinding(error)) throw error;
    if (error.code === 'STORE_OBJECT_MISSING' && (await isSwept(run, pack))) return undefined;
    report(run, { pack, chunkClass: classOf(verified, pack) }, error);
    verified.brokenLists.add(pack);
    const row = await rowFromIndex(run, verified, pack);
    return row && { row, isWhole: false };
  }
}

function classOf({ index }: VerifiedIndex, pack: PackId): ChunkClass {
  return index.framesOf(pack)[0]?.chunkClass ?? 'data';
}

/** Whether a prune has decided since that it goes. */
export async function isSwept({ context, signal }: VerifyRun, pack: PackId): Promise<boolean> {
  return (await readGenerations(context, { signal, reading: 'lenient' })).swept.has(pack);
}

async function verifyPack(
  run: VerifyRun,
  index: ChunkIndex,
  { row, check }: { readonly row: PackRow; readonly check: ParityCheck | undefined },
): Promise<boolean> {
  // A reader of its own: what was kept from an earlier look is not read again.
  const reader = new FrameReader(run.context, { cacheBytesMax: 0 });
  const listed = index.framesOf(row.pack);
  let position = 0;
  let isWhole = true;
  for (const batch of batches(placesOf(row))) {
    run.signal?.throwIfAborted();
    const sealed = await readBatch(run, row, batch);
    if (!(sealed instanceof Error)) check?.add(batch[0]!.sealedOffset, sealed);
    for (const place of batch) {
      await run.breathe();
      const { chunks } = frameRowAt(row, place.ordinal);
      try {
        if (sealed instanceof Error) throw sealed;
        const from = place.sealedOffset - batch[0]!.sealedOffset;
        const raw = await reader.open(place, sealed.subarray(from, from + place.sealedBytes));
        verifyFrame(run, row, { raw, position });
      } catch (error) {
        if (!isFinding(error)) throw error;
        const known = listed[place.ordinal];
        if (known !== undefined) index.markBad(known.frame);
        report(run, row, error, chunks);
        isWhole = false;
      }
      position += chunks;
      run.counts.hashed += chunks;
    }
  }
  return isWhole;
}

/** Where the frames of a row lie; the row need not be the one in the index. */
export function* placesOf(row: PackRow): Generator<FramePlace> {
  const { pack, chunkClass } = row;
  let sealedOffset = framesStartBytes;
  for (let ordinal = 0; ordinal < frameCount(row); ordinal++) {
    const { sealedBytes, rawBytes, codec } = frameRowAt(row, ordinal);
    yield { frame: ordinal, pack, chunkClass, ordinal, sealedOffset, sealedBytes, rawBytes, codec };
    sealedOffset += sealedBytes;
  }
}

/** Neighbours, read together. */
function* batches(frames: Iterable<FramePlace>): Generator<readonly FramePlace[]> {
  let batch: FramePlace[] = [];
  let bytes = 0;
  for (const frame of frames) {
    if (batch.length > 0 && bytes + frame.sealedBytes > readBytes) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(frame);
    bytes += frame.sealedBytes;
  }
  if (batch.length > 0) yield batch;
}

async function readBatch(
  run: VerifyRun,
  row: PackRow,
  batch: readonly FramePlace[],
): Promise<Uint8Array | Error> {
  const offset = batch[0]!.sealedOffset;
  const length = batch.reduce((sum, frame) => sum + frame.sealedBytes, 0);
  try {
    const bytes = await run.context.backend.get(packName(row.pack), { ...callOf(run), offset, length });
    run.counts.bytesRead += length;
    return bytes;
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return error;
  }
}

/** STORE_DAMAGED where the bytes of a frame are not those of its chunks. */
export function verifyFrame(
  run: VerifyRun,
  row: PackRow,
  { raw, position }: { raw: Uint8Array; position: number },
): void {
  let at = 0;
  for (let chunk = position; at < raw.length; chunk++) {
    const length = chunkLengthAt(row, chunk);
    const id = run.context.idOf(raw.subarray(at, at + length), row.chunkClass);
    if (Buffer.compare(id.subarray(0, chunkKeyBytes), chunkKeyAt(row, chunk)) !== 0)
      throw storeError(
        'STORE_DAMAGED',
        `Cannot read chunk ${chunk} of ${packName(row.pack)}: its bytes do not match its id`,
      );
    at += length;
  }
}

function report(
  run: VerifyRun,
  { pack, chunkClass }: Pick<PackRow, 'pack' | 'chunkClass'>,
  error: Error,
  chunks = 0,
): void {
  run.report.add(`${chunkClass}-pack`, packName(pack), { state: error.message, chunks });
}
