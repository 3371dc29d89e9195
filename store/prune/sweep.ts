import type { ChunkPlace } from '../chunk-index/chunk-index.ts';
import { type LoadedIndex, listPacks, loadIndex } from '../chunk-index/load.ts';
import { putIndexPart } from '../chunk-index/put-part.ts';
import type { StoreContext } from '../context.ts';
import type { PackId, SessionId, SnapshotId } from '../ids.ts';
import { packName } from '../pack/row.ts';
import {
  type Generations,
  generationName,
  readGenerations,
  readRecord,
  readSweep,
  tombstonesOf,
  unionEvery,
} from '../protocol/generations.ts';
import { putRecord } from '../protocol/note.ts';
import { doneRecord, type GenerationRecord, type SweepRecord, sweepRecord } from '../protocol/records.ts';
import { aliveSessions } from './alive.ts';
import { type KnownLive, type Marked, mark } from './mark.ts';
import { mergeParts } from './merge.ts';
import { type RootOptions, readRoots } from './roots.ts';
import type { IsTimeUp } from './time.ts';

export interface Generation {
  readonly session: SessionId;
  readonly number: number;
  /** What was found needed before the generation was created; without it everything is walked. */
  readonly before?: KnownLive | undefined;
  readonly mayBeEmpty?: boolean | undefined;
}

