import { type LoadedIndex, loadIndex } from '../chunk-index/load.ts';
import type { StoreContext } from '../context.ts';
import type { PackId, SessionId, SnapshotId } from '../ids.ts';
import { type Generations, readGenerations } from '../protocol/generations.ts';
import { aliveSessions, isOfOne } from './alive.ts';
import { type Marked, mark } from './mark.ts';
import { type PrunePlan, planPrune } from './plan.ts';
import { readRoots } from './roots.ts';
import type { IsTimeUp } from './time.ts';

/** One look at everything, and what follows from it. */
export interface Survey {
  /** What gc/ said before. */
  readonly since: Generations;
  readonly loaded: LoadedIndex;
  readonly marked: Marked;
  readonly plan: PrunePlan;
  readonly leftoverManifests: readonly SnapshotId[];
  /** Packs that this prune wrote before. */
  readonly isOwn: (pack: PackId) => boolean;
}

export interface SurveyOptions {
  /** The session that asks; without one nothing is written. */
  readonly session?: SessionId | undefined;
  /** Sessions that this prune found dead; in a dry run they may still be there. */
  readonly dead: ReadonlySet<SessionId>;
  /** Treated as if they were forgotten. */
  readonly forgetting?: Iterable<SnapshotId> | undefined;
  readonly mayBeEmpty?: boolean | undefined;
  readonly remembered?: readonly SnapshotId[] | undefined;
  readonly isTimeUp?: IsTimeUp | undefined;
  readonly onRoot?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Undefined: the time was over before it was known what is needed. */
export async function survey(context: StoreContext, options: SurveyOptions): Promise<Survey | undefined> {
  const { session, dead, forgetting, mayBeEmpty, remembered, isTimeUp, onRoot, signal } = options;
  const since = await readGenerations(context, { signal });
  const {
    roots,
    leftovers: leftoverManifests,
    hasBackup,
  } = await readRoots(context, {
    ...{ forgetting: new Set(forgetting), mayBeEmpty, remembered },
    ...{ own: session, dead, signal },
  });
  const wasAlive = await aliveSessions(context, { dead, signal });
  const loaded = await loadIndex(context, { purpose: 'prune', signal });
  // Of a session that has begun meanwhile packs may be listed already.
  const isAliveNow = await aliveSessions(context, { dead, signal });
  // A backup that is at work may be the one that died, begun again, and count on what that one had stored.
  const isOfDead = isOfOne(hasBackup ? dead : []);
  const isAlive = (pack: PackId): boolean => wasAlive(pack) || isAliveNow(pack) || isOfDead(pack);
  const marked = await mark(
    context,
    { loaded, roots },
    { since, isTimeUp, ...(onRoot && { onRoot }), signal },
  );
  if (marked === undefined) return undefined;
  const isOwn = isOfOne(session === undefined ? [] : [session]);
  const plan = planPrune({ loaded, marked, isAlive, isOwn });
  return { since, loaded, marked, plan, leftoverManifests, isOwn };
}
