import {
  type ChunkSource,
  type Clock,
  contentSpace,
  type ListingRoot,
  systemClock,
} from '../../../store/index.ts';
import { type Selected, selectedGroups } from '../entries/select.ts';
import { makePace } from '../pace.ts';

/** What a file takes on disk is a multiple of it, near enough for every file system. */
const blockBytes = 4096;

export interface SpaceOptions {
  readonly listing: ListingRoot;
  readonly selected?: readonly Selected[] | undefined;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that a home takes when it is restored: holes take none, and a linked file is counted once for each name. */
export async function spaceOf(source: ChunkSource, options: SpaceOptions): Promise<number> {
  const { clock = systemClock, signal } = options;
  const pace = makePace({ clock, sliceMs: 10, signal });
  const space = contentSpace(source, { blockBytes, breathe: async () => pace.rest() });
  let total = 0;
  for await (const group of selectedGroups(source, options)) {
    for (const { contents } of group) {
      for (const content of contents) {
        const bytes = space.of(content);
        total += typeof bytes === 'number' ? bytes : await bytes;
      }
    }
    await pace.rest();
  }
  return total;
}
