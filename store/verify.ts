import { breather } from './breathe.ts';
import type { CborValue } from './cbor.ts';
import { failedReads } from './chunk-index/masks.ts';
import type { ChunkRef, ChunkSource } from './content.ts';
import { recordDamage } from './damage.ts';
import { isStoreError, type StillpointError, storeError } from './errors.ts';
import { fromHex, type PackId, type SnapshotId } from './ids.ts';
import { underLaterKeys, writeOnly } from './keys/index.ts';
import { readLedger } from './ledger.ts';
import type { Manifest } from './manifest.ts';
import { packName } from './pack/row.ts';
import { type Generations, readGenerations } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';
import { budgetOf } from './verify/budget.ts';
import { confirmDamage, lookAgain } from './verify/confirm.ts';
import { verifyData } from './verify/data.ts';
import { turnsAt } from './verify/due.ts';
import { GraphVerifier } from './verify/graph.ts';
import { type LeftDamage, leftOf, openDamage, whyStopped } from './verify/meaning.ts';
import { VerifyNotes } from './verify/notes.ts';
import { verifyObjects } from './verify/objects.ts';
import { verifyIndex, verifyPacks } from './verify/packs.ts';
import { DamageReach } from './verify/reach.ts';
import { type Damage, DamageReport } from './verify/report.ts';
import type { Inventory, VerifiedIndex, VerifyProgress, VerifyRun } from './verify/run.ts';
import { planPacks, type Scrub, scrubOf } from './verify/scrub.ts';
import { type CheckSnapshot, verifySnapshots, type WalkedSnapshots } from './verify/snapshots.ts';

export type { Damage, DamagedKind } from './verify/report.ts';
export type { VerifyPhase, VerifyProgress } from './verify/run.ts';
export type { Amount, Scrub } from './verify/scrub.ts';

export interface VerifyOptions {
  /**
   * Which part of the packs is read byte by byte, again whatever the ledger says: 0 (default) to 1; a lesser part is a new
   * choice in each run, and one pack at least. 'due': packs that were never read, and those whose turn it is this day.
   */
  readonly readData?: number | 'due';
  /** Walk from these snapshots only; default: all. Every manifest and other small object is opened all the same. SNAPSHOT_UNKNOWN. */
  readonly snapshots?: readonly SnapshotId[];
  /** Which packs readData is about: all (default), or those that the snapshots walked from need. */
  readonly packs?: 'all' | 'needed';
  /** Ends well after about this time; what waits is said. The newest and the oldest snapshot come first. */
  readonly maxDurationMs?: number | undefined;
  /** Called for each snapshot that was walked. */
  readonly check?: CheckSnapshot;
  /**
   * Who verifies: what was found is written into the ledger, and damage that was seen twice is recorded. Without it, or where
   * the store cannot be written, nothing changes.
   */
  readonly noteAs?: string;
  /**
   * Goes on where an object needs a newer program: it is in the result, and nothing is written down. Without it that is
   * STORE_NEWER.
   */
  readonly goesPastNewer?: boolean;
  /** Kept with the act in the ledger. */
  readonly noteDetail?: CborValue;
  /** Threads that check data beside this one; as many as are worth it unless given. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyResult {
  readonly isOk: boolean;
  /** Those that were walked. */
  readonly snapshots: readonly Manifest[];
  /** Whose turn it was, and for which the time was not enough. */
  readonly waiting: readonly SnapshotId[];
  readonly objects: number;
  /** Chunks whose bytes were hashed; where only structure was asked for, references followed. */
  readonly chunksChecked: number;
  readonly bytesRead: number;
  readonly damage: readonly Damage[];
  /** Whole, as far as can be seen, and for a newer program; nothing is known of them. */
  readonly newer: readonly Damage[];
  /** Damaged objects beyond those listed. */
  readonly unlistedDamage: number;
  /** Packs that are recorded as damaged and of which nothing needed is lost: they go with a prune. */
  readonly harmless: readonly Damage[];
  /** Which of the damage a repair would leave as it is, and what that means. */
  readonly left: readonly LeftDamage[];
  /** Why nobody can say whether all is there: the medium failed to read what lists it. STORE_READ_FAILED. */
  readonly failure: StillpointError | undefined;
  /** Packs that were found wanting, and were whole when they were read again. */
  readonly unsteady: readonly string[];
  /** All snapshots from which something damaged or missing can be reached. */
  readonly affected: readonly SnapshotId[];
  /** What check had to say. */
  readonly problems: ReadonlyMap<SnapshotId, string>;
  readonly scrub: Scrub;
  /** Whether ledger and damage records were written; undefined: nobody asked. */
  readonly noted: { readonly isDone: boolean; readonly error?: Error } | undefined;
  /** Reads chunks by the index that was verified. */
  readonly source: ChunkSource;
  /**
   * The damaged objects that a chunk, or anything below a node, is lost with; empty when nothing of it is. Reads nodes.
   */
  culprits(ref: ChunkRef): Promise<readonly string[]>;
}

