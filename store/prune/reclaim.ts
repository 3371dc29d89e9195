import { type LoadedIndex, listPacks } from '../chunk-index/load.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import type { PackId, SessionId, SnapshotId } from '../ids.ts';
import { manifestName } from '../manifest.ts';
import { isFull } from '../medium-error.ts';
import { packName } from '../pack/row.ts';
import { type Generations, generationName, readGenerations, tombstonesOf } from '../protocol/generations.ts';
import { putRecord } from '../protocol/note.ts';
import { type GenerationRecord, generationRecord } from '../protocol/records.ts';
import { type KnownLive, withoutIndex } from './mark.ts';
import { addRounds, bytesOf, type Reclaimed, reclaimedNothingOf, withPending } from './outcome.ts';
import { removeParityOfNothing } from './parity.ts';
import type { PrunePlan } from './plan.ts';
import { type Rewritten, rewritePacks } from './rewrite.ts';
import { type Survey, type SurveyOptions, survey } from './survey.ts';
import { type Finished, finishGeneration, putSweep } from './sweep.ts';
import type { IsTimeUp } from './time.ts';

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
  /** Snapshots that whoever asks knows of: STORE_IMPLAUSIBLE where they are neither there nor forgotten. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  /** Asked between steps; what is left then is the next prune's. */
  readonly isTimeUp?: IsTimeUp | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ReclaimProgress) => void;
}

export interface Pruner {
  /** Undefined: nothing is written. */
  readonly session: SessionId | undefined;
  /** Sessions that it found dead. */
  readonly dead: ReadonlySet<SessionId>;
}

/** A backup that says no is about to commit, and the next round knows what it needs; another may be about to do so then. */
const roundsMax = 3;
/** On a medium that is nearly full what goes makes room for copies, after which more goes: each round frees something. */
const roomRoundsMax = 10;
const packTargetBytes = 16 * 1024 * 1024;
/** For the records of a generation, and an index that is written anew. */
const recordsBytes = 2 * 1024 * 1024;
/** Of what is copied: itself, its parity, its rows in the index. */
const copyShare = 1.05;

/** What reclaim would do; writes nothing. */
export async function estimateReclaim(
  context: StoreContext,
  pruner: Pruner,
  options: ReclaimOptions,
): Promise<Reclaimed> {
  const found = await survey(context, surveyOptions(pruner, options));
  if (found === undefined) return reclaimedNothingOf(await listPacks(context, options), 'mark');
  const { loaded, plan } = found;
  const { dead, orphans, rewritten, leftovers, pending } = plan;
  const gone = [...dead, ...orphans, ...leftovers, ...rewritten.map(({ pack }) => pack)];
  const writtenBytes = Math.round(rewritten.reduce((sum, pack) => sum + pack.liveBytes, 0));
  return {
    ...outcome(loaded.sizes, { gone, writtenBytes }),
    ...withPending(pending, {}),
    stoppedIn: undefined,
    rewrittenPacks: rewritten.length,
    orphanPacks: orphans.length,
    roomNeededBytes: 0,
    writtenPacks: writtenBytes === 0 ? 0 : Math.max(1, Math.round(writtenBytes / packTargetBytes)),
    unreadablePacks: 0,
  };
}

/** Deletes what nothing needs, in the order that STORE and FORMAT.md, 11, give. */
export async function reclaim(
  context: StoreContext,
  pruner: Pruner & { readonly session: SessionId },
  options: ReclaimOptions,
): Promise<Reclaimed> {
  let all = await finishOpen(context, pruner, options);
  // Only now: what is decided from here on is decided after every earlier generation was done with.
  for (let round = 1; all?.stoppedIn === undefined && round <= roomRoundsMax; round++) {
    const { isVetoed, ...reclaimed } = await reclaimOnce(context, pruner, options);
    all = all === undefined ? reclaimed : addRounds(all, reclaimed);
    const hasMadeRoom = reclaimed.roomNeededBytes > 0 && reclaimed.freedBytes > 0;
    if (!(isVetoed && round < roundsMax) && !hasMadeRoom) break;
  }
  const nowMs = context.seams.clock.nowMs();
  const { signal } = options;
  if (all?.stoppedIn === undefined) await removeParityOfNothing(context, { signal });
  await context.backend.removeLeftovers?.({ nowMs, ...(signal && { signal }) });
  return all!;
}

