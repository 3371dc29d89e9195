import {
  beginPrune,
  type Clock,
  readHolds,
  type SnapshotId,
  type Store,
  storeError,
} from '../../store/index.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { listSnapshots } from '../snapshots.ts';
import { applyRetention, type RetentionPolicy, type Verdict } from './retention.ts';

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
  readonly isDryRun: boolean;
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
}

/**
 * Forgets what the policy does not keep, then frees what no snapshot needs any more. Refuses before anything is
 * forgotten: STORE_LOCKED while somebody else works with the store, STORE_DAMAGED when a manifest cannot be read, STORE_IMPLAUSIBLE
 * when there is none. A dry
 * run decides the same and changes nothing.
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const { store, host, signal, isDryRun, mayBeEmpty, onWait } = options;
  await using session = await beginPrune(store, { host, dryRun: isDryRun, onWait, signal });
  const decided = await decide(options);
  const kept = decided.filter(({ isKept }) => isKept);
  const forgotten = decided.filter(({ isKept }) => !isKept);
  const ids = forgotten.map(({ snapshot }) => snapshot.id);
  if (!isDryRun) for (const id of ids) await session.forget(id, { reason: 'no rule keeps it', signal });
  const { freedBytes, pendingBytes } = await session.reclaim({
    ...(isDryRun && { dryRun: true, forgetting: ids }),
    mayBeEmpty,
    signal,
    onProgress: ({ phase, done, total }) =>
      options.onProgress({ phase: `prune-${phase}`, steps: done, stepsTotal: total }),
  });
  return { kept, forgotten, freedBytes, pendingBytes };
}

type Decided = Verdict<Snapshot> & { readonly isHeld: boolean };

/** Decides about every snapshot, each instance by itself, and in it each write-only host. */
async function decide(options: PruneOptions): Promise<Decided[]> {
  const { store, retention, instance, clock, signal } = options;
  const held = await readHolds(store, { signal });
  const snapshots = await readableSnapshots(store);
  const verdicts = new Map<string, Verdict<Snapshot>>();
  for (const group of new Set(snapshots.map(groupOf))) {
    const own = snapshots.filter(snapshot => groupOf(snapshot) === group);
    const name = own[0]!.instance;
    const isMeant = instance === undefined || instance === name;
    const policy = retention && isMeant ? retention.policy : {};
    const timeZone = retention?.timeZone ?? 'UTC';
    for (const verdict of applyRetention(own, { policy, timeZone, nowMs: clock.nowMs(), held })) {
      verdicts.set(verdict.snapshot.id, isMeant ? verdict : { ...verdict, reasons: ['another instance'] });
    }
  }
  return snapshots.map(({ id }) => ({ ...verdicts.get(id)!, isHeld: held.has(id) }));
}

/** What a write-only host says pushes nobody else's snapshots out: each is a group of its own. */
function groupOf({ instance, host, isWriteOnly }: Snapshot): string {
  return JSON.stringify(isWriteOnly ? [instance, host] : [instance]);
}

async function readableSnapshots(store: Store): Promise<Snapshot[]> {
  const damaged: SnapshotId[] = [];
  const snapshots = await listSnapshots(store, { onDamage: id => void damaged.push(id) });
  const [first] = damaged;
  if (first === undefined) return snapshots;
  throw storeError(
    'STORE_DAMAGED',
    `Cannot prune ${store.location}: ${damaged.map(id => `manifests/${id}`).join(', ')} cannot be read, so what is needed is not known`,
    {
      remedy: `Bring the object back from a copy of the store, or drop that snapshot with \`stillpoint forget ${first.slice(0, 8)}\`.`,
      context: { objects: damaged.map(id => `manifests/${id}`) },
    },
  );
}
