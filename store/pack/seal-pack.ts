import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { hex, type PackId, type SessionId } from '../ids.ts';
import { createSeal, type ObjectSeal, proofSeal, sealOverheadBytes, trailerOrdinal } from '../seal/index.ts';
import type { Randomness } from '../seams.ts';
import { type Codec, encodeChunkRows, encodeFrameRow, type PackRow, packName } from './row.ts';
import { discarded, type FrameChunks, opened, type PackKeys } from './sealing.ts';
import { decodeTrailer, encodeFooter, encodeTrailer } from './trailer.ts';

/** A pack that is about to be sealed: its name, its keys, and the places of its frames. All that is chosen at random. */
export interface PackPlan {
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  readonly name: string;
  readonly seal: ObjectSeal;
  /** Opens what `seal` sealed, as a reader does. */
  readonly proof: ObjectSeal;
  readonly keys: PackKeys;
  /** Ordinal → which of the frames given. */
  readonly order: readonly number[];
}

/** A frame as the pack's row lists it. */
export interface ListedFrame extends FrameChunks {
  readonly codec: Codec;
  /** Before sealing. */
  readonly bytes: number;
  readonly rawBytes: number;
}

/** Chooses what a pack of so many frames needs. */
export function planPack(
  { ring, seams, idKeys }: StoreContext,
  frames: number,
  { session, chunkClass }: { readonly session: SessionId; readonly chunkClass: ChunkClass },
): PackPlan {
  const pack = newPackId(session, seams.randomness);
  const name = packName(pack);
  const kind = `${chunkClass}-pack` as const;
  const seal = createSeal(ring, { kind, session, name, randomness: seams.randomness });
  const proof = proofSeal(ring, seal, { kind, name });
  const order = shuffled(frames, seams.randomness);
  return {
    pack,
    chunkClass,
    name,
    seal,
    proof,
    keys: { seal: seal.material, proof: proof.material, idKey: idKeys[chunkClass] },
    order,
  };
}

/** What comes after the frames, opened again and compared. STORE_WRITE_FAILED. */
export function sealTrailer(
  { ring }: StoreContext,
  { pack, chunkClass, name, seal, proof }: PackPlan,
  frames: readonly ListedFrame[],
): { readonly row: PackRow; readonly parts: readonly Uint8Array[] } {
  const row = { pack, chunkClass, ...columnsOf(frames) };
  const trailer = seal.seal(trailerOrdinal, encodeTrailer(row));
  const again = opened(name, () => proof.open(trailerOrdinal, trailer));
  const back = decodeTrailer(again, { pack, chunkClass, subject: `trailer of ${name}` });
  if (Buffer.compare(back.frames, row.frames) !== 0 || Buffer.compare(back.chunks, row.chunks) !== 0)
    throw discarded(name, 'its trailer differs');
  return { row, parts: [trailer, encodeFooter(trailer.length, ring.blake3)] };
}

function columnsOf(frames: readonly ListedFrame[]): Pick<PackRow, 'frames' | 'chunks'> {
  const frameRows = frames.map(({ bytes, rawBytes, codec, lengths }) =>
    encodeFrameRow({ sealedBytes: bytes + sealOverheadBytes, rawBytes, codec, chunks: lengths.length }),
  );
  return { frames: Buffer.concat(frameRows), chunks: encodeChunkRows(frames) };
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