/** Ends what a dead run began; undefined when there was nothing. */
async function finishOpen(
  context: StoreContext,
  { session }: Pruner & { readonly session: SessionId },
  options: ReclaimOptions,
): Promise<Reclaimed | undefined> {
  const { mayBeEmpty, isTimeUp, signal } = options;
  const { open } = await readGenerations(context, { signal, reading: 'mending' });
  if (open === undefined) return undefined;
  if (!open.record && !open.sweep) {
    // Nobody can say what was proposed, so nothing of it goes.
    const sweep = { number: open.number, packs: [], indexParts: [] };
    await putSweep(context, { session, sweep }, { signal });
  }
  const sizes = await listPacks(context, { signal });
  const onDelete = onDeleteOf(options);
  const finished = await finishGeneration(
    context,
    { session, number: open.number, mayBeEmpty },
    { onDelete, isTimeUp, signal },
  );
  const gone = finished.deleted.filter(pack => sizes.has(pack));
  const timeBytes = bytesOf(finished.sweep?.packs ?? [], sizes) - bytesOf(gone, sizes);
  return {
    ...reclaimedNothingOf(sizes, finished.isDone ? undefined : finished.sweep ? 'delete' : 'mark'),
    ...outcome(sizes, { gone, writtenBytes: 0 }),
    ...withPending({ atWorkBytes: 0, mostlyNeededBytes: 0, damagedBytes: 0 }, { timeBytes }),
  };
}

/** What is left of a round once its index can be forgotten. */
interface Proposed {
  readonly sizes: LoadedIndex['sizes'];
  readonly plan: Omit<PrunePlan, 'toList'>;
  readonly rewritten: Rewritten;
  /** Packs for whose copies the medium has no room. */
  readonly noRoom: readonly PackId[];
  readonly record: GenerationRecord | undefined;
  readonly before: KnownLive | undefined;
}

async function reclaimOnce(
  context: StoreContext,
  pruner: Pruner & { readonly session: SessionId },
  options: ReclaimOptions,
): Promise<Reclaimed & { readonly isVetoed: boolean }> {
  const { mayBeEmpty, isTimeUp, signal } = options;
  const proposed = await proposeOnce(context, pruner, options);
  if (proposed === undefined) {
    const nothing = reclaimedNothingOf(await listPacks(context, { signal }), 'mark');
    return { ...nothing, isVetoed: false };
  }
  const { record, before } = proposed;
  const finished =
    record &&
    (await finishGeneration(
      context,
      { session: pruner.session, number: record.number, before, mayBeEmpty },
      { onDelete: onDeleteOf(options), isTimeUp, signal },
    ));
  const isVetoed = finished?.sweep?.packs.length === 0 && tombstonesOf(record).length > 0;
  return { ...roundOutcome(proposed, finished), isVetoed };
}

/** Everything up to the generation, in a frame of its own: the index that it needs is the largest thing in memory. */
async function proposeOnce(
  context: StoreContext,
  pruner: Pruner & { readonly session: SessionId },
  options: ReclaimOptions,
): Promise<Proposed | undefined> {
  const { signal } = options;
  const found = await survey(context, surveyOptions(pruner, options));
  if (found === undefined) return undefined;
  const { since, loaded, marked, plan, leftoverManifests } = found;
  await removeLeftovers(context, { manifests: leftoverManifests, packs: plan.leftovers }, { signal });
  const { rewritten, noRoom } = await copyOut(context, { session: pruner.session, found }, options);
  const record = await propose(
    context,
    { session: pruner.session, since, loaded, plan, rewritten },
    { signal },
  );
  const { toList: _rows, ...rest } = plan;
  return {
    sizes: loaded.sizes,
    plan: rest,
    rewritten,
    noRoom,
    record,
    before: record && withoutIndex(marked, loaded),
  };
}

