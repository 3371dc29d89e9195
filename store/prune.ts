import { type StillpointError, storeError } from './errors.ts';
import { forgetAll } from './forget.ts';
import type { SessionId, SnapshotId } from './ids.ts';
import { renewKeys, writeOnly } from './keys/index.ts';
import { isFull } from './medium-error.ts';
import { readGenerations } from './protocol/generations.ts';
import { beginSession, type LiveSession } from './protocol/session.ts';
import { endSilentSessions, findSilentSessions, type OtherSession } from './prune/fence.ts';
import { nothingReclaimed, type Reclaimed } from './prune/outcome.ts';
import { estimateReclaim, type ReclaimOptions, reclaim } from './prune/reclaim.ts';
import { isUnused, readRoots } from './prune/roots.ts';
import { withReserve } from './reserve.ts';
import { insideOf, type Store } from './store.ts';

export type { OtherSession } from './prune/fence.ts';
export type { Pending, Reclaimed } from './prune/outcome.ts';
export type { ReclaimOptions, ReclaimPhase, ReclaimProgress } from './prune/reclaim.ts';
export type { IsTimeUp } from './prune/time.ts';

export interface BeginPruneOptions {
  readonly host: string;
  /** Writes nothing, not even a session, and refuses for nobody: then nothing is forgotten and reclaim only estimates. */
  readonly dryRun?: boolean;
  /** How long another session may be silent before it counts as dead, on this machine's own clock. Default 20 s. */
  readonly silenceMs?: number;
  /** Told of each other session when the wait for a sign of life begins. */
  readonly onWait?: (session: OtherSession) => void;
  /** Told at each look how long they have been silent; and of each that is taken for dead, when it is cleaned up. */
  readonly onSilence?: (silence: { readonly forMs: number; readonly ofMs: number }) => void;
  readonly onDead?: (session: OtherSession) => void;
  readonly signal?: AbortSignal;
}

/** The one who may delete. */
export interface PruneSession extends AsyncDisposable {
  /**
   * As forgetSnapshots. What would stop reclaim before it deletes anything stops this before it forgets anything:
   * STORE_IMPLAUSIBLE where snapshots that must be there are not listed, STORE_DAMAGED where a manifest cannot be read.
   */
  forget(
    snapshots: SnapshotId | readonly SnapshotId[],
    options: {
      readonly reason: string;
      /** As reclaim's. */
      readonly remembered?: readonly SnapshotId[] | undefined;
      readonly signal?: AbortSignal;
    },
  ): Promise<void>;
  /**
   * Deletes what no snapshot needs. Interrupted at any point it leaves the store whole, and the next one goes on.
   * STORE_DAMAGED where a snapshot cannot be walked, STORE_IMPLAUSIBLE where snapshots that must be there are not listed:
   * then nothing is deleted.
   */
  reclaim(options?: ReclaimOptions): Promise<Reclaimed>;
}

const defaultSilenceMs = 20_000;

/**
 * Begins a prune. Looks for a sign of life of every other session, which takes some seconds where there are any and silenceMs
 * where one is dead: a silent one is cleaned up, another prune that lives is STORE_LOCKED, and everybody else goes on beside
 * this one. STORE_NEWER where a newer program prunes.
 */
export async function beginPrune(store: Store, options: BeginPruneOptions): Promise<PruneSession> {
  const { context, keys } = insideOf(store);
  if (store.host !== undefined) throw writeOnly(store.host, 'what a prune needs');
  await renewKeys(context.backend, keys);
  const { host, dryRun = false, silenceMs = defaultSilenceMs, onWait, onSilence, onDead, signal } = options;
  const { last } = await readGenerations(context, { signal, reading: 'mending' });
  const watch = { silenceMs, onWait, onSilence, onDead, signal };
  let live: LiveSession | undefined;
  let dead: ReadonlySet<SessionId>;
  if (dryRun) dead = await findSilentSessions(context, watch);
  else {
    const record = { purpose: 'prune', host, startedMs: context.seams.clock.nowMs(), snapshots: [] } as const;
    live = await withReserve(context, () => beginSession(context, record, { signal }));
    try {
      dead = await endSilentSessions(context, { own: live.id, generation: last + 1, ...watch });
    } catch (error) {
      await live.end();
      throw error;
    }
  }
  let isOpen = true;
  const session = (): LiveSession | undefined => {
    if (!isOpen) throw new TypeError('Cannot use a prune session: it has ended');
    return live;
  };
  return {
    async forget(ids, how) {
      const own = session();
      if (own === undefined) throw new TypeError('Cannot forget in a dry run');
      const forgetting = typeof ids === 'string' ? [ids] : ids;
      if (forgetting.length === 0) return;
      const { remembered, signal } = how;
      await readRoots(context, { forgetting: new Set(forgetting), remembered, own: own.id, dead, signal });
      await forgetAll(context, forgetting, how);
    },
    async reclaim(how = {}) {
      const own = session();
      if (how.forgetting !== undefined && own !== undefined && !how.dryRun)
        throw new TypeError('Cannot treat snapshots as forgotten but in a dry run: forget them');
      if (await isUnused(context, { signal: how.signal })) return nothingReclaimed;
      if (own === undefined || how.dryRun) return estimateReclaim(context, { session: own?.id, dead }, how);
      return reclaim(context, { session: own.id, dead }, how).catch(async (error: unknown) => {
        // Another prune that took this one for dead has taken away what it reads.
        const explained = await own.explain(error);
        throw isFull(explained) ? tooFull(explained) : explained;
      });
    },
    async [Symbol.asyncDispose]() {
      isOpen = false;
      await live?.end();
      if (live) await context.backend.keepReserve?.();
    },
  };
}

/** Elsewhere the advice is to prune. */
function tooFull(error: StillpointError): Error {
  return storeError('STORE_WRITE_FAILED', error.message, {
    remedy: 'Free some space or inodes on the file system of the store by other means, then prune again.',
    context: error.context,
    cause: error,
  });
}
