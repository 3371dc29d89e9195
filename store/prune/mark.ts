import { breather } from '../breathe.ts';
import type { LoadedIndex } from '../chunk-index/load.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError, type StillpointError, storeError } from '../errors.ts';
import { hex } from '../ids.ts';
import { FrameReader } from '../pack/reader.ts';
import { type Generations, readGenerations } from '../protocol/generations.ts';
import { Reachable } from '../walk.ts';
import type { Root } from './roots.ts';

const cacheBytesMax = 64 * 1024 * 1024;

/** Which chunks are needed. */
export interface Marked {
  /** Of a chunk in the index that was marked, by its number there. */
  isLiveNumber(number: number): boolean;
  /** By the beginning of an id. */
  isLive(key: Uint8Array): boolean;
  /** Chunks that are needed, and that no pack has. */
  readonly missing: number;
  readonly walked: ReadonlySet<string>;
}

export interface MarkOptions {
  /** What was marked before, in another index: it stays needed, and is not walked again. */
  readonly before?: Marked | undefined;
  /** What gc/ said before the roots were read. */
  readonly since: Generations;
  readonly onRoot?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Walks from roots. A node that cannot be read is the end, unless it is recorded as lost. STORE_DAMAGED, STORE_LOCKED. */
export async function mark(
  context: StoreContext,
  { loaded, roots }: { readonly loaded: LoadedIndex; readonly roots: readonly Root[] },
  options: MarkOptions,
): Promise<Marked> {
  const { before, since, onRoot, signal } = options;
  let missing = before?.missing ?? 0;
  let current: Root | undefined;
  const reachable = new Reachable({
    context,
    index: loaded.index,
    frames: new FrameReader(context, { cacheBytesMax }),
    onChunk(_, isListed) {
      if (!isListed) missing += 1;
    },
    isKnown: id => before?.isLive(id) === true,
    onUnreadable(id, error) {
      if (!loaded.lost.has(hex(id))) throw unreadable(context, { root: current!, error });
    },
    breathe: breather(context.seams.clock),
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
    const { state } = await readGenerations(context, { signal });
    throw isStoreError(error) && state !== since.state ? overtaken(context, error) : error;
  }
  return {
    isLiveNumber(number) {
      if (reachable.hasNumber(number)) return true;
      if (before === undefined) return false;
      const key = loaded.index.keyOf(number);
      return key !== undefined && before.isLive(key);
    },
    isLive: key => reachable.has(key) || before?.isLive(key) === true,
    missing,
    walked,
  };
}

/** What was missing may be what the other one deleted. */
function overtaken({ backend }: StoreContext, cause: Error): Error {
  return storeError('STORE_LOCKED', `Cannot prune ${backend.location}: another prune is at work`, {
    remedy: 'Run prune again when it has ended.',
    cause,
  });
}

function unreadable(
  { backend }: StoreContext,
  { root, error }: { readonly root: Root; readonly error: StillpointError },
): Error {
  const context = { ...error.context, snapshot: root.id };
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
      remedy:
        'Run `stillpoint verify`; nothing was deleted. A snapshot that is beyond repair can be forgotten.',
      context,
      cause: error,
    },
  );
}
