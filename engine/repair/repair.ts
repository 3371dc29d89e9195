import {
  appendLedger,
  beginRepair,
  type ChunkRef,
  type ForgottenLost,
  isBeyondUs,
  isStoreError,
  type LeftDamage,
  type Mended,
  type RepairSession,
  readLedger,
  type SnapshotId,
  type Store,
  storeError,
} from '../../store/index.ts';
import { knownDamage, knownDamageField } from '../known-damage.ts';
import type { Degraded, Loss, Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { listSnapshots } from '../snapshots.ts';
import { Attempts } from './attempts.ts';
import { commitDegraded, findLosses, isAnythingLeft } from './degrade.ts';
import { type HealedFile, healFromHome } from './heal.ts';
import type { Salvage } from './losses.ts';

export interface RepairOptions {
  readonly store: Store;
  readonly host: string;
  /** The live home, to heal from; absent: it is not looked at. */
  readonly home?: string | undefined;
  /** True: every byte of the packs is read. */
  readonly readData: boolean;
  readonly isDryRun: boolean;
  /** Snapshots that this host committed, and misses where they are gone. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  /** True: snapshots whose manifests are lost are forgotten, so that a prune goes on. */
  readonly forgetsLost: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** What a snapshot lacks. */
export interface LostOfSnapshot {
  readonly snapshot: SnapshotId | null;
  readonly instance: string | null;
  readonly affects: readonly string[];
}

export interface RepairResult {
  /** Everything is whole again, or was. */
  readonly ok: boolean;
  /** Damaged objects, as verify names them. */
  readonly found: RepairSession['found'];
  readonly rebuilt: Mended['rebuilt'];
  readonly recorded: Mended['recorded'];
  readonly healed: Mended['healed'];
  readonly healedFiles: readonly HealedFile[];
  readonly lost: readonly LostOfSnapshot[];
  /** New snapshots of what is left; null where a dry run would make one. */
  readonly degraded: readonly { readonly snapshot: SnapshotId | null; readonly of: SnapshotId }[];
  /** Snapshots that lack nothing any more, and what was made of them when they did. */
  readonly whole: readonly { readonly snapshot: SnapshotId; readonly degraded: SnapshotId }[];
  readonly forgotten: readonly ForgottenLost[];
  readonly left: readonly LeftDamage[];
  readonly unreadable: readonly string[];
  readonly unknown: number;
  readonly chunksChecked: number;
  readonly bytesRead: number;
  /** Why not all was done that could be; what was found is told all the same. */
  readonly failure: Error | undefined;
}

/**
 * Mends what can be mended and says exactly what is lost. Adds objects and nothing else: what is damaged stays as it is
 * until a prune takes it away.
 */
export async function repair(options: RepairOptions): Promise<RepairResult> {
  const { store, host, signal, isDryRun, home } = options;
  await using session = await beginRepair(store, {
    host,
    readData: options.readData,
    dryRun: isDryRun,
    remembered: options.remembered,
    signal,
    onProgress: ({ done, total, bytesRead }) =>
      options.onProgress({ phase: 'repair', files: done, filesTotal: total, bytes: bytesRead }),
  });
  const attempts = new Attempts();
  const mended = await attempts.run({ rebuilt: [], recorded: [], healed: [] }, () => session.mend());
  const all = await listSnapshots(store, { onDamage: () => undefined });
  const affected = all.filter(({ id }) => session.affected.has(id));
  const healedFiles =
    home === undefined || affected.length === 0
      ? []
      : await attempts.unlessFailed([], () =>
          unlessUnreadable([], () => healFromHome({ store, session, snapshots: affected, home, signal })),
        );
  const salvage: Salvage = { source: session, isLost: ref => isLost(session, ref) };
  const states = await statesOf(affected, { salvage, signal });
  const settled = await attempts.unlessFailed([], () => session.settle(states.flatMap(({ refs }) => refs)));
  const isDryFromHere = isDryRun || attempts.failure !== undefined;
  const degraded = await degradeAll(all, states, { ...options, isDryRun: isDryFromHere, attempts, salvage });
  const forgotten = options.forgetsLost ? await attempts.unlessFailed([], () => session.forgetLost()) : [];
  const result: Omit<RepairResult, 'failure'> = {
    ok: isWhole(session, states, forgotten),
    found: session.found,
    ...mended,
    recorded: [...mended.recorded, ...settled],
    healedFiles,
    lost: [...states.flatMap(lostOf), ...lostManifestsOf(session, forgotten)],
    degraded,
    whole: wholeAgain(all, states),
    forgotten,
    left: session.left,
    unreadable: session.unreadable,
    unknown: session.unknown,
    chunksChecked: session.chunksChecked,
    bytesRead: session.bytesRead,
  };
  if (isDryRun || attempts.failure !== undefined) return { ...result, failure: attempts.failure };
  const known = knownDamage(await readLedger(store, { signal }));
  const left = result.left.filter(one => one.isHarmless || known.has(one.object)).map(one => one.object);
  const harmless = [...left, ...session.replaced, ...namesOf(forgotten)];
  const isNews = harmless.some(object => !known.has(object));
  const note = { store, host, harmless, signal };
  if (isNews || hasDone(result)) await attempts.run(undefined, () => noteInLedger(result, note));
  return { ...result, failure: attempts.failure };
}

/** What is lost of an affected snapshot; it may be nothing. */
interface SnapshotState {
  readonly snapshot: Snapshot;
  readonly losses: readonly Loss[];
  readonly more: number;
  readonly refs: readonly ChunkRef[];
  /** The medium did not say: what it failed to read may be whole. */
  readonly failure: Error | undefined;
}

async function statesOf(
  snapshots: readonly Snapshot[],
  { salvage, signal }: { readonly salvage: Salvage; readonly signal: AbortSignal },
): Promise<SnapshotState[]> {
  const states: SnapshotState[] = [];
  for (const snapshot of snapshots) {
    signal.throwIfAborted();
    try {
      const { list, more, refs } = await findLosses(snapshot, salvage);
      states.push({ snapshot, losses: list, more, refs, failure: undefined });
    } catch (error) {
      if (!isStoreError(error) || isBeyondUs(error)) throw error;
      states.push({ snapshot, losses: [], more: 0, refs: [], failure: error });
    }
  }
  return states;
}

/** What the medium just fails to read may be whole, and no snapshot may go on without it. STORE_READ_FAILED. */
function isLost(session: RepairSession, ref: ChunkRef): boolean {
  if (!session.isLost(ref)) return false;
  if (!session.isUnreadable(ref.id)) return true;
  throw storeError('STORE_READ_FAILED', 'Cannot say what is lost: the medium fails to read a part of it', {
    remedy: 'Copy the store to another medium, and repair that.',
  });
}

/** What the live home cannot heal because the store cannot be read is told with the snapshots. */
async function unlessUnreadable<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_READ_FAILED') return otherwise;
    throw error;
  }
}