/**
 * Checks a store: every object is opened or its size compared, from manifests everything is reached, and bytes of packs are
 * read as far as is asked for. Finds all it can; throws only when the medium or the format ends the search. Who verifies
 * beside a prune opens a session for reading first.
 */
export async function verifyStore(store: Store, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { context, keys } = insideOf(store);
  if (store.host !== undefined) throw writeOnly(store.host, 'what a verification needs');
  return underLaterKeys({ backend: context.backend, keys }, () => verifyUndisturbed(store, options));
}

async function verifyUndisturbed(store: Store, options: VerifyOptions): Promise<VerifyResult> {
  const { context } = insideOf(store);
  const { signal, noteAs, noteDetail = null } = options;
  const notes = new VerifyNotes(store, { host: noteAs, detail: noteDetail });
  const budget = budgetOf(context.seams.clock, options.maxDurationMs);
  const counts = { objects: 0, references: 0, hashed: 0, bytesRead: 0 };
  try {
    for (let attempt = 1; ; attempt++) {
      const before = await readGenerations(context, { signal, reading: 'lenient' });
      const run = await beginRun(store, { notes, budget, counts }, options);
      const found = await verifyOnce(run, before, options);
      const isOver = found.damage.length === 0 || attempt === attemptsMax;
      // What a prune moved or took meanwhile looks like damage to who had listed it before.
      const { state } = await readGenerations(context, { signal, reading: 'lenient' });
      if (isOver || state === before.state)
        return await concluded(store, { run, found, generations: before }, options);
    }
  } finally {
    // Where it was ended: what was read is known all the same.
    await notes.write({ whole: [], damaged: [], damagedPacks: [] });
  }
}

/** A prune in rounds changes what is known several times; only a look that found something wrong is repeated. */
const attemptsMax = 8;

async function beginRun(
  store: Store,
  parts: Pick<VerifyRun, 'notes' | 'budget' | 'counts'>,
  { signal, onProgress, goesPastNewer }: VerifyOptions,
): Promise<VerifyRun> {
  const { context, keys } = insideOf(store);
  const { counts } = parts;
  counts.objects = 0;
  counts.references = 0;
  return {
    ...parts,
    context,
    keys,
    report: new DamageReport(),
    newer: goesPastNewer ? new Map() : undefined,
    signal,
    ledger: await readLedger(store, { signal }),
    turns: turnsAt(context.seams.clock.nowMs(), context.ring.blake3),
    progress: (phase, done, total) => onProgress?.({ phase, done, total, bytesRead: counts.bytesRead }),
    breathe: breather(context.seams.clock),
  };
}

/** What one pass came to. */
interface Found extends WalkedSnapshots {
  readonly inventory: Inventory;
  readonly verified: VerifiedIndex;
  readonly damage: readonly Damage[];
  readonly graph: GraphVerifier;
}

