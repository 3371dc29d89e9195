import type { ChunkPlace } from '../chunk-index/chunk-index.ts';
import { type LoadedIndex, loadIndex } from '../chunk-index/load.ts';
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
import { type Marked, mark } from './mark.ts';
import { mergeParts } from './merge.ts';
import { type RootOptions, readRoots } from './roots.ts';

export interface Generation {
  readonly session: SessionId;
  readonly number: number;
  /** What was found needed before the generation was created; without it everything is walked. */
  readonly before?: Marked | undefined;
  readonly mayBeEmpty?: boolean | undefined;
}

interface CallOptions {
  readonly onDelete?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Brings an open generation to its end, from wherever it was left: decide again, sweep, merge, delete, done. */
export async function finishGeneration(
  context: StoreContext,
  generation: Generation,
  options: CallOptions = {},
): Promise<SweepRecord> {
  const { session, number } = generation;
  const { signal } = options;
  const since = await readGenerations(context, { signal });
  const sweep = since.open?.sweep ?? (await decide(context, { ...generation, since }, { signal }));
  await mergeParts(context, { session, going: new Set(sweep.indexParts) }, { signal });
  await deleteSwept(context, sweep, options);
  await finish(context, { session, number }, { signal });
  return sweep;
}

/** Looks again at what is needed, now that every run that comes later knows of the generation, and creates its sweep. */
async function decide(
  context: StoreContext,
  generation: Generation & { readonly since: Generations },
  { signal }: CallOptions,
): Promise<SweepRecord> {
  const { number, session, before, mayBeEmpty, since } = generation;
  const record = await readRecord(context, number, { signal });
  const known = before?.walked as ReadonlySet<SnapshotId> | undefined;
  const rootOptions: RootOptions = { known, mayBeEmpty, own: session, signal };
  // Intents, manifests, sessions; then the index, in which everything is that they depend on.
  const { roots } = await readRoots(context, rootOptions);
  const isAlive = await aliveSessions(context, { signal });
  const loaded = await loadIndex(context, { purpose: 'prune', signal });
  const marked = await mark(context, { loaded, roots }, { before, since, signal });
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

/** Those of the parts whose every row is in a part that stays, or is of a pack that goes. */
function replacedParts(
  { parts, generations }: LoadedIndex,
  candidates: readonly string[],
  going: readonly PackId[],
): string[] {
  const gone = new Set<PackId>(going);
  const proposed = new Set(candidates);
  const staying = new Set<PackId>();
  for (const [name, { packs, host }] of parts)
    if (host === undefined && !proposed.has(name.slice('index/'.length)))
      for (const pack of packs) staying.add(pack);
  return candidates.filter(id => {
    const part = parts.get(`index/${id}`);
    return (
      part?.isReadable === true &&
      part.packs.every(pack => staying.has(pack) || gone.has(pack) || generations.swept.has(pack))
    );
  });
}

async function deleteSwept(
  { backend }: StoreContext,
  { packs, indexParts }: SweepRecord,
  { onDelete, signal }: CallOptions,
): Promise<void> {
  const call = signal ? { signal } : {};
  const names = [...indexParts.map(id => `index/${id}`), ...packs.map(packName)];
  for (const [i, name] of names.entries()) {
    await backend.delete(name, call);
    onDelete?.(i + 1, names.length);
  }
  await backend.sync(call);
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
