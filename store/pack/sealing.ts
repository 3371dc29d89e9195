import type { Zstd } from '../compress.ts';
import { copyBytes } from '../copy-bytes.ts';
import { storeError } from '../errors.ts';
import type { Blake3 } from '../hash.ts';
import { hex } from '../ids.ts';
import { type SealMaterial, sealFrom, sealLeadBytes, sealOverheadBytes } from '../seal/index.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import type { Codec } from './row.ts';

/** Which chunks a frame holds, in their order. */
export interface FrameChunks {
  /** 32 bytes each. */
  readonly ids: Uint8Array;
  readonly lengths: Uint32Array;
}

/** A frame to be sealed where it lies: nonce, content, tag. */
export interface FrameToSeal extends FrameChunks {
  readonly ordinal: number;
  readonly place: Uint8Array;
  readonly codec: Codec;
  readonly rawBytes: number;
}

/** The keys of one pack, for a thread that has no others. */
export interface PackKeys {
  readonly seal: SealMaterial;
  /** The same, derived anew from the header as a reader does it. */
  readonly proof: SealMaterial;
  /** Names the chunks of the pack's class. */
  readonly idKey: Uint8Array;
}

export interface SealingTools {
  readonly zstd: Zstd;
  readonly blake3: Blake3;
}

/** The work on packs that takes time: over bytes that are given, with no I/O, clock or randomness. For one thread. */
export class Sealing {
  readonly #tools: SealingTools;
  #opened = new Uint8Array(0);
  #raw = new Uint8Array(0);

  constructor(tools: SealingTools) {
    this.#tools = tools;
  }

  /** Compresses the content of a place where that is worth it, and says how much of the place it takes now. */
  encode(place: Uint8Array): { readonly codec: Codec; readonly bytes: number } {
    const content = place.subarray(sealLeadBytes, sealLeadBytes + place.length - sealOverheadBytes);
    const { codec, bytes } = encodeFrame(content, this.#tools.zstd);
    if (codec === 'zstd') copyBytes(bytes, content);
    return { codec, bytes: bytes.length };
  }

  /** Seals frames in place and opens them again. What is not as it was then is STORE_WRITE_FAILED. */
  *seal({ seal, proof, idKey }: PackKeys, frames: Iterable<FrameToSeal>): Generator<void> {
    const { blake3 } = this.#tools;
    const sealer = sealFrom(seal, blake3);
    const opener = sealFrom(proof, blake3);
    for (const frame of frames) {
      sealer.sealInPlace(BigInt(frame.ordinal), frame.place);
      this.#opened = withRoom(this.#opened, frame.place.length);
      this.#prove(
        frame,
        opened(seal.name, () => opener.openInto(this.#opened, BigInt(frame.ordinal), frame.place)),
        {
          name: seal.name,
          idKey,
        },
      );
      yield;
    }
  }

  /** Decode before publishing: a compressor or a cipher that failed silently must not cost a backup. */
  #prove(
    frame: FrameToSeal,
    bytes: Uint8Array,
    { name, idKey }: { readonly name: string; readonly idKey: Uint8Array },
  ): void {
    const { zstd, blake3 } = this.#tools;
    if (frame.codec === 'zstd') this.#raw = withRoom(this.#raw, frame.rawBytes);
    let raw: Uint8Array;
    try {
      raw = decodeFrame(bytes, frame, { zstd, subject: name, scratch: this.#raw });
    } catch (cause) {
      throw discarded(name, 'a frame does not decompress', cause);
    }
    let at = 0;
    for (const [i, length] of frame.lengths.entries()) {
      const id = frame.ids.subarray(32 * i, 32 * i + 32);
      if (Buffer.compare(blake3.keyed(idKey, raw.subarray(at, at + length)), id) !== 0)
        throw discarded(name, `chunk ${hex(id)} is not what was stored`);
      at += length;
    }
    if (at !== raw.length) throw discarded(name, 'a frame has not the length of its chunks');
  }
}

/** What comes of opening again what was sealed just now. */
export function opened(name: string, open: () => Uint8Array): Uint8Array {
  try {
    return open();
  } catch (cause) {
    throw discarded(name, 'it does not open again', cause);
  }
}

export function discarded(name: string, state: string, cause?: unknown): Error {
  return storeError('STORE_WRITE_FAILED', `Cannot publish ${name}: opened after sealing, ${state}`, {
    remedy: 'Check the memory of this machine; nothing was published, so run the backup again.',
    cause,
  });
}

function withRoom(scratch: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> {
  return scratch.length >= bytes ? scratch : new Uint8Array(Math.max(bytes, 512 * 1024));
}
