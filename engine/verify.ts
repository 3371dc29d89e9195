import {
  type Damage,
  isBeyondUs,
  isForbidden,
  isStoreError,
  type Ledger,
  type Manifest,
  readLedger,
  type Scrub,
  type SnapshotId,
  type Store,
  type VerifyResult as StoreVerifyResult,
  type VerifyProgress,
  verifyStore,
} from '../store/index.ts';
import { knownDamage } from './known-damage.ts';
import type { Snapshot } from './pair.ts';
import { decodePair } from './pair-codec.ts';
import { checkPairing, pairingVersion } from './pairing.ts';
import type { OnProgress, Progress } from './progress.ts';
import { Losses, namesOf, type SnapshotLoss } from './verify/losses.ts';
import { nameLosses, nameOf } from './verify/name-losses.ts';

export type { SnapshotLoss } from './verify/losses.ts';

/** Something damaged, and what it takes with it: snapshots, repositories, files, tables. */
export interface NamedDamage {
  readonly kind: string;
  readonly object: string;
  /** What was found. */
  readonly state: string;
  /** The medium fails to read it: it may be whole. */
  readonly mayBeWhole?: true;
  /** Where a repair would leave it as it is: what it means, and what a person can do. */
  readonly remedy?: string;
  /** One list of names: each snapshot, each repository in it, each file or table in that. */
  readonly affects: readonly string[];
  /** The same, by snapshot and repository. */
  readonly lost: readonly SnapshotLoss[];
  /** Files and tables beyond those named. */
  readonly unnamed: number;
}

export interface VerifyOptions {
  readonly store: Store;
  /** For the session and the ledger. */
  readonly host: string;
  /** The snapshots to check; absent: all. The store's own objects are always looked at. */
  readonly snapshots?: readonly Snapshot[] | undefined;
  /** Only what the snapshots need is of interest: damage elsewhere is told apart, and no data is read for others. */
  readonly isNamed: boolean;
  /** 0 to 1, always read again; 'due': what was never read, and whose turn it is. */
  readonly readData: number | 'due';
  readonly maxDurationMs?: number | undefined;
  /** Snapshots that this host committed, and misses where they are gone. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly snapshots: number;
  readonly chunksChecked: number;
  readonly bytesRead: number;
  readonly damage: readonly NamedDamage[];
  /** Objects that need a newer program: nothing is known of them, and nothing was noted in the store. */
  readonly newer: readonly NamedDamage[];
  /** Damage that the named snapshots do not need; and packs that are known to be damaged and of which nothing is lost. */
  readonly elsewhere: readonly NamedDamage[];
  /** Damage with which nothing is lost or stopped, as a repair has noted. */
  readonly known: readonly NamedDamage[];
  /** Why nobody can say whether all is there: the medium failed to read what lists it. STORE_READ_FAILED. */
  readonly failure: Error | undefined;
  /** Packs that could not be read, and could a moment later. */
  readonly unsteady: readonly string[];
  /** Snapshots that the time was not enough for. */
  readonly waiting: readonly SnapshotId[];
  /** Snapshots that were looked at lately, and whose turn it was not. */
  readonly notDue: number;
  readonly scrub: Scrub;
  /** The latest time that the ledger has from the future, and how many; null: none. */
  readonly ahead: { readonly acts: number; readonly latestMs: number } | null;
  /** Whether the ledger has it now, and why not. */
  readonly noted: { readonly isDone: boolean; readonly error?: Error };
}

/**
 * Checks the store, and whether each snapshot is a whole pair. Damage is traced to the snapshots, repositories, files and
 * tables that need it. What was found is noted in the store where it can be written.
 */
export async function verifySnapshots(options: VerifyOptions): Promise<VerifyResult> {
  const { store, signal, host, snapshots, maxDurationMs } = options;
  const known = new Map(snapshots?.map(snapshot => [snapshot.id, snapshot]));
  // A snapshot that is named twice is checked once.
  const ids = snapshots === undefined ? await idsOf(store) : [...known.keys()];
  await using _reading = await store.beginReading({ host, snapshots: ids, signal });
  const ledger = await readLedger(store, { signal });
  const pairedBefore = options.isNamed ? new Set() : pairedIn(ledger);
  const checked = await verifyStore(store, {
    readData: options.readData,
    packs: options.isNamed ? 'needed' : 'all',
    remembered: options.remembered,
    ...(snapshots && { snapshots: ids }),
    maxDurationMs,
    check: async (manifest, source) => {
      // Nodes are named by their contents, and were just read: what was compared once is as it was.
      if (pairedBefore.has(manifest.id)) return undefined;
      const snapshot = known.get(manifest.id) ?? decoded(manifest);
      if (typeof snapshot === 'string') return snapshot;
      return checkPairing(source, snapshot, manifest);
    },
    goesPastNewer: true,
    noteAs: host,
    noteDetail: new Map([[1, pairingVersion]]),
    signal,
    onProgress: progress => options.onProgress(progressOf(progress)),
  });
  const losses = await lossesOf(options, checked);
  return toResult(options, { checked, losses, ledger });
}

async function idsOf(store: Store): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for await (const { id } of store.snapshots({ onDamage: () => undefined })) ids.push(id);
  return ids;
}

