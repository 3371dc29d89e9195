import {
  beginPrune,
  type Clock,
  isBeyondUs,
  isForbidden,
  isStoreError,
  type Pending,
  type Reclaimed,
  readHolds,
  readLedger,
  type SnapshotId,
  type Store,
  storeError,
} from '../../store/index.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { wholeAndProven } from '../proven.ts';
import { listSnapshots } from '../snapshots.ts';
import { applyRetention, type Retainable, type RetentionPolicy, type Verdict } from './retention.ts';

/** A policy and the time zone that its days are of. */
export interface Retention {
  readonly policy: RetentionPolicy;
  /** An IANA name. */
  readonly timeZone: string;
}

export interface PruneOptions {
  readonly store: Store;
  readonly host: string;
  readonly clock: Clock;
  /** null: no snapshot is forgotten, only space is reclaimed. */
  readonly retention: Retention | null;
  /** The policy is for this instance alone; without it for each by itself. */
  readonly instance: string | undefined;
  /** Without a snapshot of that instance: false: SNAPSHOT_UNKNOWN; true: a warning, since the first may be still to come. */
  readonly mayBeUnknown: boolean;
  readonly isDryRun: boolean;
  /** For how long another prune is waited for. Default: not at all. */
  readonly waitMs?: number | undefined;
  /** So long it may take; past it the next step is the next prune's. */
  readonly maxDurationMs?: number | undefined;
  /** True: that no snapshot is left is as it should be. Else a list without any is taken for one that is not whole. */
  readonly mayBeEmpty: boolean;
  /** Told of each other session that may still be alive, when the wait for a sign of it begins. */
  readonly onWait: (session: { readonly host: string; readonly purpose: string }) => void;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

export interface PrunedSnapshot {
  readonly snapshot: Snapshot;
  readonly isHeld: boolean;
  /** What keeps it, or that nothing does. */
  readonly reasons: readonly string[];
}

export interface PruneResult {
  /** Both in the store's order, oldest first. */
  readonly kept: readonly PrunedSnapshot[];
  readonly forgotten: readonly PrunedSnapshot[];
  readonly freedBytes: number;
  /** What no snapshot needs, and yet cannot be freed this time. */
  readonly pendingBytes: number;
  /** The same, by what keeps it. */
  readonly pending: Pending;
  /** Where the time was over; undefined: it sufficed. */
  readonly stoppedIn: Reclaimed['stoppedIn'];
  /** Sentences about what was done without. */
  readonly warnings: readonly string[];
}

const retryEveryMs = 2_000;

/**
 * Forgets what the policy does not keep, then frees what no snapshot needs any more. Refuses before anything is
 * forgotten: STORE_LOCKED while another prune is at work, STORE_DAMAGED when a manifest cannot be read, STORE_IMPLAUSIBLE
 * when there is none, SNAPSHOT_UNKNOWN where there is none of the instance. A dry run decides the same and changes nothing.
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const { clock, waitMs = 0, signal } = options;
  const startedMs = clock.monotonicMs();
  for (;;) {
    try {
      return await pruneOnce(options);
    } catch (error) {
      const isOver = clock.monotonicMs() - startedMs >= waitMs;
      if (isOver || !isStoreError(error) || error.code !== 'STORE_LOCKED') throw error;
      await clock.sleep(retryEveryMs, signal);
    }
  }
}

async function pruneOnce(options: PruneOptions): Promise<PruneResult> {
  const { store, host, clock, signal, isDryRun, mayBeEmpty, onWait, maxDurationMs } = options;
  const startedMs = clock.monotonicMs();
  await using session = await beginPrune(store, { host, dryRun: isDryRun, onWait, signal });
  const { decided, warnings } = await decide(options);
  const kept = decided.filter(({ isKept }) => isKept);
  const forgotten = decided.filter(({ isKept }) => !isKept);
  const ids = forgotten.map(({ snapshot }) => snapshot.id);
  if (!isDryRun) await session.forget(ids, { reason: 'no rule keeps it', signal });
  const isTimeUp = (share = 1) => clock.monotonicMs() - startedMs >= (maxDurationMs ?? Infinity) * share;
  const { freedBytes, pendingBytes, pending, stoppedIn } = await session.reclaim({
    ...(isDryRun && { dryRun: true, forgetting: ids }),
    ...(maxDurationMs !== undefined && { isTimeUp }),
    mayBeEmpty,
    signal,
    onProgress: ({ phase, done, total }) =>
      options.onProgress({ phase: `prune-${phase}`, steps: done, stepsTotal: total }),
  });
  return { kept, forgotten, freedBytes, pendingBytes, pending, stoppedIn, warnings };
}

type Retained = Snapshot & Retainable;
type Decided = Verdict<Retained> & { readonly isHeld: boolean };

/** Decides about every snapshot, each instance by itself, and in it each write-only host. */
async function decide(
  options: PruneOptions,
): Promise<{ readonly decided: Decided[]; readonly warnings: readonly string[] }> {
  const { store, retention, instance, mayBeUnknown, clock, signal } = options;
  const held = await readHolds(store, { signal });
  const ledger = await readLedger(store, { signal });
  const snapshots = await readableSnapshots(store);
  const instances = new Set(snapshots.map(snapshot => snapshot.instance));
  const isUnknown = instance !== undefined && snapshots.length > 0 && !instances.has(instance);
  if (isUnknown && !mayBeUnknown) throw unknownInstance(store, instance, instances);
  const verdicts = new Map<string, Verdict<Retained>>();
  for (const group of new Set(snapshots.map(groupOf))) {
    const members = snapshots.filter(one => groupOf(one) === group);
    const own = members.filter(one => !standsFor(one, snapshots));
    const name = members[0]!.instance;
    const isProven = wholeAndProven(own);
    const retained = own.map(snapshot => ({
      ...snapshot,
      isProven: isProven(snapshot),
      isVerified: ledger.wasVerified(snapshot.id),
      isDrilled: ledger.wasDrilled(snapshot.id),
    }));
    const isMeant = instance === undefined || instance === name;
    const policy = retention && isMeant ? retention.policy : {};
    const timeZone = retention?.timeZone ?? 'UTC';
    for (const verdict of applyRetention(retained, { policy, timeZone, nowMs: clock.nowMs(), held }))
      verdicts.set(verdict.snapshot.id, isMeant ? verdict : { ...verdict, reasons: ['another instance'] });
  }
  const decidedOf = (snapshot: Snapshot): Decided => {
    const isHeld = held.has(snapshot.id);
    const original = standsFor(snapshot, snapshots);
    if (original === undefined) return { ...verdicts.get(snapshot.id)!, isHeld };
    const isKept = isHeld || verdicts.get(original)!.isKept;
    const reasons = [...(isHeld ? ['hold'] : []), `what is left of ${original.slice(0, 8)}`];
    const proof = { isProven: false, isVerified: false, isDrilled: false };
    return { snapshot: { ...snapshot, ...proof }, isKept, reasons, isHeld };
  };
  const unread = ledger.problems.map(({ object }) => object).join(', ');
  return {
    decided: snapshots.map(decidedOf),
    warnings: [
      ...(isUnknown
        ? [`${store.location} has no snapshot of ${instance}, so the policy decides about none`]
        : []),
      ...(unread
        ? [`${unread} cannot be read: what it says of verified and drilled snapshots is not known`]
        : []),
    ],
  };
}

/** The snapshot that is there and of which this is what is left: both stay or go together, and count as one. */
function standsFor({ degraded }: Snapshot, snapshots: readonly Snapshot[]): SnapshotId | undefined {
  const byId = (id: SnapshotId) => snapshots.find(one => one.id === id);
  let original = degraded && byId(degraded.of);
  while (original?.degraded && byId(original.degraded.of)) original = byId(original.degraded.of);
  return original?.id;
}

function unknownInstance(store: Store, instance: string, instances: ReadonlySet<string>): Error {
  return storeError(
    'SNAPSHOT_UNKNOWN',
    `Cannot prune ${instance} in ${store.location}: no snapshot is of that instance`,
    { remedy: `The store holds ${[...instances].join(', ')}.`, context: { instances: [...instances] } },
  );
}

/** What a write-only host says pushes nobody else's snapshots out: each is a group of its own. */
function groupOf({ instance, host, isWriteOnly }: Snapshot): string {
  return JSON.stringify(isWriteOnly ? [instance, host] : [instance]);
}

async function readableSnapshots(store: Store): Promise<Snapshot[]> {
  const damaged: SnapshotId[] = [];
  const onDamage = (id: SnapshotId, error: Error) => {
    // Whole for all that anybody knows: rights or keys are to be mended, and nothing forgotten.
    if (isForbidden(error) || isBeyondUs(error)) throw error;
    damaged.push(id);
  };
  const snapshots = await listSnapshots(store, { onDamage });
  const [first] = damaged;
  if (first === undefined) return snapshots;
  throw storeError(
    'STORE_DAMAGED',
    `Cannot prune ${store.location}: ${damaged.map(id => `manifests/${id}`).join(', ')} cannot be read, so what is needed is not known`,
    {
      remedy: `Bring the object back from a copy of the store; if there is none, run \`stillpoint repair --forget-lost\`, or drop that snapshot alone with \`stillpoint forget ${first.slice(0, 8)}\`.`,
      context: { objects: damaged.map(id => `manifests/${id}`) },
    },
  );
}