/** A snapshot of what is left, for each that lacks something and has none yet that says the same. */
async function degradeAll(
  all: readonly Snapshot[],
  states: readonly SnapshotState[],
  options: RepairOptions & { readonly salvage: Salvage; readonly attempts: Attempts },
): Promise<RepairResult['degraded'][number][]> {
  const { store, host, salvage, signal, isDryRun, attempts } = options;
  const ids = new Set(all.map(({ id }) => id));
  const lacking = new Set(states.filter(isLacking).map(({ snapshot }) => snapshot.id));
  const copies = wholeCopies(all, lacking);
  const made: RepairResult['degraded'][number][] = [];
  for (const { snapshot, losses, more } of states) {
    if (losses.length === 0) continue;
    const of = snapshot.degraded?.of;
    // What is left of another snapshot is made of that one again, while it is there.
    if (of !== undefined && ids.has(of)) continue;
    const degraded: Degraded = { of: snapshot.id, losses, more };
    if (copies.get(snapshot.id)?.some(one => saysTheSame(one, degraded))) continue;
    if (isDryRun) {
      const isLeft = await attempts.run(false, () => isAnythingLeft(snapshot, { salvage, signal }));
      if (isLeft) made.push({ snapshot: null, of: snapshot.id });
    } else {
      const how = { store, host, salvage, degraded, signal };
      const id = await attempts.run(undefined, () => commitDegraded(snapshot, how));
      if (id !== undefined) made.push({ snapshot: id, of: snapshot.id });
    }
  }
  return made;
}

