import type { ChunkRef, ChunkSource } from '../../store/index.ts';
import { type Content, hex, salvageExtents } from '../../store/index.ts';
import type { Loss } from '../pair.ts';

/** So many losses of a snapshot are named one by one; the rest is counted. */
const lossesMax = 10_000;

/** What is lost of one snapshot, in the order of its listings. */
export class Losses {
  readonly #list: Loss[] = [];
  readonly #refs = new Map<string, ChunkRef>();
  #more = 0;

  add(half: Loss['half'], text: string): void {
    if (this.#list.length < lossesMax) this.#list.push({ half, text });
    else this.#more += 1;
  }

  /** A chunk that some of them are because of. */
  because(ref: ChunkRef): void {
    this.#refs.set(hex(ref.id), { ...ref, id: new Uint8Array(ref.id) as ChunkRef['id'] });
  }

  get list(): readonly Loss[] {
    return this.#list;
  }

  /** Those beyond the list. */
  get more(): number {
    return this.#more;
  }

  get refs(): readonly ChunkRef[] {
    return [...this.#refs.values()];
  }
}

/** Where what is left of a snapshot is read, and what of it is lost. */
export interface Salvage {
  readonly source: ChunkSource;
  /** Whether no whole copy of a chunk is there. */
  isLost(ref: ChunkRef): boolean;
}

/** Bytes of a content that are lost. */
export interface LostRange {
  readonly ref: ChunkRef;
  readonly from: number;
  readonly length: number;
  /** Where in its chunk it begins; 0 for a node. */
  readonly offset: number;
}

/** What of a content is lost, in order. */
export async function lostRanges(content: Content, { source, isLost }: Salvage): Promise<LostRange[]> {
  const lost: LostRange[] = [];
  let from = 0;
  for await (const extent of salvageExtents(source, content)) {
    const length = extent.kind === 'inline' ? extent.bytes.length : extent.length;
    if (extent.kind === 'gap') lost.push({ ref: { id: extent.node, kind: 'node' }, from, length, offset: 0 });
    else if (extent.kind === 'chunk' && isLost({ id: extent.id, kind: 'data' }))
      lost.push({ ref: { id: extent.id, kind: 'data' }, from, length, offset: extent.offset });
    from += length;
  }
  return lost;
}

const rangesShown = 8;

/** `bytes 0–1048575 and 2097152–3145727 of 5000000`. */
export function describeRanges(ranges: readonly LostRange[], total: number): string {
  const joined: { from: number; to: number }[] = [];
  for (const { from, length } of ranges) {
    const last = joined.at(-1);
    if (last?.to === from) last.to = from + length;
    else joined.push({ from, to: from + length });
  }
  const shown = joined.slice(0, rangesShown).map(({ from, to }) => `${from}–${to - 1}`);
  if (joined.length > rangesShown) shown.push(`${joined.length - rangesShown} more ranges`);
  const last = shown.pop()!;
  return `bytes ${shown.length > 0 ? `${shown.join(', ')} and ${last}` : last} of ${total}`;
}
