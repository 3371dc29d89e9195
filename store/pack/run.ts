import type { Zstd } from '../compress.ts';
import { loadZstd, type ZstdImplementation } from '../compress.ts';
import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { type Blake3, loadBlake3 } from '../hash.ts';
import type { PackId } from '../ids.ts';
import { type SealMaterial, sealFrom } from '../seal/index.ts';
import { decodeFrame } from './frame.ts';
import { type Codec, packName } from './row.ts';

/** A frame of a run. */
export interface RunFrame {
  readonly ordinal: number;
  /** Within the bytes of the run. */
  readonly at: number;
  readonly sealedBytes: number;
  readonly rawBytes: number;
  readonly codec: Codec;
}

/**
 * Neighbouring frames as they lie in one pack, and the key of that pack alone: all that another thread needs to open them.
 */
export interface SealedRun {
  readonly pack: PackId;
  readonly material: SealMaterial;
  readonly bytes: Uint8Array;
  readonly frames: readonly RunFrame[];
}

/** What a thread needs to check what it opened; not to open anything. */
export interface RunKeys {
  readonly zstd: ZstdImplementation;
  /** The keys of chunk ids. */
  readonly ids: Readonly<Record<ChunkClass, Uint8Array>>;
}

export function runKeysOf({ zstd, idKeys }: Pick<StoreContext, 'zstd' | 'idKeys'>): RunKeys {
  return { zstd: zstd.implementation, ids: idKeys };
}

/** Opens frames and checks chunks in memory that it uses again. A job over bytes: no I/O. */
export interface RunOpener {
  /** The frame before compression, valid until the next call. STORE_DAMAGED. */
  open(run: SealedRun, frame: RunFrame): Uint8Array;
  idOf(bytes: Uint8Array, chunkClass: ChunkClass): Uint8Array;
}

/** Loads what opening takes, once a thread. */
export async function loadRunOpener(keys: RunKeys): Promise<RunOpener> {
  return runOpener({ keys, zstd: await loadZstd({ prefer: keys.zstd }), blake3: await loadBlake3() });
}

export function runOpener({
  keys,
  zstd,
  blake3,
}: {
  readonly keys: RunKeys;
  readonly zstd: Zstd;
  readonly blake3: Blake3;
}): RunOpener {
  let opened = new Uint8Array(0);
  let raw = new Uint8Array(0);
  return {
    open({ pack, material, bytes }, { ordinal, at, sealedBytes, rawBytes, codec }) {
      if (opened.length < sealedBytes) opened = new Uint8Array(sealedBytes);
      if (raw.length < rawBytes) raw = new Uint8Array(rawBytes);
      const seal = sealFrom(material, blake3);
      const plain = seal.openInto(opened, BigInt(ordinal), bytes.subarray(at, at + sealedBytes));
      const subject = `frame ${ordinal} of ${packName(pack)}`;
      return decodeFrame(plain, { codec, rawBytes }, { zstd, subject, scratch: raw });
    },
    idOf: (bytes, chunkClass) => blake3.keyed(keys.ids[chunkClass], bytes),
  };
}