/** What snapshots that are whole say they lack, by the one that they were made of: there may be thousands of either. */
function wholeCopies(
  all: readonly Snapshot[],
  lacking: ReadonlySet<SnapshotId>,
): ReadonlyMap<SnapshotId, readonly Degraded[]> {
  const copies = new Map<SnapshotId, Degraded[]>();
  for (const { id, degraded } of all) {
    if (degraded === undefined || lacking.has(id)) continue;
    const known = copies.get(degraded.of);
    if (known === undefined) copies.set(degraded.of, [degraded]);
    else known.push(degraded);
  }
  return copies;
}

function saysTheSame(one: Degraded, other: Degraded): boolean {
  if (one.more !== other.more) return false;
  if (one.losses.length !== other.losses.length) return false;
  return one.losses.every(
    ({ half, text }, i) => half === other.losses[i]!.half && text === other.losses[i]!.text,
  );
}

function isLacking({ losses, failure }: SnapshotState): boolean {
  return losses.length > 0 || failure !== undefined;
}

function isWhole(
  { unreadable, left, lostManifests }: RepairSession,
  states: readonly SnapshotState[],
  forgotten: readonly ForgottenLost[],
): boolean {
  const areForgotten =
    forgotten.length === lostManifests.length && forgotten.every(({ refused }) => refused === undefined);
  return (
    !states.some(isLacking) &&
    unreadable.length === 0 &&
    left.every(({ isHarmless }) => isHarmless) &&
    (lostManifests.length === 0 || areForgotten)
  );
}

function lostOf({ snapshot: { id, instance }, losses, more, failure }: SnapshotState): LostOfSnapshot[] {
  if (losses.length === 0 && failure === undefined) return [];
  const affects = losses.map(({ half, text }) => (half === 'database' ? `database: ${text}` : text));
  if (more > 0) affects.push(`and ${more} more`);
  if (failure) affects.push(`perhaps more, since it cannot be read now: ${failure.message}`);
  return [{ snapshot: id, instance, affects }];
}

function lostManifestsOf(
  { lostManifests }: RepairSession,
  forgotten: readonly ForgottenLost[],
): LostOfSnapshot[] {
  return lostManifests
    .filter((_, i) => forgotten[i] === undefined || forgotten[i].refused !== undefined)
    .map(({ id, state }) => ({ snapshot: id, instance: null, affects: [`all of it: ${state}`] }));
}

/** Snapshots that once lacked something, by what was made of them then. */
function wholeAgain(
  all: readonly Snapshot[],
  states: readonly SnapshotState[],
): RepairResult['whole'][number][] {
  const lacking = new Set(states.filter(isLacking).map(({ snapshot }) => snapshot.id));
  const ids = new Set(all.map(({ id }) => id));
  return all.flatMap(({ id, degraded }) =>
    degraded && ids.has(degraded.of) && !lacking.has(degraded.of)
      ? [{ snapshot: degraded.of, degraded: id }]
      : [],
  );
}

/** Manifests that nobody misses any more. */
function namesOf(forgotten: readonly ForgottenLost[]): string[] {
  return forgotten.flatMap(({ id, refused }) => (id === null || refused ? [] : `manifests/${id}`));
}

function hasDone({
  rebuilt,
  recorded,
  healed,
  healedFiles,
  degraded,
  forgotten,
}: Omit<RepairResult, 'failure'>): boolean {
  const lists = [rebuilt, recorded, healed, healedFiles, degraded];
  return lists.some(list => list.length > 0) || forgotten.some(({ refused }) => refused === undefined);
}

/**
 * Its detail: numbers of what was rebuilt, recorded and healed, ids of the new snapshots of what is left, and damage that
 * is harmless, all that there is: the ledger keeps the newest act.
 */
async function noteInLedger(
  result: Omit<RepairResult, 'failure'>,
  {
    store,
    host,
    harmless,
    signal,
  }: {
    readonly store: Store;
    readonly host: string;
    readonly harmless: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { ok, rebuilt, recorded, healed, healedFiles, lost, degraded } = result;
  const detail = new Map<number, number | string[]>([
    [1, rebuilt.length],
    [2, recorded.length],
    [3, healed.length + healedFiles.length],
    [4, degraded.flatMap(({ snapshot }) => snapshot ?? [])],
    [knownDamageField, [...harmless]],
  ]);
  const snapshots = lost.flatMap(({ snapshot }) => snapshot ?? []);
  await appendLedger(store, { act: 'repaired', host, isOk: ok, snapshots, packs: [], detail }, { signal });
}
