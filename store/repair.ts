import type { ChunkRef, ChunkSource } from './content.ts';
import type { ChunkId, PackId, SnapshotId } from './ids.ts';
import { underLaterKeys } from './keys/index.ts';
import type { Manifest } from './manifest.ts';
import { packName } from './pack/row.ts';
import { type Generations, readGenerations, stoppedByDamage } from './protocol/generations.ts';
import { assessPacks, type PackState } from './repair/assess.ts';
import { Copies } from './repair/copies.ts';
import { type ForgottenLost, forgetLost, type LostManifest, lostManifests } from './repair/manifests.ts';
import { disturbed, type Mended, Mending, type RecordedDamage, type Seen } from './repair/mending.ts';
import { withParity } from './repair/parity.ts';
import { throughParity } from './repair/restored.ts';
import { insideOf, type Store } from './store.ts';
import { type LeftDamage, leftOf, openDamage } from './verify/meaning.ts';
import { type Damage, lookOf, type VerifyProgress, verifyStore } from './verify.ts';

export type { Rebuilt } from './repair/index-parts.ts';
export type { ForgottenLost, LostManifest } from './repair/manifests.ts';
export type { HealedPack, Mended, RecordedDamage } from './repair/mending.ts';
export type { LeftDamage } from './verify/meaning.ts';

export interface BeginRepairOptions {
  readonly host: string;
  /** True: every byte of the packs is read; false: what index, trailers, nodes and records show. */
  readonly readData: boolean;
  /** Looks, decides the same, and writes nothing. */
  readonly dryRun?: boolean;
  /** As of a verification. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/** A repair that has looked, and does what it is asked to. It only ever adds objects. */
export interface RepairSession extends ChunkSource, AsyncDisposable {
  /** Everything that is not as it should be, as verify names it. */
  readonly found: readonly Damage[];
  /** Every snapshot whose manifest can be read. */
  readonly snapshots: readonly Manifest[];
  /** Those from which something damaged can be reached; not all of it need be lost. */
  readonly affected: ReadonlySet<SnapshotId>;
  readonly lostManifests: readonly LostManifest[];
  /** Damage that stays, with what it means. */
  readonly left: readonly LeftDamage[];
  /** Damaged parts of the index that `mend` has replaced: nothing is lost with them any more. */
  readonly replaced: readonly string[];
  /** Packs that the medium could not read in part: they may be whole. */
  readonly unreadable: readonly string[];
  /** Objects with names that this version does not know; they are left alone. */
  readonly unknown: number;
  readonly chunksChecked: number;
  readonly bytesRead: number;
  /** Whether no whole copy of a chunk is there. Says nothing of what is below a node. */
  isLost(ref: ChunkRef): boolean;
  /** True for a lost chunk that a better medium may still give. */
  isUnreadable(id: ChunkId): boolean;
  /** Bytes of a data chunk, also of a lost one; undefined where nothing says it. */
  lengthOf(id: ChunkId): number | undefined;
  /** Writes down what is bad, lists what is not listed, and copies what is whole out of packs that are not. */
  mend(): Promise<Mended>;
  /** The id that bytes of a file have as a chunk. */
  idOf(bytes: Uint8Array): ChunkId;
  /** Stores lost content again. False: these bytes are not the chunk's. */
  heal(id: ChunkId, bytes: Uint8Array): Promise<boolean>;
  /** Makes durable what was healed, and writes down what stays lost. */
  settle(lost: readonly ChunkRef[]): Promise<readonly RecordedDamage[]>;
  /** Marks lost manifests as forgotten, so that a prune takes the list for whole again. Only where a person asks. */
  forgetLost(): Promise<readonly ForgottenLost[]>;
}

/** Looks for damage, as verify does. Nothing is written before `mend`. STORE_LOCKED while a prune is at work. */
export async function beginRepair(store: Store, options: BeginRepairOptions): Promise<RepairSession> {
  const { context, keys } = insideOf(store);
  const inside = { backend: context.backend, keys };
  const seen = await underLaterKeys(inside, () => lookUndisturbed(store, options));
  const { result, look, packs } = seen;
  const copies = new Copies(look.verified, packs);
  const lost = lostManifests(result, look);
  const mending = new Mending(context, { ...options, ...seen, copies });
  const source = { ...options, source: store, index: look.verified.index, packs };
  const { get } = throughParity(context, source);
  return {
    get,
    found: result.damage,
    snapshots: result.snapshots,
    affected: new Set(result.affected),
    lostManifests: lost,
    left: leftOf(result.damage, {
      ...look.inventory,
      open: seen.open,
      stopped: await underLaterKeys(inside, () => stoppedByDamage(context, options)),
      isDataRead: options.readData,
    }),
    get replaced() {
      return mending.replaced;
    },
    unreadable: packs
      .filter(({ unreadable, mayBeWhole }) => mayBeWhole || unreadable.length > 0)
      .map(({ pack }) => packName(pack)),
    unknown: look.inventory.unknown,
    chunksChecked: result.chunksChecked,
    bytesRead: result.bytesRead,
    isLost: ref => copies.isLost(ref),
    isUnreadable: id => copies.isUnreadable(id),
    lengthOf: id => copies.lengthOf(id),
    mend: () => mending.mend(),
    idOf: bytes => context.idOf(bytes, 'data'),
    heal: (id, bytes) => mending.heal(id, bytes),
    settle: refs => mending.settle(refs),
    forgetLost: () => forgetLost(context, lost, options),
    [Symbol.asyncDispose]: () => mending.end(),
  };
}

const attemptsMax = 3;

/** A look during which no prune moved anything: what it takes away would look lost. */
async function lookUndisturbed(store: Store, options: BeginRepairOptions): Promise<Seen> {
  const { context } = insideOf(store);
  const { signal } = options;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const before = await readGenerations(context, { signal, reading: 'lenient' });
    const seen = await lookOnce(store, before, options);
    const after = await readGenerations(context, { signal, reading: 'lenient' });
    if (before.state === after.state) return { ...seen, state: after.state };
  }
  throw disturbed(context);
}

async function lookOnce(
  store: Store,
  generations: Generations,
  { readData, remembered, signal, onProgress }: BeginRepairOptions,
): Promise<Omit<Seen, 'state'>> {
  const { context } = insideOf(store);
  const result = await verifyStore(store, {
    readData: readData ? 1 : 0,
    remembered,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const look = lookOf(result);
  const reported = new Set(result.damage.map(({ object }) => object));
  const isReported = (object: string) => reported.has(object) || result.unlistedDamage > 0;
  const open = openDamage(generations, object => reported.has(object));
  const doomed = open?.way === 'end' ? open.packs : new Set<PackId>();
  const packs: PackState[] = [];
  const assessed = { ...look, isReported, doomed, areListsRead: readData };
  for await (const state of assessPacks(context, assessed, { signal }))
    packs.push(await withParity(context, { look, state }, { signal }));
  return { result, look, packs, open, reported };
}
