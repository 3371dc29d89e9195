import type { ChunkIndex, ChunkPlace, FramePlace } from './chunk-index/chunk-index.ts';
import type { StoreContext } from './context.ts';
import type { ChunkId, PackId } from './ids.ts';
import type { FrameReader } from './pack/reader.ts';
import { packName } from './pack/row.ts';
import type { RunKeys, RunOpener, SealedRun } from './pack/run.ts';
import { WholePacks } from './pack/whole-packs.ts';

/**
 * Reads much data in the order in which it lies. What it gives is sealed still and nothing of it is checked: whoever
 * opens it checks every chunk, and asks the store for what is not whole, which tries every copy.
 */
export interface RunReader {
  /** The opener of this thread; its `keys` make one in another. */
  readonly opener: RunOpener;
  readonly keys: RunKeys;
  /** Where a data chunk lies by what is known so far; undefined: nobody knows, ask the store. */
  placeOf(id: ChunkId): ChunkPlace | undefined;
  /** Frames of one pack, in its order. The memory is the caller's. STORE_… */
  read(
    frames: readonly FramePlace[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<SealedRun>;
}

/** Neighbours of so many bytes are worth a read of their own. */
const spanBytesMin = 1024 * 1024;
/** The one that ends and the one that begins, as data was stored. */
const wholePacksMax = 2;

export function runReader(
  { context, frames }: { readonly context: StoreContext; readonly frames: FrameReader },
  { opener, keys, index }: Pick<RunReader, 'opener' | 'keys'> & { readonly index: () => ChunkIndex },
): RunReader {
  const whole = new WholePacks(context, { bytesOf: pack => index().bytesOf(pack), max: wholePacksMax });

  async function read(spans: readonly Span[], pack: PackId, signal: AbortSignal | undefined) {
    const wantedBytes = spans.reduce((sum, { length }) => sum + length, 0);
    const isOne = spans.length === 1;
    const all = isOne && wantedBytes >= spanBytesMin ? undefined : await whole.of(pack, wantedBytes);
    const parts = spans.map(({ offset, length }) =>
      all
        ? all.part({ offset, length })
        : context.backend.get(packName(pack), { offset, length, ...(signal && { signal }) }),
    );
    if (isOne && !all) return parts[0]!;
    const bytes = new Uint8Array(wantedBytes);
    let at = 0;
    for (const [i, part] of (await Promise.all(parts)).entries()) {
      bytes.set(part, at);
      at += spans[i]!.length;
    }
    return bytes;
  }

  return {
    opener,
    keys,
    placeOf: id => index().placeOf(id, 'data'),
    async read(places, { signal }) {
      const { pack, chunkClass } = places[0]!;
      const [bytes, { material }] = await Promise.all([
        read(spansOf(places), pack, signal),
        frames.sealOf(pack, chunkClass),
      ]);
      let at = 0;
      const runFrames = places.map(({ ordinal, sealedBytes, rawBytes, codec }) => {
        at += sealedBytes;
        return { ordinal, at: at - sealedBytes, sealedBytes, rawBytes, codec };
      });
      return { pack, material, bytes, frames: runFrames };
    },
  };
}

interface Span {
  readonly offset: number;
  length: number;
}

/** Joins those that begin where the one before ends. */
function spansOf(places: readonly FramePlace[]): Span[] {
  const spans: Span[] = [];
  for (const { sealedOffset: offset, sealedBytes } of places) {
    const last = spans.at(-1);
    if (last && last.offset + last.length === offset) last.length += sealedBytes;
    else spans.push({ offset, length: sealedBytes });
  }
  return spans;
}
