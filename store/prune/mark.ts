import { breather } from '../breathe.ts';
import type { LoadedIndex } from '../chunk-index/load.ts';
import { failedRead } from '../chunk-index/masks.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError, type StillpointError, storeError } from '../errors.ts';
import { hex } from '../ids.ts';
import { FrameReader } from '../pack/reader.ts';
import { type Generations, readGenerations } from '../protocol/generations.ts';
import { Reachable } from '../walk.ts';
import { KeySet } from './key-set.ts';
import { overtaken } from './overtaken.ts';
import type { Root } from './roots.ts';
import type { IsTimeUp } from './time.ts';

const cacheBytesMax = 16 * 1024 * 1024;
const timeIsUp = new Error('The time is over');

/** Which chunks are needed, whatever index one looks in. */
export interface KnownLive {
  /** By the beginning of an id. */
  isLive(key: Uint8Array): boolean;
  /** Chunks that are needed, and that no pack has. */
  readonly missing: number;
  /** Ids of the roots. */
  readonly walked: ReadonlySet<string>;
}

/** Which chunks of one index are needed. */
export interface Marked extends KnownLive {
  /** Of a chunk in the index that was marked, by its number there. */
  isLiveNumber(number: number): boolean;
}

export interface MarkOptions {
  /** What was marked before, in another index: it stays needed, and is not walked again. */
  readonly before?: KnownLive | undefined;
  /** What gc/ said before the roots were read. */
  readonly since: Generations;
  readonly isTimeUp?: IsTimeUp | undefined;
  readonly onRoot?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Walks from roots; undefined when the time was over before. A node that cannot be read is the end, also where it is recorded
 * as lost: what it says is needed would go, whole as it is, and the node itself may come back. STORE_DAMAGED, STORE_LOCKED, STORE_READ_FAILED.
 */
export async function mark(
  context: StoreContext,
  { loaded, roots }: { readonly loaded: LoadedIndex; readonly roots: readonly Root[] },
  options: MarkOptions,
): Promise<Marked | undefined> {
  const { before, since, onRoot, isTimeUp, signal } = options;
  let missing = before?.missing ?? 0;
  let current: Root | undefined;
  const breathe = breather(context.seams.clock);
  const reachable = new Reachable({
    context,
    index: loaded.index,
    frames: new FrameReader(context, { cacheBytesMax }),
    onChunk(_, isListed) {
      if (!isListed) missing += 1;
    },
    isKnown: id => before?.isLive(id) === true,
    onUnreadable(id, error) {
      const isLost = loaded.lost.has(hex(id));
      throw unreadable(context, { root: current!, isLost, error: failedRead(loaded.problems) ?? error });
    },
    breathe: () => {
      if (isTimeUp?.()) throw timeIsUp;
      return breathe();
    },
    signal,
  });
  const walked = new Set<string>(before?.walked);
  try {
    for (const [i, root] of roots.entries()) {
      current = root;
      await reachable.add(root.refs);
      walked.add(root.id);
      onRoot?.(i + 1, roots.length);
    }
  } catch (error) {
    if (error === timeIsUp) return undefined;
    const { state } = await readGenerations(context, { signal });
    throw isStoreError(error) && state !== since.state ? overtaken(context, error) : error;
  }
  const isLive = (key: Uint8Array): boolean => reachable.has(key) || before?.isLive(key) === true;
  return {
    isLiveNumber(number) {
      if (reachable.hasNumber(number)) return true;
      const key = before && loaded.index.keyOf(number);
      return key !== undefined && before!.isLive(key);
    },
    isLive,
    missing,
    walked,
  };
}

/** The same without the index, which can then be forgotten: 20 bytes a chunk that is needed. */
export function withoutIndex(marked: Marked, { index }: Pick<LoadedIndex, 'index'>): KnownLive {
  let count = 0;
  for (let number = 0; number < index.numbersEnd; number++) if (marked.isLiveNumber(number)) count += 1;
  const keys = new KeySet(count);
  for (let number = 0; number < index.numbersEnd; number++) {
    if (!marked.isLiveNumber(number)) continue;
    const key = index.keyOf(number);
    if (key !== undefined) keys.add(key);
  }
  const { missing, walked } = marked;
  return { isLive: key => keys.has(key), missing, walked };
}

function unreadable(
  { backend }: StoreContext,
  { root, isLost, error }: { readonly root: Root; readonly isLost: boolean; readonly error: StillpointError },
): Error {
  const context = { ...error.context, snapshot: root.id };
  if (error.code === 'STORE_READ_FAILED')
    return storeError(
      'STORE_READ_FAILED',
      `Cannot prune ${backend.location}: the medium failed to read what snapshot ${root.id} needs: ${error.message}`,
      { remedy: 'Look at the medium, and run prune again; nothing was deleted.', context, cause: error },
    );
  if (root.kind === 'intent')
    return storeError(
      'STORE_LOCKED',
      `Cannot prune ${backend.location}: what backup ${root.id} is about to commit cannot be read: ${error.message}`,
      { remedy: 'Run prune again when it has ended.', context, cause: error },
    );
  return storeError(
    'STORE_DAMAGED',
    `Cannot prune ${backend.location}: snapshot ${root.id} cannot be walked, so nobody knows what it needs: ${error.message}`,
    {
      remedy: isLost
        ? `No pack was deleted. Bring what is lost back from a copy of the store; if there is none, give that snapshot up: \`stillpoint forget ${root.id}\`. What a repair has saved of it is a snapshot of its own.`
        : 'Run `stillpoint verify`; nothing was deleted. A snapshot that is beyond repair can be forgotten.',
      context,
      cause: error,
    },
  );
}
