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
import { printableText } from '../look/names.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { wholeAndProven } from '../proven.ts';
import { listSnapshots } from '../snapshots.ts';
import {
  absentTags,
  applyRetention,
  type Retainable,
  type RetentionPolicy,
  type Verdict,
} from './retention.ts';

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
  /** Snapshots that this host committed, and misses where they are gone. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  /** For how long another prune is waited for. Default: not at all. */
  readonly waitMs?: number | undefined;
  /** So long it may take; past it the next step is the next prune's. */
  readonly maxDurationMs?: number | undefined;
  /** True: that no snapshot is left is as it should be. Else a list without any is taken for one that is not whole. */
  readonly mayBeEmpty: boolean;
  /** Told of each other session that may still be alive, when the wait for a sign of it begins. */
  readonly onWait: (session: { readonly host: string; readonly purpose: string }) => void;
  /** Told of each that showed none, and is cleaned up after. */
  readonly onDead?: ((session: { readonly host: string; readonly purpose: string }) => void) | undefined;
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
  /** Room for the copies without which `pending.roomBytes` stays. */
  readonly roomNeededBytes: number;
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
  await using session = await beginPrune(store, {
    host,
    dryRun: isDryRun,
    onWait,
    onSilence: ({ forMs, ofMs }) =>
      options.onProgress({
        phase: 'prune-wait',
        steps: Math.round(forMs / 1000),
        stepsTotal: Math.round(ofMs / 1000),
      }),
    ...(options.onDead && { onDead: options.onDead }),
    signal,
  });
  const { decided, warnings } = await decide(options);
  const kept = decided.filter(({ isKept }) => isKept);
  const forgotten = decided.filter(({ isKept }) => !isKept);
  const ids = forgotten.map(({ snapshot }) => snapshot.id);
  const { remembered } = options;
  if (!isDryRun) await session.forget(ids, { reason: 'no rule keeps it', remembered, signal });
  const isTimeUp = (share = 1) => clock.monotonicMs() - startedMs >= (maxDurationMs ?? Infinity) * share;
  const { freedBytes, pendingBytes, pending, roomNeededBytes, stoppedIn } = await session.reclaim({
    ...(isDryRun && { dryRun: true, forgetting: ids }),
    ...(maxDurationMs !== undefined && { isTimeUp }),
    mayBeEmpty,
    remembered,
    signal,
    onProgress: ({ phase, done, total }) =>
      options.onProgress({ phase: `prune-${phase}`, steps: done, stepsTotal: total }),
  });
  return { kept, forgotten, freedBytes, pendingBytes, pending, roomNeededBytes, stoppedIn, warnings };
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
  const originals = originalsOf(snapshots);
  for (const members of groupsOf(snapshots)) {
    const own = members.filter(one => !originals.has(one.id));
    const name = members[0]!.instance;
    const isProven = wholeAndProven(own);
    const retained = own.map(snapshot => ({
      ...snapshot,
      isProven: isProven(snapshot),
      isVerified: ledger.wasVerified(snapshot.id) || (ledger.problems.length > 0 && ('maybe' as const)),
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
    const original = originals.get(snapshot.id);
    if (original === undefined) return { ...verdicts.get(snapshot.id)!, isHeld };
    const isKept = isHeld || verdicts.get(original)!.isKept;
    const reasons = [...(isHeld ? ['hold'] : []), `what is left of ${original.slice(0, 8)}`];
    const proof = { isProven: false, isVerified: false, isDrilled: false };
    return { snapshot: { ...snapshot, ...proof }, isKept, reasons, isHeld };
  };
  const meant = snapshots.filter(one => instance === undefined || instance === one.instance);
  const absent = retention ? absentTags(retention.policy, meant) : [];
  const unread = ledger.problems.map(({ object }) => object).join(', ');
  return {
    decided: snapshots.map(decidedOf),
    warnings: [
      ...(isUnknown
        ? [`${store.location} has no snapshot of ${instance}, so the policy decides about none`]
        : []),
      ...(absent.length > 0
        ? [`no snapshot has the tag ${absent.map(printableText).join(', ')}, and no other rule keeps any`]
        : []),
      ...(unread
        ? [
            `${unread} cannot be read: which snapshots were verified and drilled is not known for certain, so all after the newest that is known to be verified stay. Run \`stillpoint verify\``,
          ]
        : []),
    ],
  };
}

/**
 * By what is left of a snapshot that is there, that one: both stay or go together, and count as one. Of what was made of
 * each other in a circle, which nothing of this program does, each is one of its own.
 */
export function originalsOf(snapshots: readonly Snapshot[]): ReadonlyMap<SnapshotId, SnapshotId> {
  const byId = new Map(snapshots.map(one => [one.id, one]));
  const originals = new Map<SnapshotId, SnapshotId>();
  const seen = new Set<SnapshotId>();
  for (const snapshot of snapshots) {
    const path: SnapshotId[] = [];
    let one: Snapshot | undefined = snapshot;
    while (one !== undefined && !seen.has(one.id)) {
      seen.add(one.id);
      path.push(one.id);
      one = one.degraded && byId.get(one.degraded.of);
    }
    const isCircle = one !== undefined && path.includes(one.id);
    const root = one === undefined ? path.at(-1) : isCircle ? undefined : (originals.get(one.id) ?? one.id);
    if (root !== undefined) for (const id of path) if (id !== root) originals.set(id, root);
  }
  return originals;
}

function unknownInstance(store: Store, instance: string, instances: ReadonlySet<string>): Error {
  return storeError(
    'SNAPSHOT_UNKNOWN',
    `Cannot prune ${instance} in ${store.location}: no snapshot is of that instance`,
    { remedy: `The store holds ${[...instances].join(', ')}.`, context: { instances: [...instances] } },
  );
}

function groupsOf(snapshots: readonly Snapshot[]): Iterable<readonly Snapshot[]> {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const group = groups.get(groupOf(snapshot));
    if (group === undefined) groups.set(groupOf(snapshot), [snapshot]);
    else group.push(snapshot);
  }
  return groups.values();
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
