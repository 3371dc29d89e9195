import type { ChunkSource } from '../content.ts';
import { storeError } from '../errors.ts';
import type { SnapshotId } from '../ids.ts';
import { type Manifest, manifestName } from '../manifest.ts';
import { inOrder, listManifestIds, listMarkedIds } from '../manifests.ts';
import { isFinding } from '../medium-error.ts';
import { longestAgoFirst } from './due.ts';
import type { GraphVerifier } from './graph.ts';
import { type Inventory, isPassedOver, type VerifyRun } from './run.ts';

/** What a caller has to say against a snapshot whose listings it can read; undefined: nothing. */
export type CheckSnapshot = (manifest: Manifest, source: ChunkSource) => Promise<string | undefined>;

export interface WalkedSnapshots {
  /** Every snapshot whose manifest can be read. */
  readonly all: readonly Manifest[];
  readonly walked: readonly Manifest[];
  /** Those that the time was not enough for. */
  readonly waiting: readonly SnapshotId[];
  /** Asked for, and walked lately. */
  readonly notDue: number;
  readonly problems: ReadonlyMap<SnapshotId, string>;
}

/** The rest of the time is for data: many snapshots must not keep the bytes from ever being read. */
const shareOfTime = 0.5;

/** Walks from the wanted manifests; under a budget from those whose turn it is, the newest and the oldest first. */
export async function verifySnapshots(
  run: VerifyRun,
  graph: GraphVerifier,
  {
    inventory,
    wanted,
    check,
  }: {
    readonly inventory: Inventory;
    readonly wanted: readonly SnapshotId[] | undefined;
    readonly check: CheckSnapshot | undefined;
  },
): Promise<WalkedSnapshots> {
  const missing = wanted?.find(id => !inventory.manifests.has(id) || inventory.forgotten.has(id));
  if (missing !== undefined)
    throw storeError('SNAPSHOT_UNKNOWN', `Cannot verify snapshot ${missing}: it is not there`, {
      remedy: 'List the snapshots with `stillpoint snapshots`.',
    });
  const all: Manifest[] = [];
  const readable: Manifest[] = [];
  for (const id of inventory.manifests) {
    const manifest = await graph.manifest(id);
    if (manifest !== undefined) readable.push(manifest);
    if (manifest !== undefined && !inventory.forgotten.has(id)) all.push(manifest);
  }
  await reportGaps(run, inventory, readable);
  const names = wanted && new Set(wanted);
  const asked = all.filter(({ id }) => names?.has(id) ?? true);
  const planned = run.budget.isLimited && names === undefined ? byTurn(run, asked) : asked;
  const walked: Manifest[] = [];
  const problems = new Map<SnapshotId, string>();
  for (const manifest of planned) {
    if (walked.length > 0 && run.budget.isSpent(shareOfTime)) break;
    await graph.verify(manifest.roots);
    const problem =
      check && (await checkReadable(run, { id: manifest.id, check: () => check(manifest, graph.source) }));
    if (problem !== undefined) problems.set(manifest.id, problem);
    walked.push(manifest);
    run.progress('snapshots', walked.length, planned.length);
  }
  const waiting = planned.slice(walked.length).map(({ id }) => id);
  return { all, walked, waiting, notDue: asked.length - planned.length, problems };
}

/**
 * What came before a snapshot on its host is there, or was forgotten; of those before that one nothing is known. What was
 * forgotten says so, too, and the ledger says what was ever verified.
 */
async function reportGaps(
  { context, report, ledger, remembered, signal }: VerifyRun,
  { manifests, forgotten, beforeForgotten }: Inventory,
  readable: readonly Manifest[],
): Promise<void> {
  const missed = new Map<SnapshotId, string>();
  const miss = (id: SnapshotId, state: string) => {
    if (!missed.has(id) && !manifests.has(id) && !forgotten.has(id)) missed.set(id, state);
  };
  for (const { id, host, sequence, previous } of readable) {
    if (previous === null) continue;
    const lower = readable.filter(other => other.host === host && other.sequence < sequence);
    const between = sequence - Math.max(0, ...lower.map(other => other.sequence)) - 2;
    const more =
      between > 0
        ? `; whether the ${between} before it were forgotten or are lost as well nobody can tell`
        : '';
    miss(previous, `It came before ${id} on ${host}, and is neither there nor forgotten${more}`);
  }
  for (const [id, previous] of beforeForgotten)
    miss(previous, `It came before ${id}, which was forgotten, and is neither there nor forgotten itself`);
  for (const id of ledger.acts.flatMap(({ act, snapshots }) => (act === 'repaired' ? [] : snapshots)))
    miss(id, 'It was verified before, and is neither there nor forgotten');
  for (const id of remembered) miss(id, 'It was committed from here, and is neither there nor forgotten');
  if (missed.size === 0) return;
  // A list is no instant: one that was forgotten while it was made is in neither part.
  const now = new Set([
    ...(await listManifestIds(context, { signal })),
    ...(await listMarkedIds(context, { signal })),
  ]);
  for (const [id, state] of missed) if (!now.has(id)) report.add('manifest', manifestName(id), { state });
}

/** What cannot be read was reported by the walk, and is nothing that the caller needs to say; nor what is newer. */
async function checkReadable(
  run: VerifyRun,
  { id, check }: { readonly id: SnapshotId; readonly check: () => Promise<string | undefined> },
): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    const isNewer = isPassedOver(run, error, { kind: 'manifest', object: manifestName(id) });
    if (!isNewer && !isFinding(error)) throw error;
    return undefined;
  }
}

/** The newest and the oldest, then whose turn it is, verified longest ago first. */
function byTurn({ ledger, turns }: VerifyRun, manifests: readonly Manifest[]): Manifest[] {
  const newestFirst = inOrder(manifests).reverse();
  const ends = new Set([...newestFirst.slice(0, 1), ...newestFirst.slice(-1)]);
  const others = newestFirst
    .filter(manifest => !ends.has(manifest))
    .map(manifest => ({ manifest, readMs: ledger.verifiedAtMs(manifest.id) }))
    .filter(({ manifest, readMs }) => turns.isDue(manifest.id, readMs));
  return [...ends, ...longestAgoFirst(others).map(({ manifest }) => manifest)];
}
