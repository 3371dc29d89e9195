import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { hex, type PackId, type SessionId } from '../ids.ts';
import { createSeal, type ObjectSeal, proofSeal, sealOverheadBytes } from '../seal/index.ts';
import type { Randomness } from '../seams.ts';
import { decodeFrame, type EncodedFrame } from './frame.ts';
import { encodeChunkRow, encodeFrameRow, type PackRow, packName } from './row.ts';
import { decodeTrailer, encodeFooter, encodeTrailer, trailerOrdinal } from './trailer.ts';

/** A pack that was opened again and is as it should be, ready to be published. */
export interface SealedPack {
  readonly name: string;
  readonly row: PackRow;
  /** The object's bytes, in pieces. */
  readonly parts: readonly Uint8Array[];
  /** parts[i + 1] is frame i of the pack; this says which of the frames given it is. */
  readonly order: readonly number[];
}

export interface SealPackOptions {
  readonly session: SessionId;
  readonly chunkClass: ChunkClass;
  /** Called between frames, so that a long job lets others run. */
  readonly breathe: () => Promise<void>;
}

/** Header, frames in a random order, trailer, footer. What does not open again as it was is STORE_WRITE_FAILED. */
export async function sealPack(
  context: StoreContext,
  frames: readonly EncodedFrame[],
  { session, chunkClass, breathe }: SealPackOptions,
): Promise<SealedPack> {
  const { ring, seams } = context;
  const pack = newPackId(session, seams.randomness);
  const name = packName(pack);
  const kind = `${chunkClass}-pack` as const;
  const seal = createSeal(ring, { kind, session, name, randomness: seams.randomness });
  const again = proofSeal(ring, seal, { kind, name });
  const order = shuffled(frames.length, seams.randomness);
  const parts: Uint8Array[] = [seal.header];
  for (const [ordinal, from] of order.entries()) {
    const frame = frames[from]!;
    const sealed = seal.seal(BigInt(ordinal), frame.bytes);
    proveFrame(context, frame, { opened: open(again, BigInt(ordinal), { sealed, name }), chunkClass, name });
    parts.push(sealed);
    await breathe();
  }
  const row = rowOf(
    pack,
    chunkClass,
    order.map(from => frames[from]!),
  );
  const trailer = seal.seal(trailerOrdinal, encodeTrailer(row));
  const opened = open(again, trailerOrdinal, { sealed: trailer, name });
  const back = decodeTrailer(opened, { pack, chunkClass, subject: `trailer of ${name}` });
  if (!equal(back.frames, row.frames) || !equal(back.chunks, row.chunks))
    throw discarded(name, 'its trailer differs');
  parts.push(trailer, encodeFooter(trailer.length, ring.blake3));
  return { name, row, parts, order };
}

function open(
  seal: ObjectSeal,
  ordinal: bigint,
  { sealed, name }: { sealed: Uint8Array; name: string },
): Uint8Array {
  try {
    return seal.open(ordinal, sealed);
  } catch (cause) {
    throw discarded(name, 'it does not open again', cause);
  }
}

/** Decode before publishing: a compressor or a cipher that failed silently must not cost a backup. */
function proveFrame(
  context: StoreContext,
  frame: EncodedFrame,
  { opened, chunkClass, name }: { opened: Uint8Array; chunkClass: ChunkClass; name: string },
): void {
  let raw: Uint8Array;
  try {
    raw = decodeFrame(opened, frame, { zstd: context.zstd, subject: name });
  } catch (cause) {
    throw discarded(name, 'a frame does not decompress', cause);
  }
  let at = 0;
  for (const { id, length } of frame.chunks) {
    if (!equal(context.idOf(raw.subarray(at, at + length), chunkClass), id))
      throw discarded(name, `chunk ${hex(id)} is not what was stored`);
    at += length;
  }
}

function discarded(name: string, state: string, cause?: unknown): Error {
  return storeError('STORE_WRITE_FAILED', `Cannot publish ${name}: opened after sealing, ${state}`, {
    remedy: 'Check the memory of this machine; nothing was published, so run the backup again.',
    cause,
  });
}

function rowOf(pack: PackId, chunkClass: ChunkClass, frames: readonly EncodedFrame[]): PackRow {
  const frameRows = frames.map(({ bytes, rawBytes, codec, chunks }) =>
    encodeFrameRow({ sealedBytes: bytes.length + sealOverheadBytes, rawBytes, codec, chunks: chunks.length }),
  );
  const chunkRows = frames.flatMap(({ chunks }) =>
    chunks.map(({ id, length }) => encodeChunkRow(id, length)),
  );
  return { pack, chunkClass, frames: Buffer.concat(frameRows), chunks: Buffer.concat(chunkRows) };
}

/** 16 bytes of the session, 16 random: names are never used twice, and say whose they are. */
function newPackId(session: SessionId, randomness: Randomness): PackId {
  return `${session.slice(0, 32)}${hex(randomness.bytes(16))}` as PackId;
}

/** Frames in the order of arrival would tell a reader of sizes which files lay side by side. */
function shuffled(count: number, randomness: Randomness): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  const random = Buffer.from(randomness.bytes(4 * count));
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((random.readUInt32LE(4 * i) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