async function verifyOnce(run: VerifyRun, generations: Generations, options: VerifyOptions): Promise<Found> {
  const inventory = await verifyObjects(run);
  // Nobody depends on them any more, and they may go at any moment.
  for (const pack of generations.swept) inventory.packs.delete(pack);
  const verified = await verifyIndex(run, inventory, generations);
  await verifyPacks(run, inventory, { verified, generations });
  await lookAgain(run, { verified, inventory });
  const graph = new GraphVerifier(run, { verified, inventory });
  const { snapshots: wanted, check } = options;
  const walked = await verifySnapshots(run, graph, { inventory, wanted, check });
  // A damaged part that was named already explains them all.
  const isExplained = run.report.list.some(({ kind, isReplaced }) => kind === 'index' && !isReplaced);
  for (const pack of isExplained ? [] : graph.unlistedPacks)
    run.report.add('index', packName(pack), { state: 'Snapshots need it, and no index part lists it' });
  if (options.readData) {
    const mayBe = (pack: PackId) => options.packs !== 'needed' || graph.neededPacks.has(pack);
    const isAsked = dataAsked(run, [...inventory.packs.keys()].filter(mayBe), options);
    const wants = (pack: PackId, readMs: number | null) => mayBe(pack) && isAsked(pack, readMs);
    const { parity } = inventory;
    const packs = planPacks(run, inventory, wants);
    await verifyData(run, verified, { packs, parity, threads: options.threads });
  }
  return { ...walked, inventory, verified, graph, damage: run.report.list };
}

/** A sample is by a hash under a key of this run, so that no pack is left out for ever; one pack at least is in it. */
function dataAsked(
  { context, turns }: VerifyRun,
  packs: readonly PackId[],
  { readData = 0 }: VerifyOptions,
): (pack: PackId, readMs: number | null) => boolean {
  if (readData === 'due') return turns.isDue;
  if (readData >= 1) return () => true;
  const key = context.seams.randomness.bytes(32);
  const hashOf = (pack: PackId) => Buffer.from(context.ring.blake3.keyed(key, fromHex(pack))).readUInt32LE();
  const least = packs.reduce((least, pack) => Math.min(least, hashOf(pack)), 2 ** 32);
  return pack => hashOf(pack) < readData * 2 ** 32 || hashOf(pack) === least;
}

/** Traces what was found to snapshots, and writes down what is to be remembered. */
async function concluded(
  store: Store,
  {
    run,
    found,
    generations,
  }: { readonly run: VerifyRun; readonly found: Found; readonly generations: Generations },
  options: VerifyOptions,
): Promise<VerifyResult> {
  const { graph, verified, inventory, problems } = found;
  const reach = new DamageReach(run, verified, graph);
  const affected: SnapshotId[] = [];
  const blamed = new Set<string>();
  for (const { id, roots } of found.damage.length > 0 ? found.all : []) {
    const culprits = await culpritsOf(reach, roots);
    // Nobody can say whether it was forgotten.
    if (run.report.has(`forgotten/${id}`)) culprits.push(`forgotten/${id}`);
    for (const culprit of culprits) blamed.add(culprit);
    if (culprits.length > 0) affected.push(id);
  }
  const isHarmless = ({ object }: Damage) => !blamed.has(object) && isRecorded(object, verified);
  const damage = found.damage.filter(one => !isHarmless(one));
  const { unsteady, noted } = await writeDown(store, { run, found, damage, affected }, options);
  const { objects, references, hashed, bytesRead } = run.counts;
  const result: VerifyResult = {
    isOk: damage.length === 0 && problems.size === 0 && !run.newer?.size,
    snapshots: found.walked,
    waiting: found.waiting,
    objects,
    chunksChecked:
      typeof options.readData === 'number' && options.readData > 0 ? hashed : references + hashed,
    bytesRead,
    damage,
    newer: [...(run.newer?.values() ?? [])],
    unlistedDamage: run.report.unlisted,
    harmless: found.damage.filter(isHarmless),
    left: leftOf(damage, {
      ...inventory,
      open: openDamage(generations, object => run.report.has(object)),
      stopped: damage.length === 0 ? undefined : await whyStopped(run.context, run),
      isDataRead: true,
    }),
    failure: graph.hasUnaccounted ? unaccounted(run, verified) : undefined,
    unsteady,
    affected,
    problems,
    scrub: scrubOf(run, inventory),
    noted,
    source: graph.source,
    culprits: ref => reach.culprits(ref),
  };
  looks.set(result, { inventory, verified, unlistedPacks: graph.unlistedPacks });
  return result;
}