/** Snapshots whose pairing this version compared before. */
function pairedIn(ledger: Ledger): ReadonlySet<string> {
  const paired = new Set<string>();
  for (const { act, isOk, snapshots, detail } of ledger.acts) {
    const version = detail instanceof Map ? detail.get(1) : undefined;
    if (act !== 'verified' || !isOk || typeof version !== 'number' || version < pairingVersion) continue;
    for (const id of snapshots) if (ledger.wasVerified(id)) paired.add(id);
  }
  return paired;
}

/** What is wrong, where the body is not what this version can read. */
function decoded(manifest: Manifest): Snapshot | string {
  try {
    return decodePair(manifest);
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_DAMAGED') return error.message;
    throw error;
  }
}

function progressOf({ phase, done, total }: VerifyProgress): Progress {
  const counted = total > 0 ? { total } : {};
  return phase === 'data'
    ? { phase: 'verify-data', bytes: done, ...(counted.total && { bytesTotal: total }) }
    : { phase: `verify-${phase}`, steps: done, ...(counted.total && { stepsTotal: total }) };
}

/** What is lost of the snapshots that were asked for, by name; of others, that something is. */
async function lossesOf(
  { store, snapshots, signal }: VerifyOptions,
  checked: StoreVerifyResult,
): Promise<Losses> {
  const losses = new Losses();
  const asked = snapshots && new Map(snapshots.map(snapshot => [snapshot.id, snapshot]));
  const walked = new Map(checked.snapshots.map(manifest => [manifest.id, manifest]));
  for (const id of checked.affected) {
    signal.throwIfAborted();
    // What was read once is not read again: the medium may fail to.
    const manifest = walked.get(id) ?? (await unlessGone(() => store.manifest(id, { signal })));
    if (manifest === undefined) continue;
    const snapshot = asked?.get(id) ?? decoded(manifest);
    const mark = `forgotten/${id}`;
    if (checked.damage.some(({ object }) => object === mark))
      losses.add(mark, {
        snapshot: typeof snapshot === 'string' ? `snapshot ${id.slice(0, 8)}` : nameOf(snapshot),
      });
    if (typeof snapshot !== 'string' && (asked === undefined || asked.has(id))) {
      await nameLosses(snapshot, { checked, losses });
      continue;
    }
    const name = typeof snapshot === 'string' ? `snapshot ${id.slice(0, 8)}` : nameOf(snapshot);
    for (const root of manifest.roots)
      for (const object of await checked.culprits(root)) losses.add(object, { snapshot: name });
  }
  return losses;
}

/** Forgotten meanwhile, or not to be read now; another look names it again. */
async function unlessGone(read: () => Promise<Manifest>): Promise<Manifest | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStoreError(error) || isBeyondUs(error) || isForbidden(error)) throw error;
    return undefined;
  }
}

/** Without these nobody reads anything. */
const neededByAll: readonly string[] = ['config', 'ring'];

function toResult(
  options: VerifyOptions,
  {
    checked,
    losses,
    ledger,
  }: {
    readonly checked: StoreVerifyResult;
    readonly losses: Losses;
    readonly ledger: Ledger;
  },
): VerifyResult {
  // What a repair has called harmless; whether it still is is another question.
  const noted = knownDamage(ledger);
  const left = new Map(checked.left.map(one => [one.object, one]));
  const withLosses = ({
    kind,
    object,
    state,
    mayBeWhole,
  }: Pick<Damage, 'object' | 'state' | 'mayBeWhole'> & { readonly kind: string }): NamedDamage => {
    const meaning = left.get(object);
    const { lost, unnamed } = meaning?.isHarmless ? { lost: [], unnamed: 0 } : losses.in(object);
    return {
      ...{ kind, object, state },
      ...(mayBeWhole && { mayBeWhole }),
      ...(meaning && { remedy: meaning.remedy }),
      ...{ affects: namesOf(lost), lost, unnamed },
    };
  };
  const named = (damage: readonly Damage[]): NamedDamage[] => damage.map(withLosses);
  const isKnown = ({ object }: Damage) => noted.has(object) && left.get(object)?.isHarmless === true;
  const asked = new Set(options.snapshots?.map(({ id }) => `snapshot ${id.slice(0, 8)}`));
  const isNeeded = ({ kind, affects }: NamedDamage) =>
    !options.isNamed ||
    neededByAll.includes(kind) ||
    affects.some(name => [...asked].some(start => name.startsWith(start)));
  const all = named(checked.damage.filter(one => !isKnown(one)));
  const mispaired = [...checked.problems].map(([id, state]) =>
    withLosses({ kind: 'pairing', object: `manifests/${id}`, state }),
  );
  const damage = [...all.filter(isNeeded), ...mispaired];
  return {
    ok: damage.length === 0 && checked.unlistedDamage === 0 && checked.newer.length === 0,
    snapshots: checked.snapshots.length,
    chunksChecked: checked.chunksChecked,
    bytesRead: checked.bytesRead,
    damage,
    newer: named(checked.newer),
    elsewhere: [...all.filter(one => !isNeeded(one)), ...named(checked.harmless)],
    known: named(checked.damage.filter(isKnown)),
    failure: checked.failure,
    unsteady: checked.unsteady,
    waiting: checked.waiting,
    notDue: checked.notDue,
    scrub: checked.scrub,
    ahead: aheadIn(ledger),
    noted: checked.noted ?? { isDone: false },
  };
}

function aheadIn({ ahead }: Ledger): VerifyResult['ahead'] {
  const latest = ahead.at(-1);
  return latest === undefined ? null : { acts: ahead.length, latestMs: latest.finishedMs };
}