async function copyOut(
  context: StoreContext,
  { session, found }: { readonly session: SessionId; readonly found: Survey },
  { isTimeUp, signal, onProgress }: ReclaimOptions,
): Promise<Pick<Proposed, 'rewritten' | 'noRoom'>> {
  const { loaded, marked, plan, isOwn } = found;
  const rewrite = (packs: PrunePlan['rewritten']) =>
    rewritePacks(
      context,
      { session, loaded, marked, packs, isOwn, alsoList: plan.toList },
      { isTimeUp, onPack: (done, total) => onProgress?.({ phase: 'rewrite', done, total }), signal },
    );
  const packs = await withRoom(context, plan.rewritten);
  const noRoom = plan.rewritten.slice(packs.length).map(({ pack }) => pack);
  try {
    return { rewritten: await rewrite(packs), noRoom };
  } catch (error) {
    // A quota, or others who write: what nothing at all is needed of can go without copies, and makes room for the next prune.
    if (!isFull(error) || packs.length === 0) throw error;
    await context.backend.sync();
    return { rewritten: await rewrite([]), noRoom: plan.rewritten.map(({ pack }) => pack) };
  }
}

/** As many, from the beginning, as there is room for copies of, and for the records of what is decided. */
async function withRoom(
  { backend }: StoreContext,
  packs: PrunePlan['rewritten'],
): Promise<PrunePlan['rewritten']> {
  const fitting = async (): Promise<PrunePlan['rewritten']> => {
    const freeBytes = await backend.freeBytes?.();
    if (freeBytes === undefined) return packs;
    let left = freeBytes - recordsBytes;
    const end = packs.findIndex(({ liveBytes }) => {
      left -= liveBytes * copyShare;
      return left < 0;
    });
    return end < 0 ? packs : packs.slice(0, end);
  };
  const fit = await fitting();
  // What is set aside is for this.
  return fit.length < packs.length && (await backend.giveReserve?.()) ? fitting() : fit;
}

function surveyOptions(
  { session, dead }: Pruner,
  { forgetting, mayBeEmpty, remembered, isTimeUp, signal, onProgress }: ReclaimOptions,
): SurveyOptions {
  const onRoot = (done: number, total: number) => onProgress?.({ phase: 'mark', done, total });
  return { session, dead, forgetting, mayBeEmpty, remembered, isTimeUp, onRoot, signal };
}

function onDeleteOf({ onProgress }: ReclaimOptions): (done: number, total: number) => void {
  return (done, total) => onProgress?.({ phase: 'delete', done, total });
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

function roundOutcome(
  { sizes, plan, rewritten, noRoom, record }: Proposed,
  finished: Finished | undefined,
): Reclaimed {
  const gone = new Set<PackId>([...(finished?.deleted ?? []), ...plan.leftovers]);
  const proposed = tombstonesOf(record);
  const swept = new Set(finished?.sweep?.packs);
  const wasteOf = (packs: readonly PackId[]): number => {
    const wanted = new Set(packs);
    return plan.rewritten.reduce((sum, { pack, wasteBytes }) => sum + (wanted.has(pack) ? wasteBytes : 0), 0);
  };
  const copied = plan.rewritten.filter(({ pack }) => noRoom.includes(pack));
  const toDelete = proposed.filter(pack => swept.has(pack) && !gone.has(pack));
  const isDone = finished?.isDone ?? true;
  return {
    ...outcome(sizes, { gone: [...gone], writtenBytes: rewritten.writtenBytes }),
    ...withPending(
      { ...plan.pending, damagedBytes: plan.pending.damagedBytes + wasteOf(rewritten.unreadable) },
      {
        vetoedBytes: bytesOf(
          proposed.filter(pack => !swept.has(pack)),
          sizes,
        ),
        timeBytes: wasteOf(rewritten.left) + bytesOf(toDelete, sizes),
        roomBytes: wasteOf(noRoom),
      },
    ),
    roomNeededBytes: Math.round(copied.reduce((sum, { liveBytes }) => sum + liveBytes * copyShare, 0)),
    stoppedIn: !isDone ? 'delete' : rewritten.left.length > 0 ? 'rewrite' : undefined,
    rewrittenPacks: rewritten.packs.filter(pack => gone.has(pack)).length,
    orphanPacks: plan.orphans.filter(pack => gone.has(pack)).length,
    writtenPacks: rewritten.writtenPacks,
    unreadablePacks: rewritten.unreadable.length,
  };
}

function outcome(
  sizes: LoadedIndex['sizes'],
  { gone, writtenBytes }: { readonly gone: readonly PackId[]; readonly writtenBytes: number },
): Pick<Reclaimed, 'freedBytes' | 'storedBytes' | 'deletedPacks'> {
  const freedBytes = bytesOf(gone, sizes) - writtenBytes;
  return { freedBytes, storedBytes: bytesOf(sizes.keys(), sizes) - freedBytes, deletedPacks: gone.length };
}
