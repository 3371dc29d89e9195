import { failedReads } from '../chunk-index/masks.ts';
import type { ChunkRef } from '../content.ts';
import { recordDamage } from '../damage.ts';
import { isStoreError, type StillpointError, storeError } from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import { packName } from '../pack/row.ts';
import { type Generations, stoppedByDamage } from '../protocol/generations.ts';
import type { Store } from '../store.ts';
import { confirmDamage } from './confirm.ts';
import type { GraphVerifier } from './graph.ts';
import { leftOf, openDamage } from './meaning.ts';
import { DamageReach } from './reach.ts';
import type { Damage } from './report.ts';
import type { VerifyOptions, VerifyResult } from './result.ts';
import type { Inventory, VerifiedIndex, VerifyRun } from './run.ts';
import { scrubOf } from './scrub.ts';
import type { WalkedSnapshots } from './snapshots.ts';

/** What one pass came to. */
export interface Found extends WalkedSnapshots {
  readonly inventory: Inventory;
  readonly verified: VerifiedIndex;
  readonly damage: readonly Damage[];
  readonly graph: GraphVerifier;
}

/** Traces what was found to snapshots, and writes down what is to be remembered. */
export async function concluded(
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
    notDue: found.notDue,
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
      stopped: damage.length === 0 ? undefined : await stoppedByDamage(run.context, run),
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