interface CallOptions {
  readonly onDelete?: ((done: number, total: number) => void) | undefined;
  readonly isTimeUp?: IsTimeUp | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How far a generation came. */
export interface Finished {
  /** Undefined: the time was over before it was decided. */
  readonly sweep: SweepRecord | undefined;
  /** Packs of the sweep that are gone. */
  readonly deleted: readonly PackId[];
  /** False: the time was over, and the next prune goes on. */
  readonly isDone: boolean;
}

/** Brings an open generation to its end, from wherever it was left: decide again, sweep, merge, delete, done. */
export async function finishGeneration(
  context: StoreContext,
  generation: Generation,
  options: CallOptions = {},
): Promise<Finished> {
  const { session, number } = generation;
  const { signal } = options;
  const since = await readGenerations(context, { signal });
  const sweep = since.open?.sweep ?? (await decide(context, { ...generation, since }, options));
  if (sweep === undefined) return { sweep, deleted: [], isDone: false };
  await mergeParts(context, { session, going: new Set(sweep.indexParts) }, { signal });
  // Where another run began to delete, what is gone already must not cost the time of what is not.
  const there = since.open?.sweep && new Set((await listPacks(context, { signal })).keys());
  const deleted = await deleteSwept(context, { ...sweep, there }, options);
  const isDone = deleted.length === sweep.packs.length;
  if (isDone) await finish(context, { session, number }, { signal });
  return { sweep, deleted, isDone };
}

/** Looks again at what is needed, now that every run that comes later knows of the generation, and creates its sweep. */
async function decide(
  context: StoreContext,
  generation: Generation & { readonly since: Generations },
  { isTimeUp, signal }: CallOptions,
): Promise<SweepRecord | undefined> {
  const { number, session, before, mayBeEmpty, since } = generation;
  const record = await readRecord(context, number, { signal });
  const known = before?.walked as ReadonlySet<SnapshotId> | undefined;
  const rootOptions: RootOptions = { known, mayBeEmpty, own: session, signal };
  // Intents, manifests, sessions; then the index, in which everything is that they depend on.
  const { roots } = await readRoots(context, rootOptions);
  const isAlive = await aliveSessions(context, { signal });
  const loaded = await loadIndex(context, { purpose: 'prune', signal });
  // With what was marked before this is short, and a proposal that nobody decides about is in every backup's way.
  const limit = before === undefined ? isTimeUp : undefined;
  const marked = await mark(context, { loaded, roots }, { before, since, isTimeUp: limit, signal });
  if (marked === undefined) return undefined;
  // Copies that only a running session's part lists must not be lost with it.
  const own = session.slice(0, 32);
  const tombstoned = new Set(tombstonesOf(record));
  const toList = loaded.unlisted.filter(({ pack }) => !tombstoned.has(pack) && !pack.startsWith(own));
  const { written } = loaded;
  if (toList.length > 0)
    await putIndexPart(context, { session, rows: toList, replaces: [], written }, { signal });
  const packs = sweepable({ loaded, marked, record, isAlive });
  const indexParts = replacedParts(loaded, record.indexParts, packs);
  await putSweep(context, { session, sweep: { number, packs, indexParts } }, { signal });
  return readSweep(context, number, { signal });
}

/** Decides. Refused: a writer's veto, or another prune that went on with this generation; what is there counts. */
export async function putSweep(
  context: StoreContext,
  { session, sweep }: { readonly session: SessionId; readonly sweep: SweepRecord },
  { signal }: CallOptions,
): Promise<void> {
  const name = generationName(sweep.number, '.sweep');
  await putRecord(context, { name, kind: 'sweep', codec: sweepRecord, record: sweep, session }, { signal });
}

/** Tombstoned packs of which every needed chunk has a whole copy outside all tombstones. */
export function sweepable({
  loaded,
  marked,
  record,
  isAlive,
}: {
  readonly loaded: LoadedIndex;
  readonly marked: Marked;
  readonly record: GenerationRecord;
  readonly isAlive: (pack: PackId) => boolean;
}): PackId[] {
  const { index } = loaded;
  const tombstoned = new Set(tombstonesOf(record));
  const spared = new Set<PackId>();
  for (let number = 0; number < index.numbersEnd; number++) {
    const key = index.keyOf(number);
    if (key === undefined) continue;
    const places = index.places(key);
    if (!places.some(({ pack }) => tombstoned.has(pack)) || !marked.isLiveNumber(number)) continue;
    const isSafe = ({ pack, frame }: ChunkPlace) =>
      !tombstoned.has(pack) && !index.isBad(frame) && !index.isDoubtful(pack);
    if (places.some(isSafe)) continue;
    for (const { pack } of places) spared.add(pack);
  }
  // What nobody can look into may hold what is nowhere else.
  if (marked.missing > 0)
    for (const pack of tombstoned) if (!index.hasPack(pack) && loaded.sizes.has(pack)) spared.add(pack);
  return [...tombstoned].filter(pack => !spared.has(pack) && !isAlive(pack)).sort();
}

/**
 * Those of the parts whose every row is in a part that stays, or is of a pack that goes. Of one that cannot be read nobody
 * knows the rows: the part that replaces it has what can be known.
 */
function replacedParts(
  { parts, generations }: LoadedIndex,
  candidates: readonly string[],
  going: readonly PackId[],
): string[] {
  const gone = new Set<PackId>(going);
  const proposed = new Set(candidates);
  const staying = new Set<PackId>();
  const replaced = new Set<string>();
  for (const [name, { packs, replaces, host }] of parts) {
    for (const id of replaces) replaced.add(id);
    if (host === undefined && !proposed.has(name.slice('index/'.length)))
      for (const pack of packs) staying.add(pack);
  }
  return candidates.filter(id => {
    const part = parts.get(`index/${id}`);
    if (part?.isReadable === false) return replaced.has(id);
    return part?.packs.every(pack => staying.has(pack) || gone.has(pack) || generations.swept.has(pack));
  });
}

/** The packs that are gone: all, unless the time is over. Index parts go first. */
async function deleteSwept(
  { backend }: StoreContext,
  { packs, indexParts, there }: SweepRecord & { readonly there: ReadonlySet<PackId> | undefined },
  { onDelete, isTimeUp, signal }: CallOptions,
): Promise<readonly PackId[]> {
  const call = signal ? { signal } : {};
  const total = indexParts.length + packs.length;
  let done = 0;
  for (const id of indexParts) {
    await backend.delete(`index/${id}`, call);
    onDelete?.(++done, total);
  }
  let gone = 0;
  for (; gone < packs.length && !isTimeUp?.(); gone++) {
    const pack = packs[gone]!;
    if (there?.has(pack) !== false) await backend.delete(packName(pack), call);
    onDelete?.(++done, total);
  }
  await backend.sync(call);
  return packs.slice(0, gone);
}

async function finish(
  context: StoreContext,
  { session, number }: { readonly session: SessionId; readonly number: number },
  { signal }: CallOptions,
): Promise<void> {
  const { swept } = await readGenerations(context, { signal });
  const record = { number, allSwept: number % unionEvery === 0 ? [...swept] : undefined };
  const name = generationName(number, '.done');
  await putRecord(context, { name, kind: 'done', codec: doneRecord, record, session }, { signal });
}
