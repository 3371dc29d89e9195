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
  chunkRowBytes,
  frameCount,
  frameRowAt,
  framesBytesOf,
  framesStartBytes,
  type PackRow,
  packName,
} from '../pack/row.ts';
import { readGenerations } from '../protocol/generations.ts';
import type { SealMaterial } from '../seal/index.ts';
import { InTurn } from '../workers/in-turn.ts';
import type { CheckAnswer } from './check-run.ts';
import { rowFromIndex } from './packs.ts';
import { ParityCheck } from './parity.ts';
import { callOf, type VerifiedIndex, type VerifyRun } from './run.ts';
import { RunChecks } from './run-checks.ts';

const readBytes = 2 * 1024 * 1024;

export interface PlannedPack {
  readonly pack: PackId;
  readonly bytes: number;
  readonly readMs: number | null;
}

interface PlannedData {
  readonly packs: readonly PlannedPack[];
  readonly parity: ReadonlySet<PackId>;
  /** That check beside this one; as is best where it is not said. */
  readonly threads?: number | undefined;
}

/**
 * Reads every byte of packs again: opens each frame, and hashes each chunk. Ends when the time is over, but not before one
 * pack was read: so a small budget comes to an end, too, some day.
 */
export async function verifyData(
  run: VerifyRun,
  verified: VerifiedIndex,
  { packs, parity, threads }: PlannedData,
): Promise<void> {
  const total = packs.reduce((sum, { bytes }) => sum + bytes, 0);
  await using checks = new RunChecks(run.context, { bytes: total, threads });
  let done = 0;
  for (const { pack, bytes } of packs) {
    if (done > 0 && run.budget.isSpent()) return;
    const row = await rowOf(run, verified, { pack, bytes });
    const check = parity.has(pack) ? await ParityCheck.open(run, { pack, bytes }) : undefined;
    const bad = row && (await verifyPack(run, verified.index, { row: row.row, check, checks }));
    if (row?.isWhole && bad?.length === 0) check?.conclude();
    // What is wrong with it is known: that is no reason to say for good that it was never read.
    const isKnown = (ordinal?: number) => verified.masks.isDamaged(pack, ordinal);
    const isAllKnown = bad?.every(isKnown) && (row?.isWhole || bad.length > 0);
    if (isKnown() || isAllKnown) await run.notes.read(pack);
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

interface PackToVerify {
  readonly row: PackRow;
  readonly check: ParityCheck | undefined;
  readonly checks: RunChecks;
}

/** Ordinals of the frames that are bad. */
async function verifyPack(
  run: VerifyRun,
  index: ChunkIndex,
  { row, check, checks }: PackToVerify,
): Promise<readonly number[]> {
  // A reader of its own: what was kept from an earlier look is not read again.
  const reader = new FrameReader(run.context, { cacheBytesMax: 0 });
  const listed = index.framesOf(row.pack);
  const found: number[] = [];
  const blame = (error: unknown, place: FramePlace): void => {
    if (!isFinding(error)) throw error;
    const known = listed[place.ordinal];
    if (known !== undefined) index.markBad(known.frame);
    report(run, row, error, frameRowAt(row, place.ordinal).chunks);
    found.push(place.ordinal);
  };
  const look = async (batch: Batch, sealed: Uint8Array): Promise<void> => {
    const { bad, bytes } = await checkBatch(row, { batch, sealed, reader, checks });
    for (const i of bad) {
      const place = batch.places[i]!;
      const from = place.sealedOffset - batch.places[0]!.sealedOffset;
      try {
        const raw = await reader.open(place, (bytes ?? sealed).subarray(from, from + place.sealedBytes));
        verifyFrame(run, row, { raw, position: batch.positions[i]! });
      } catch (error) {
        blame(error, place);
      }
    }
  };
  const looks = new InTurn(batchesAtOnce);
  try {
    for (const batch of batches(row)) {
      run.signal?.throwIfAborted();
      const sealed = await readBatch(run, row, batch.places);
      if (sealed instanceof Error) {
        await looks.end();
        for (const place of batch.places) blame(sealed, place);
      } else {
        check?.add(batch.places[0]!.sealedOffset, sealed);
        await looks.begin(() => look(batch, sealed));
      }
      run.counts.hashed += batch.places.reduce(
        (sum, { ordinal }) => sum + frameRowAt(row, ordinal).chunks,
        0,
      );
      await run.breathe();
    }
  } finally {
    await looks.end();
  }
  return found;
}

/** One is read while others are checked. */
const batchesAtOnce = 3;

/** Where a pack's own header cannot be opened, every frame is looked at one by one. */
async function checkBatch(
  row: PackRow,
  {
    batch,
    sealed,
    reader,
    checks,
  }: Omit<PackToVerify, 'row' | 'check'> & {
    readonly batch: Batch;
    readonly sealed: Uint8Array;
    readonly reader: FrameReader;
  },
): Promise<CheckAnswer> {
  const { pack, chunkClass } = row;
  let material: SealMaterial;
  try {
    ({ material } = await reader.sealOf(pack, chunkClass));
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return { bad: [...batch.places.keys()], bytes: undefined };
  }
  const start = batch.places[0]!.sealedOffset;
  const counts = batch.places.map(({ ordinal }) => frameRowAt(row, ordinal).chunks);
  const first = batch.positions[0]!;
  const last = batch.positions.at(-1)! + counts.at(-1)!;
  const frames = batch.places.map(({ ordinal, sealedOffset, sealedBytes, rawBytes, codec }) => ({
    ordinal,
    at: sealedOffset - start,
    sealedBytes,
    rawBytes,
    codec,
  }));
  return checks.check({
    run: { pack, material, bytes: sealed, frames },
    chunkClass,
    counts,
    rows: row.chunks.slice(first * chunkRowBytes, last * chunkRowBytes),
  });
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
interface Batch {
  readonly places: FramePlace[];
  /** Of each one's first chunk, in the pack. */
  readonly positions: number[];
}

function* batches(row: PackRow): Generator<Batch> {
  let batch: Batch = { places: [], positions: [] };
  let bytes = 0;
  let position = 0;
  for (const frame of placesOf(row)) {
    if (batch.places.length > 0 && bytes + frame.sealedBytes > readBytes) {
      yield batch;
      batch = { places: [], positions: [] };
      bytes = 0;
    }
    batch.places.push(frame);
    batch.positions.push(position);
    bytes += frame.sealedBytes;
    position += frameRowAt(row, frame.ordinal).chunks;
  }
  if (batch.places.length > 0) yield batch;
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
