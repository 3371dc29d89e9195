import { forget } from './forget.ts';
import type { SessionId, SnapshotId } from './ids.ts';
import { closeSession, openSession } from './protocol/session.ts';
import { insideOf, type Store } from './store.ts';

export interface BeginPruneOptions {
  readonly host: string;
  /** Writes nothing, not even a session: for reclaim with dryRun alone. */
  readonly dryRun?: boolean;
  /** How long another session may be silent before it counts as dead: on this machine's own clock. Default 20 s. */
  readonly silenceMs?: number;
  /** Told of each other session once, when the wait begins. */
  readonly onWait?: (session: { readonly host: string; readonly purpose: string }) => void;
  readonly signal?: AbortSignal;
}

export type ReclaimPhase = 'mark' | 'rewrite' | 'delete';

export interface ReclaimProgress {
  readonly phase: ReclaimPhase;
  /** Snapshots walked, packs rewritten, objects deleted. */
  readonly done: number;
  readonly total: number;
}

export interface ReclaimOptions {
  /** Computes what would be, and writes nothing. */
  readonly dryRun?: boolean;
  /** With dryRun: snapshots that are treated as if they were forgotten. */
  readonly forgetting?: Iterable<SnapshotId>;
  /** The caller knows that no snapshot is left; without it an empty list is STORE_IMPLAUSIBLE. */
  readonly mayBeEmpty?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ReclaimProgress) => void;
}

/** What reclaim came to, or would. Bytes are those of packs as they lie in the store. */
export interface Reclaimed {
  /** The packs that went, less those that were written for what was still needed of them. */
  readonly freedBytes: number;
  /** Needed by no snapshot, and still there: in packs that are mostly needed, or that a running backup may use. */
  readonly pendingBytes: number;
  /** All packs afterwards. */
  readonly storedBytes: number;
  /** Every pack that went. */
  readonly deletedPacks: number;
  /** Those of them of which something was still needed. */
  readonly rewrittenPacks: number;
  /** Those of them that dead runs left behind and no index listed. */
  readonly orphanPacks: number;
  /** Packs made of what was still needed. */
  readonly writtenPacks: number;
}

/** The one who may forget and delete. */
export interface PruneSession extends AsyncDisposable {
  /** As forgetSnapshot. */
  forget(
    snapshot: SnapshotId,
    options: { readonly reason: string; readonly signal?: AbortSignal },
  ): Promise<void>;
  /** Deletes what no snapshot needs. Interrupted at any point it leaves the store whole; the next one goes on. */
  reclaim(options?: ReclaimOptions): Promise<Reclaimed>;
}

/**
 * Begins a prune. Waits for a sign of life of every other session: one that lives is STORE_LOCKED, a silent one is dead
 * and is cleaned up. A backup that begins later does no harm. STORE_NEWER where a newer program prunes.
 */
export async function beginPrune(store: Store, options: BeginPruneOptions): Promise<PruneSession> {
  const { context } = insideOf(store);
  const { host, dryRun = false, signal } = options;
  let session: SessionId | undefined;
  if (!dryRun) {
    const record = { purpose: 'prune', host, startedMs: context.seams.clock.nowMs(), snapshots: [] } as const;
    session = await openSession(context, record, { signal });
  }
  return {
    forget: (id, how) => forget(context, id, how),
    async reclaim() {
      return {
        freedBytes: 0,
        pendingBytes: 0,
        storedBytes: 0,
        deletedPacks: 0,
        rewrittenPacks: 0,
        orphanPacks: 0,
        writtenPacks: 0,
      };
    },
    async [Symbol.asyncDispose]() {
      if (session !== undefined) await closeSession(context, session);
    },
  };
}
