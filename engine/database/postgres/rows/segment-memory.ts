import { createHash } from 'node:crypto';
import {
  type ChunkSource,
  type Content,
  type Entry,
  encodeCbor,
  isStoreError,
} from '../../../../store/index.ts';
import type { TableCache } from '../../database.ts';
import { equalDigests } from '../../digest.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { liveOffsets, readLayers } from './layers.ts';
import { layeredRows } from './reconstruct.ts';
import { rowTaker } from './row-taker.ts';
import { decodeMap, digestOfMap, encodeMap, type SegmentMap, SegmentMapBuilder } from './segment-map.ts';

/** A segment as it is stored: the entry, encoded and decoded. */
export interface StoredSegment {
  readonly entry: Entry;
  readonly segment: SegmentEntry;
}

/**
 * What must be known of stored segments without asking the server: live rows of each block, and the hash of each live
 * row. From the cache, else from the store, which takes longer and gives the same.
 */
export class SegmentMemory {
  readonly #source: ChunkSource;
  readonly #cache: TableCache | undefined;
  readonly #digestKey: Uint8Array;

  constructor(parts: {
    readonly source: ChunkSource;
    readonly cache?: TableCache | undefined;
    readonly digestKey: Uint8Array;
  }) {
    this.#source = parts.source;
    this.#cache = parts.cache;
    this.#digestKey = parts.digestKey;
  }

  /** The same, which believes the store alone. */
  withoutCache(): SegmentMemory {
    return new SegmentMemory({ source: this.#source, digestKey: this.#digestKey });
  }

  /** Whether anything is remembered from one run to the next. */
  get isKept(): boolean {
    return this.#cache !== undefined;
  }

  /** Live rows of each block. Undefined: the store cannot give them back, and the segment is no base for anything. */
  async counts(stored: StoredSegment): Promise<Uint16Array | undefined> {
    const { blocks, digest } = stored.segment;
    const id = this.#id('counts', stored.entry);
    const cached = await this.#cache?.get('table', id);
    if (cached?.length === 2 * blocks) {
      const counts = new Uint16Array(new Uint8Array(cached).buffer);
      if (sumOf(counts) === digest.rows) return counts;
    }
    const counts = await orDamaged(() => this.#readCounts(stored.segment));
    if (!counts || sumOf(counts) !== digest.rows) return undefined;
    this.#cache?.put('table', id, bytesOf(counts));
    return counts;
  }

  /** Undefined likewise. */
  async map(stored: StoredSegment): Promise<SegmentMap | undefined> {
    const { segment, entry } = stored;
    const cached = await this.#cache?.get('table', this.#id('map', entry));
    const known = cached && decodeMap(cached, segment.blocks);
    if (known && equalDigests(digestOfMap(known), segment.digest)) return known;
    const map = await orDamaged(() => this.#readMap(segment));
    return map && equalDigests(digestOfMap(map), segment.digest) ? map : undefined;
  }

  /** What was learnt while a segment was read. */
  remember(entry: Entry, map: SegmentMap): void {
    this.#cache?.put('table', this.#id('counts', entry), bytesOf(map.counts));
    this.#cache?.put('table', this.#id('map', entry), encodeMap(map));
  }

  /** What the server said of a segment whose rows have no places; undefined: not known. */
  async signature({ entry }: StoredSegment): Promise<string | undefined> {
    const cached = await this.#cache?.get('table', this.#id('signature', entry));
    return cached && Buffer.from(cached).toString('latin1');
  }

  rememberSignature(entry: Entry, signature: string): void {
    this.#cache?.put('table', this.#id('signature', entry), Buffer.from(signature, 'latin1'));
  }

  /** The cache drops what a run did not touch. */
  async keep({ entry }: StoredSegment): Promise<void> {
    const cache = this.#cache;
    if (!cache) return;
    const id = this.#id('map', entry);
    if (cache.keep) cache.keep('table', id);
    else await cache.get('table', id);
  }

  /** Hashes of rows depend on the key, so the id does. */
  #id(what: 'counts' | 'map' | 'signature', entry: Entry): Uint8Array {
    const hash = createHash('sha256').update(`stillpoint ${what} 1\0`);
    if (what === 'map') hash.update(this.#digestKey);
    return new Uint8Array(
      hash.update(encodeCbor([entry.key, entry.body, entry.contents.map(plainContent)])).digest(),
    );
  }

  async #readCounts(segment: SegmentEntry): Promise<Uint16Array> {
    const layers = await readLayers(this.#source, segment);
    return Uint16Array.from(
      { length: segment.blocks },
      (_, i) => liveOffsets(layers, segment.first + i).length,
    );
  }

  async #readMap(segment: SegmentEntry): Promise<SegmentMap> {
    const layers = await readLayers(this.#source, segment);
    const builder = new SegmentMapBuilder(segment);
    for (let block = segment.first; block < segment.first + segment.blocks; block += 1)
      for (const offset of liveOffsets(layers, block)) builder.place(block, offset);
    const taker = rowTaker({
      key: this.#digestKey,
      hasPlaces: false,
      onRow: (low, high) => builder.hash(low, high),
    });
    for await (const rows of layeredRows(this.#source, segment, layers)) for (const _ of taker.text(rows));
    taker.release();
    return builder.finish(layers[0]!.count);
  }
}

/** What is damaged or gone cannot be built upon; that the medium fails to read is another matter. */
export async function orDamaged<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RangeError) return undefined; // places and rows that do not fit together
    if (!isStoreError(error) || !damages.has(error.code)) throw error;
    return undefined;
  }
}

const damages: ReadonlySet<string> = new Set(['STORE_DAMAGED', 'STORE_OBJECT_MISSING', 'STORE_NEWER']);

function sumOf(counts: Uint16Array): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}

function bytesOf(numbers: Uint16Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function plainContent(content: Content) {
  if ('list' in content) return [content.length, content.list];
  return content.extents.map(extent => {
    switch (extent.kind) {
      case 'chunk':
        return [extent.id, extent.offset, extent.length];
      case 'hole':
        return extent.length;
      case 'inline':
        return extent.bytes;
      default:
        return extent satisfies never;
    }
  });
}
