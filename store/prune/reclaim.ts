import { type LoadedIndex, loadIndex } from '../chunk-index/load.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import type { PackId, SessionId, SnapshotId } from '../ids.ts';
import { manifestName } from '../manifest.ts';
import { isFull } from '../medium-error.ts';
import { packName } from '../pack/row.ts';
import { type Generations, generationName, readGenerations } from '../protocol/generations.ts';
import { putRecord } from '../protocol/note.ts';
import { type GenerationRecord, generationRecord } from '../protocol/records.ts';
import { aliveSessions } from './alive.ts';
import { type Marked, mark } from './mark.ts';
import { type PrunePlan, planPrune } from './plan.ts';
import { type Rewritten, rewritePacks } from './rewrite.ts';
import { readRoots } from './roots.ts';
import { finishGeneration, putSweep } from './sweep.ts';

export type ReclaimPhase = 'mark' | 'rewrite' | 'delete';

export interface ReclaimProgress {
  readonly phase: ReclaimPhase;
  /** Snapshots walked, packs copied from, objects deleted. */
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
  /** The packs that went, less those that were written for what was still needed of them. Negative where a veto kept them. */
  readonly freedBytes: number;
  /** Needed by no snapshot, and still there: in packs that are mostly needed, or that a running backup uses. */
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
  /** Packs that were worth copying from and could not be read: they stay. Verify names the damage. */
  readonly unreadablePacks: number;
}

/** Of a store in which nothing was ever stored. */
export const nothingReclaimed: Reclaimed = {
  freedBytes: 0,
  pendingBytes: 0,
  storedBytes: 0,
  deletedPacks: 0,
  rewrittenPacks: 0,
  orphanPacks: 0,
  writtenPacks: 0,
  unreadablePacks: 0,
};

/** One look at everything, and what follows from it. */
interface Survey {
  /** What gc/ said before. */
  readonly since: Generations;
  readonly loaded: LoadedIndex;
  readonly marked: Marked;
  readonly plan: PrunePlan;
  readonly leftoverManifests: readonly SnapshotId[];
}

/** What reclaim would do; writes nothing. */
export async function estimateReclaim(context: StoreContext, options: ReclaimOptions): Promise<Reclaimed> {
  const { loaded, plan } = await survey(context, {}, options);
  const { dead, orphans, rewritten, leftovers } = plan;
  const gone = [...dead, ...orphans, ...leftovers, ...rewritten.map(({ pack }) => pack)];
  const liveBytes = Math.round(rewritten.reduce((sum, pack) => sum + pack.liveBytes, 0));
  return {
    ...outcome(loaded, { gone, writtenBytes: liveBytes, pendingBytes: plan.pendingBytes }),
    rewrittenPacks: rewritten.length,
    orphanPacks: orphans.length,
    writtenPacks: liveBytes === 0 ? 0 : Math.max(1, Math.round(liveBytes / packTargetBytes)),
    unreadablePacks: 0,
  };
}

/** Deletes what nothing needs, in the order that STORE and FORMAT.md, 11, give. */
export async function reclaim(
  context: StoreContext,
  { session }: { readonly session: SessionId },
  options: ReclaimOptions,
): Promise<Reclaimed> {
  const { signal, onProgress, mayBeEmpty } = options;
  const onDelete = (done: number, total: number) => onProgress?.({ phase: 'delete', done, total });
  const { open } = await readGenerations(context, { signal, reading: 'mending' });
  if (open !== undefined && !open.record && !open.sweep) {
    // Nobody can say what was proposed, so nothing of it goes.
    const sweep = { number: open.number, packs: [], indexParts: [] };
    await putSweep(context, { session, sweep }, { signal });
  }
  if (open !== undefined)
    await finishGeneration(context, { session, number: open.number, mayBeEmpty }, { onDelete, signal });
  // Only now: what is decided from here on is decided after every earlier generation was done with.
  const { since, loaded, marked, plan, leftoverManifests } = await survey(context, { session }, options);
  await removeLeftovers(context, { manifests: leftoverManifests, packs: plan.leftovers }, { signal });
  const rewrite = (packs: PrunePlan['rewritten']) =>
    rewritePacks(
      context,
      { session, loaded, marked, packs, alsoList: plan.toList },
      { onPack: (done, total) => onProgress?.({ phase: 'rewrite', done, total }), signal },
    );
  const rewritten = await rewrite(plan.rewritten).catch(async (error: unknown) => {
    // No room for copies: what nothing at all is needed of can go without, and makes room for the next prune.
    if (!isFull(error) || plan.dead.length + plan.orphans.length === 0) throw error;
    await context.backend.sync();
    return rewrite([]);
  });
  const record = await propose(context, { session, since, loaded, plan, rewritten }, { signal });
  const before = marked;
  const sweep =
    record &&
    (await finishGeneration(
      context,
      { session, number: record.number, before, mayBeEmpty },
      { onDelete, signal },
    ));
  const nowMs = context.seams.clock.nowMs();
  await context.backend.removeLeftovers?.({ nowMs, ...(signal && { signal }) });
  const gone = new Set<PackId>([...(sweep?.packs ?? []), ...plan.leftovers]);
  return {
    ...outcome(loaded, {
      gone: [...gone],
      writtenBytes: rewritten.writtenBytes,
      pendingBytes: plan.pendingBytes + sparedBytes(loaded, { record, gone }),
    }),
    rewrittenPacks: rewritten.packs.filter(pack => gone.has(pack)).length,
    orphanPacks: plan.orphans.filter(pack => gone.has(pack)).length,
    writtenPacks: rewritten.writtenPacks,
    unreadablePacks: rewritten.unreadable.length,
  };
}

