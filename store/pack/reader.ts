import type { FramePlace } from '../chunk-index/chunk-index.ts';
import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { headerBytes, type ObjectSeal, openSeal, trailerOrdinal } from '../seal/index.ts';
import { decodeFrame } from './frame.ts';
import { footerBytes, type PackRow, packName } from './row.ts';
import { decodeFooter, decodeTrailer, packBytesOf } from './trailer.ts';
import type { WholePacks } from './whole-packs.ts';

const sealsMax = 512;
/** Ten million chunks. Anybody can make a file that is as long as this says, and mostly a hole. */
const trailerBytesMax = 256 * 1024 * 1024;

/** Reads frames; keeps those that were used last, and the headers of packs, and reads none twice at the same time. */
export class FrameReader {
  readonly #context: StoreContext;
  readonly #cacheBytesMax: number;
  readonly #whole: WholePacks | undefined;
  readonly #frames = new Map<string, Uint8Array>();
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  readonly #seals = new Map<PackId, Promise<ObjectSeal>>();
  #cacheBytes = 0;

  constructor(
    context: StoreContext,
    {
      cacheBytesMax,
      whole,
    }: {
      readonly cacheBytesMax: number;
      /** For who reads many frames of each pack, one at a time. */
      readonly whole?: WholePacks | undefined;
    },
  ) {
    this.#context = context;
    this.#cacheBytesMax = cacheBytesMax;
    this.#whole = whole;
  }

  /** The frame before compression. It may be shared with other readers: do not write into it. STORE_DAMAGED. */
  async read(place: FramePlace): Promise<Uint8Array> {
    const key = `${place.pack}/${place.ordinal}`;
    const kept = this.#frames.get(key);
    if (kept !== undefined) {
      this.#frames.delete(key);
      this.#frames.set(key, kept);
      return kept;
    }
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    const reading = this.#read(place)
      .then(raw => this.#keep(key, raw))
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, reading);
    return reading;
  }

  /** Opens frame bytes that were read already. */
  async open(place: FramePlace, sealed: Uint8Array): Promise<Uint8Array> {
    const seal = await this.sealOf(place.pack, place.chunkClass);
    return decodeFrame(seal.open(BigInt(place.ordinal), sealed), place, {
      zstd: this.#context.zstd,
      subject: `frame ${place.ordinal} of ${packName(place.pack)}`,
    });
  }

  async #read(place: FramePlace): Promise<Uint8Array> {
    const all = await this.#whole?.of(place.pack, place.sealedBytes);
    if (all) {
      try {
        return await this.open(place, all.part({ offset: place.sealedOffset, length: place.sealedBytes }));
      } catch (error) {
        if (!isStoreError(error)) throw error;
        this.#whole!.forget(place.pack); // the medium is asked once more, for this frame alone
      }
    }
    const { sealedOffset: offset, sealedBytes: length } = place;
    const [sealed] = await Promise.all([
      this.#context.backend.get(packName(place.pack), { offset, length }),
      this.sealOf(place.pack, place.chunkClass),
    ]);
    return this.open(place, sealed);
  }

  #keep(key: string, raw: Uint8Array): Uint8Array {
    this.#frames.set(key, raw);
    this.#cacheBytes += raw.length;
    for (const [oldest, bytes] of this.#frames) {
      if (this.#cacheBytes <= this.#cacheBytesMax || oldest === key) break;
      this.#frames.delete(oldest);
      this.#cacheBytes -= bytes.length;
    }
    return raw;
  }

  /** What opens a pack. */
  sealOf(pack: PackId, chunkClass: ChunkClass): Promise<ObjectSeal> {
    let seal = this.#seals.get(pack);
    if (seal === undefined) {
      seal = readSeal(this.#context, pack, chunkClass);
      this.#seals.set(pack, seal);
      // A failure is not kept: the next read tries again.
      seal.catch(() => this.#seals.delete(pack));
      const oldest = this.#seals.keys().next();
      if (this.#seals.size > sealsMax && !oldest.done) this.#seals.delete(oldest.value);
    }
    return seal;
  }
}

async function readSeal(
  { backend, ring }: StoreContext,
  pack: PackId,
  chunkClass: ChunkClass,
): Promise<ObjectSeal> {
  const name = packName(pack);
  const header = await backend.get(name, { offset: 0, length: headerBytes });
  return openSeal(ring, header, { kind: `${chunkClass}-pack`, name });
}

/** A pack's own list of what it holds, from its last bytes; for when no index part lists it. STORE_DAMAGED. */
export async function readTrailer(
  { backend, ring }: StoreContext,
  { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
  options: { readonly signal?: AbortSignal } = {},
): Promise<PackRow> {
  const name = packName(pack);
  const subject = `trailer of ${name}`;
  if (bytes < headerBytes + footerBytes) throw damaged(name, `it has ${bytes} bytes only`);
  const header = await backend.get(name, { ...options, offset: 0, length: headerBytes });
  const seal = openSeal(ring, header, { kind: ['data-pack', 'metadata-pack'], name });
  const footer = await backend.get(name, { ...options, offset: bytes - footerBytes, length: footerBytes });
  const length = decodeFooter(footer, { blake3: ring.blake3, subject: name });
  const offset = bytes - footerBytes - length;
  if (!(offset >= headerBytes) || length > trailerBytesMax)
    throw damaged(name, `its trailer would have ${length} bytes`);
  const trailer = seal.open(trailerOrdinal, await backend.get(name, { ...options, offset, length }));
  const chunkClass = seal.facts.kind === 'data-pack' ? 'data' : 'metadata';
  const row = decodeTrailer(trailer, { pack, chunkClass, subject });
  if (packBytesOf(row) !== bytes)
    throw damaged(name, `it has ${bytes} bytes, its trailer says ${packBytesOf(row)}`);
  return seal.facts.kem === 1 ? { ...row, isSealedToKey: true } : row;
}

function damaged(name: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${name}: ${state}`, {
    remedy: 'Run verify to see what is affected.',
    context: { object: name },
  });
}
