import type { FramePlace } from '../chunk-index/chunk-index.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
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
import { rowFromIndex } from './packs.ts';
import { callOf, type Inventory, type VerifiedIndex, type VerifyRun } from './run.ts';

const readBytes = 4 * 1024 * 1024;

/** Reads every byte of the packs again: opens each frame, and hashes each chunk. */
export async function verifyData(
  run: VerifyRun,
  {
    inventory,
    verified,
    wants,
  }: { inventory: Inventory; verified: VerifiedIndex; wants: (pack: PackId) => boolean },
): Promise<void> {
  const packs = [...inventory.packs].filter(([pack]) => wants(pack) && !verified.isRecorded(pack));
  const total = packs.reduce((sum, [, bytes]) => sum + bytes, 0);
  let done = 0;
  run.counts.chunksChecked = 0;
  for (const [pack, bytes] of packs) {
    const row = await rowOf(run, verified, { pack, bytes });
    if (row !== undefined) await verifyPack(run, verified, row);
    done += bytes;
    run.progress('data', done, total);
  }
}

/** Undefined: nobody can say what the pack holds; that was reported. */
async function rowOf(
  run: VerifyRun,
  verified: VerifiedIndex,
  { pack, bytes }: { pack: PackId; bytes: number },
): Promise<PackRow | undefined> {
  try {
    const row = await readTrailer(run.context, { pack, bytes }, callOf(run));
    run.counts.bytesRead += bytes - framesBytesOf(row);
    return row;
  } catch (error) {
    if (!isStoreError(error) || error.code === 'STORE_NEWER') throw error;
    report(run, { pack, chunkClass: 'data' }, error);
    return rowFromIndex(run, verified, pack);
  }
}

async function verifyPack(run: VerifyRun, { index, isRecorded }: VerifiedIndex, row: PackRow): Promise<void> {
  // A reader of its own: what was kept from an earlier look is not read again.
  const reader = new FrameReader(run.context, { cacheBytesMax: 0 });
  const listed = index.framesOf(row.pack);
  let position = 0;
  for (const batch of batches(placesOf(row))) {
    run.signal?.throwIfAborted();
    const sealed = await readBatch(run, row, batch);
    for (const place of batch) {
      await run.breathe();
      const { chunks } = frameRowAt(row, place.ordinal);
      try {
        if (sealed instanceof Error) throw sealed;
        const from = place.sealedOffset - batch[0]!.sealedOffset;
        const raw = await reader.open(place, sealed.subarray(from, from + place.sealedBytes));
        verifyFrame(run, row, { raw, position });
      } catch (error) {
        if (!isStoreError(error) || error.code === 'STORE_NEWER') throw error;
        const known = listed[place.ordinal];
        if (known !== undefined) index.markBad(known.frame);
        if (!isRecorded(row.pack, place.ordinal)) report(run, row, error, chunks);
      }
      position += chunks;
      run.counts.chunksChecked += chunks;
    }
  }
}

/** Where the frames of a row lie; the row need not be the one in the index. */
function* placesOf(row: PackRow): Generator<FramePlace> {
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

function verifyFrame(
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
