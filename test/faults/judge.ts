import { type Backend, beginPrune, isStoreError, type Store, verifyStore } from '../../store/index.ts';
import { insideOf } from '../../store/store.ts';
import { collect } from '../helpers/collect.ts';
import { steppingClock } from '../helpers/seeded.ts';
import { commitFiles, readFiles, type SmallSnapshot } from '../helpers/small-store.ts';
import { told } from './suite.ts';
import { type Done, onBackend, openedAnew, repaired, type World, worldSeams } from './world.ts';

/** How a run ended, as whoever began it knows. */
export type Ending =
  | { readonly how: 'done'; readonly done: Done }
  | { readonly how: 'failed'; readonly error: unknown }
  /** Killed, or without power: nobody knows. */
  | { readonly how: 'dead' };

export interface JudgeOptions {
  /** Whether the victim may be gone. */
  readonly forgets: boolean;
  /** A failed run whose medium refused to take its name back: its snapshot may be there, and is whole then. */
  readonly mayLeave?: boolean;
  /** The run may have left what a repair must do. */
  readonly mends?: boolean;
  /** Unlocks with the passphrase, which costs a millisecond more. */
  readonly anew?: boolean;
  /** All names of files on the medium, relative to the store's folder. */
  readonly paths?: () => readonly string[];
}

/** How a job ends. */
export async function endingOf(run: Promise<Done>): Promise<Ending> {
  try {
    return { how: 'done', done: await run };
  } catch (error) {
    return { how: 'failed', error };
  }
}

/**
 * What is wrong with a store after a fault, or undefined: every snapshot that was committed is there and exactly what it
 * was, a run that ended well has its snapshot and one that failed has none, whatever else is listed is whole, the next
 * backup and the next prune work, and after them nothing foreign lies in the store.
 */
export async function wrongWith(
  backend: Backend,
  world: World,
  { ending, ...options }: JudgeOptions & { readonly ending: Ending },
): Promise<string | undefined> {
  const { forgets, mayLeave = ending.how === 'dead', anew = false, mends = false } = options;
  if (ending.how === 'failed' && !isStoreError(ending.error))
    return `the run failed with ${stackOf(ending.error)}`;
  try {
    const store = anew
      ? await openedAnew(backend, 'judge')
      : onBackend(world.opened, backend, worldSeams('judge'));
    const committed = ending.how === 'done' ? ending.done.committed : undefined;
    const known = [...world.snapshots, ...(committed ? [committed] : []), ...(forgets ? [] : [world.victim])];
    const others = new Set([...known, world.victim].map(({ id }) => id));
    const listed = new Set((await collect(store.snapshots())).map(({ id }) => id));
    if (!mayLeave)
      for (const id of listed) if (!others.has(id)) return `a run that ended has left snapshot ${id}`;
    if (forgets && ending.how === 'done' && listed.has(world.victim.id)) return 'a snapshot is not forgotten';
    if (mends && ending.how !== 'done') {
      for (const snapshot of known) {
        const wrong = await wrongFiles(store, snapshot);
        if (wrong !== undefined) return `before the next repair ${wrong}`;
      }
      await repaired(store);
    }
    const before = await wrongSnapshot(store, known);
    if (before !== undefined) return before;
    return await wrongLater(store, known, options);
  } catch (error) {
    return stackOf(error);
  }
}

/** Life goes on, for a day at least. */
async function wrongLater(
  store: Store,
  known: readonly SmallSnapshot[],
  { paths }: JudgeOptions,
): Promise<string | undefined> {
  const later = onBackend(
    store,
    insideOf(store).context.backend,
    worldSeams('later', steppingClock(Date.now() + 90_000_000)),
  );
  const next = await commitFiles(later, new Map([...known[0]!.files, ['new', Buffer.from('a later file')]]));
  await using session = await beginPrune(later, { host: 'next', silenceMs: 0 });
  await session.reclaim();
  await session[Symbol.asyncDispose]();
  const after = await wrongSnapshot(later, [...known, next]);
  if (after !== undefined) return `after the next backup and prune ${after}`;
  const foreign = (paths?.() ?? []).filter(path => !isExpected(path));
  return foreign.length === 0 ? undefined : `after the next prune ${foreign.join(', ')} is left`;
}

async function wrongSnapshot(store: Store, known: readonly SmallSnapshot[]): Promise<string | undefined> {
  const { damage, snapshots } = await verifyStore(store, { readData: 1 });
  if (damage.length > 0) return `verify finds ${JSON.stringify(damage)}`;
  const listed = new Set(snapshots.map(({ id }) => id));
  for (const snapshot of known) {
    if (!listed.has(snapshot.id)) return `snapshot ${snapshot.id} is lost: not listed`;
    const wrong = await wrongFiles(store, snapshot);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

async function wrongFiles(store: Store, { id, root, files }: SmallSnapshot): Promise<string | undefined> {
  const read = await readFiles(store, root).catch((error: unknown) => told(error));
  if (typeof read === 'string') return `snapshot ${id} is lost: ${read}`;
  return areEqual(read, files) ? undefined : `snapshot ${id} has other bytes`;
}

export function areEqual(one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): boolean {
  if (one.size !== other.size) return false;
  for (const [name, bytes] of one) {
    const counterpart = other.get(name);
    if (counterpart === undefined || !counterpart.equals(bytes)) return false;
  }
  return true;
}

/** What a store at rest holds: nobody's session or intent, and no temporary file but the room set aside. */
export function isExpected(path: string): boolean {
  return (
    path === 'config' ||
    /^(keys|index|manifests|forgotten|damage|gc|ledger|holds)\/[a-z0-9][a-z0-9.-]*$/.test(path) ||
    /^packs\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(path) ||
    /^parity\/[0-9a-f]{64}$/.test(path) ||
    /^\.tmp-reserve-\d+$/.test(path)
  );
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