const packTargetBytes = 16 * 1024 * 1024;

async function survey(
  context: StoreContext,
  { session }: { readonly session?: SessionId },
  { forgetting, mayBeEmpty, signal, onProgress }: ReclaimOptions,
): Promise<Survey> {
  const since = await readGenerations(context, { signal });
  const { roots, leftovers } = await readRoots(context, {
    forgetting: new Set(forgetting),
    mayBeEmpty,
    own: session,
    signal,
  });
  const isAlive = await aliveSessions(context, { signal });
  const loaded = await loadIndex(context, { purpose: 'prune', signal });
  const onRoot = (done: number, total: number) => onProgress?.({ phase: 'mark', done, total });
  const marked = await mark(context, { loaded, roots }, { since, onRoot, signal });
  const plan = planPrune({ loaded, marked, isAlive });
  return { since, loaded, marked, plan, leftoverManifests: leftovers };
}

/** What was forgotten or swept for good before, and is still there: no decision is left to make. */
async function removeLeftovers(
  { backend }: StoreContext,
  { manifests, packs }: { readonly manifests: readonly SnapshotId[]; readonly packs: readonly PackId[] },
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<void> {
  const call = signal ? { signal } : {};
  for (const id of manifests) await backend.delete(manifestName(id), call);
  for (const pack of packs) await backend.delete(packName(pack), call);
}

/** Creates the next generation; undefined when there is nothing to go. STORE_LOCKED when another run was first. */
async function propose(
  context: StoreContext,
  {
    session,
    since,
    loaded,
    plan,
    rewritten,
  }: {
    readonly session: SessionId;
    readonly since: Generations;
    readonly loaded: LoadedIndex;
    readonly plan: PrunePlan;
    readonly rewritten: Rewritten;
  },
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<GenerationRecord | undefined> {
  const number = since.last + 1;
  const record: GenerationRecord = {
    number,
    createdMs: context.seams.clock.nowMs(),
    dead: plan.dead,
    rewritten: rewritten.packs,
    orphans: plan.orphans,
    indexParts: replacedParts(loaded),
  };
  const { dead, orphans, indexParts } = record;
  if (dead.length + orphans.length + rewritten.packs.length + indexParts.length === 0) return undefined;
  const isFree = isUntouched(since, await readGenerations(context, { signal }));
  const name = generationName(number);
  const place = { name, kind: 'generation', codec: generationRecord, record, session } as const;
  if (isFree && (await putRecord(context, place, { signal })) === 'created') return record;
  throw storeError('STORE_LOCKED', `Cannot prune ${context.backend.location}: another prune was first`, {
    remedy: 'Run prune again when it has ended.',
    context: { object: name },
  });
}

/** The look that the plan rests on began after the last generation was done, and none has begun since. */
function isUntouched(then: Generations, now: Generations): boolean {
  return then.open === undefined && then.state === now.state;
}

/** Parts of which a newer one says that it has all their rows. */
function replacedParts({ parts }: LoadedIndex): string[] {
  const replaced = new Set<string>();
  for (const { replaces } of parts.values())
    for (const id of replaces) if (parts.has(`index/${id}`)) replaced.add(id);
  return [...replaced].sort();
}

function outcome(
  { sizes }: LoadedIndex,
  {
    gone,
    writtenBytes,
    pendingBytes,
  }: { readonly gone: readonly PackId[]; readonly writtenBytes: number; readonly pendingBytes: number },
): Pick<Reclaimed, 'freedBytes' | 'pendingBytes' | 'storedBytes' | 'deletedPacks'> {
  const before = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const goneBytes = gone.reduce((sum, pack) => sum + (sizes.get(pack) ?? 0), 0);
  const freedBytes = goneBytes - writtenBytes;
  return { freedBytes, pendingBytes, storedBytes: before - freedBytes, deletedPacks: gone.length };
}

/** What was to go and stayed: a backup needs it, or said so. */
function sparedBytes(
  { sizes }: LoadedIndex,
  { record, gone }: { readonly record: GenerationRecord | undefined; readonly gone: ReadonlySet<PackId> },
): number {
  const proposed = record === undefined ? [] : [...record.dead, ...record.rewritten, ...record.orphans];
  return proposed.filter(pack => !gone.has(pack)).reduce((sum, pack) => sum + (sizes.get(pack) ?? 0), 0);
}