function unaccounted({ context }: VerifyRun, { problems }: VerifiedIndex): StillpointError {
  const failures = failedReads(problems);
  const names = failures.slice(0, namesShown).map(({ object }) => object);
  if (failures.length > namesShown) names.push(`${failures.length - namesShown} more`);
  const [first] = failures;
  return storeError(
    'STORE_READ_FAILED',
    `Cannot say whether all is there in ${context.backend.location}: the medium failed to read ${names.join(', ')}, which may list what snapshots need: ${first!.error.message}`,
    {
      remedy: 'Look at the medium, or copy the store to another one, and verify again.',
      context: { ...first!.error.context, object: first!.object },
      cause: first!.error,
    },
  );
}

const namesShown = 8;

/** What a verification found beside its result; for repair. */
export interface VerifiedStore {
  readonly inventory: Inventory;
  readonly verified: VerifiedIndex;
  /** Packs that snapshots need and no index part lists. */
  readonly unlistedPacks: ReadonlySet<PackId>;
}

const looks = new WeakMap<VerifyResult, VerifiedStore>();

/** The inside of a result of verifyStore, for other parts of this folder. */
export function lookOf(result: VerifyResult): VerifiedStore {
  return looks.get(result)!;
}

async function culpritsOf(reach: DamageReach, roots: readonly ChunkRef[]): Promise<string[]> {
  const found = new Set<string>();
  for (const root of roots) for (const culprit of await reach.culprits(root)) found.add(culprit);
  return [...found];
}

/** Whether all that is wrong with a pack was written down before. */
function isRecorded(object: string, { index, masks, brokenLists }: VerifiedIndex): boolean {
  const pack = object.slice(-64) as PackId;
  const frames = index.framesOf(pack);
  if (object !== packName(pack)) return false;
  if (masks.isDamaged(pack)) return true;
  const bad = frames.filter(({ frame }) => index.isBad(frame));
  if (bad.length === 0 || !bad.every(({ ordinal }) => masks.isDamaged(pack, ordinal))) return false;
  return bad.length === frames.length || !brokenLists.has(pack);
}

/** Damage first: that nothing new depends on it matters more than what is remembered. */
async function writeDown(
  store: Store,
  {
    run,
    found,
    damage,
    affected,
  }: {
    readonly run: VerifyRun;
    readonly found: Found;
    readonly damage: readonly Damage[];
    readonly affected: readonly SnapshotId[];
  },
  { noteAs }: VerifyOptions,
): Promise<Pick<VerifyResult, 'unsteady' | 'noted'>> {
  const isPack = ({ kind }: Damage) => kind === 'data-pack' || kind === 'metadata-pack';
  const confirmed = damage.some(isPack) ? await confirmDamage(run, found) : { damage: [], unsteady: [] };
  const { unsteady } = confirmed;
  if (noteAs === undefined) return { unsteady, noted: undefined };
  let failure: Error | undefined;
  try {
    if (confirmed.damage.length > 0 && !run.newer?.size)
      await recordDamage(store, confirmed.damage, { signal: run.signal });
  } catch (error) {
    if (!isStoreError(error)) throw error;
    failure = error;
  }
  const bad = new Set<SnapshotId>([...affected, ...found.problems.keys()]);
  await run.notes.write({
    whole: found.walked.map(({ id }) => id).filter(id => !bad.has(id)),
    damaged: [...bad],
    damagedPacks: damage.filter(isPack).map(({ object }) => object.slice(-64) as PackId),
  });
  failure ??= run.notes.failure;
  return { unsteady, noted: failure === undefined ? { isDone: true } : { isDone: false, error: failure } };
}
