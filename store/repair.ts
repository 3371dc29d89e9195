import type { ChunkRef } from './content.ts';
import type { StoreContext } from './context.ts';
import { type FoundDamage, newDamage, putDamage } from './damage.ts';
import type { ChunkId, PackId, SnapshotId } from './ids.ts';
import type { Manifest } from './manifest.ts';
import { packName } from './pack/row.ts';
import { assessPacks, type PackState } from './repair/assess.ts';
import { Copies } from './repair/copies.ts';
import { copiedElsewhere, copyOut } from './repair/copy-out.ts';
import { planIndex, type Rebuilt, rebuildIndex } from './repair/index-parts.ts';
import { type ForgottenLost, forgetLost, type LostManifest, lostManifests } from './repair/manifests.ts';
import { type LeftDamage, leftOf, openVeto, vetoGeneration } from './repair/records.ts';
import { RepairWriting } from './repair/writing.ts';
import { insideOf, type Store } from './store.ts';
import { type Damage, lookOf, type VerifiedStore, type VerifyProgress, verifyStore } from './verify.ts';

export type { Rebuilt } from './repair/index-parts.ts';
export type { ForgottenLost, LostManifest } from './repair/manifests.ts';
export type { LeftDamage } from './repair/records.ts';

export interface BeginRepairOptions {
  readonly host: string;
  /** True: every byte of the packs is read; false: what index, trailers, nodes and records show. */
  readonly readData: boolean;
  /** Looks, decides the same, and writes nothing. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/** What of a pack was written down as bad. */
export interface RecordedDamage {
  /** The pack's name; null: chunks that nobody knows a pack of. */
  readonly object: string | null;
  readonly frames: readonly number[] | 'all';
  /** Chunks of it that are lost. */
  readonly lost: number;
}

/** Chunks of a damaged pack that are not lost. */
export interface HealedPack {
  readonly object: string;
  readonly from: string;
  readonly chunks: number;
}

export interface Mended {
  readonly rebuilt: readonly Rebuilt[];
  readonly recorded: readonly RecordedDamage[];
  readonly healed: readonly HealedPack[];
}

/** A repair that has looked, and does what it is asked to. It only ever adds objects. */
export interface RepairSession extends AsyncDisposable {
  /** Everything that is not as it should be, as verify names it. */
  readonly found: readonly Damage[];
  /** Every snapshot whose manifest can be read. */
  readonly snapshots: readonly Manifest[];
  /** Those from which something damaged can be reached; not all of it need be lost. */
  readonly affected: ReadonlySet<SnapshotId>;
  readonly lostManifests: readonly LostManifest[];
  /** Damage that stays, with what it means. */
  readonly left: readonly LeftDamage[];
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

/** Looks for damage, as verify does. Nothing is written before `mend`. */
export async function beginRepair(store: Store, options: BeginRepairOptions): Promise<RepairSession> {
  const { context } = insideOf(store);
  const { readData, signal, onProgress } = options;
  const result = await verifyStore(store, {
    readData: readData ? 1 : 0,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const look = lookOf(result);
  const reported = new Set(result.damage.map(({ object }) => object));
  const isReported = (object: string) => reported.has(object) || result.unlistedDamage > 0;
  const packs: PackState[] = [];
  for await (const state of assessPacks(context, { ...look, isReported }, { signal })) packs.push(state);
  const copies = new Copies(look.verified.index, packs);
  const lost = lostManifests(result, look);
  const mending = new Mending(context, { ...options, look, packs, copies, reported });
  return {
    found: result.damage,
    snapshots: result.snapshots,
    affected: new Set(result.affected),
    lostManifests: lost,
    left: leftOf(result.damage, object => mending.isMended(object)),
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

interface MendingParts extends Pick<BeginRepairOptions, 'host' | 'dryRun' | 'signal'> {
  readonly look: VerifiedStore;
  readonly packs: readonly PackState[];
  readonly copies: Copies;
  readonly reported: ReadonlySet<string>;
}

/** The order of everything that a repair writes: a kill after any of it leaves a store that is no worse. */
class Mending {
  readonly #context: StoreContext;
  readonly #parts: MendingParts;
  readonly #writing: RepairWriting;

  constructor(context: StoreContext, parts: MendingParts) {
    this.#context = context;
    this.#parts = parts;
    this.#writing = new RepairWriting(context, parts);
  }

  isMended(object: string): boolean {
    return openVeto(this.#parts.look, this.#isDamaged)?.number === Number(object.slice('gc/'.length));
  }

  async mend(): Promise<Mended> {
    const { packs, dryRun, signal, look, reported } = this.#parts;
    const context = this.#context;
    const rebuilt: Rebuilt[] = [];
    const veto = openVeto(look, this.#isDamaged);
    if (veto !== undefined) {
      if (!dryRun) await vetoGeneration(context, { writing: this.#writing, ...veto }, { signal });
      rebuilt.push({
        object: veto.sweep,
        from: 'the decision that nothing goes: what was proposed cannot be read',
      });
    }
    // A pack that cannot say what it holds is recorded once its copies are there.
    const isMute = ({ bytes, row, isTrailerWhole }: PackState) =>
      bytes !== undefined && row !== undefined && !isTrailerWhole;
    const recorded = [...(await this.#record(packs.filter(state => !isMute(state)).flatMap(foundIn)))];
    const damaged = look.inventory.indexParts.filter(name => reported.has(name));
    const plan = await planIndex(context, { packs, damaged }, { signal });
    if (!dryRun) rebuilt.push(...(await rebuildIndex(this.#writing, plan)));
    else if (plan.rows.length + plan.replaces.length > 0)
      rebuilt.push({ object: 'index/…', from: `the trailers of ${plan.rows.length} packs` });
    const healed = await this.#copyOut();
    recorded.push(
      ...(await this.#record(packs.filter(isMute).map(({ pack }) => ({ pack, ordinals: 'all', lost: [] })))),
    );
    return { rebuilt, recorded, healed: [...healed, ...this.#duplicates(recorded)] };
  }

  /** Durable and listed when it returns. */
  async #copyOut(): Promise<HealedPack[]> {
    const { packs, copies, dryRun, signal } = this.#parts;
    const writing = dryRun ? undefined : this.#writing;
    const healed: HealedPack[] = [];
    for (const state of packs) {
      const chunks = await copyOut(this.#context, { state, copies, writing }, { signal });
      if (chunks > 0) healed.push({ object: packName(state.pack), from: 'its whole frames', chunks });
    }
    await this.#writing.flush();
    return healed;
  }

  /** What is bad in a pack, and was there elsewhere all the time. */
  #duplicates(recorded: readonly RecordedDamage[]): HealedPack[] {
    const { packs, copies } = this.#parts;
    return recorded.flatMap(({ object, frames: ordinals }) => {
      const state = packs.find(({ pack }) => packName(pack) === object);
      const chunks = state === undefined ? 0 : copiedElsewhere(state, { ordinals, copies });
      return object === null || chunks === 0 ? [] : [{ object, from: 'copies in other packs', chunks }];
    });
  }

  async heal(id: ChunkId, bytes: Uint8Array): Promise<boolean> {
    const { copies, dryRun } = this.#parts;
    if (Buffer.compare(this.#context.idOf(bytes, 'data'), id) !== 0) return false;
    if (!dryRun) await this.#writing.put(id, bytes, 'data');
    copies.setHealed(id);
    return true;
  }

  async settle(lost: readonly ChunkRef[]): Promise<readonly RecordedDamage[]> {
    const { copies } = this.#parts;
    await this.#writing.flush();
    const byPack = new Map<PackId | null, ChunkId[]>();
    for (const ref of lost) {
      // What a better medium may give again is not given up.
      if (!copies.isLost(ref) || copies.isUnreadable(ref.id)) continue;
      const pack = copies.packOf(ref.id);
      byPack.set(pack, [...(byPack.get(pack) ?? []), ref.id]);
    }
    return this.#record([...byPack].map(([pack, ids]) => ({ pack, ordinals: [], lost: ids })));
  }

  end(): Promise<void> {
    return this.#writing.end();
  }

  readonly #isDamaged = (object: string): boolean => this.#parts.reported.has(object);

  async #record(found: readonly FoundDamage[]): Promise<RecordedDamage[]> {
    const { dryRun, signal } = this.#parts;
    const fresh = await newDamage(this.#context, found, { signal });
    if (!dryRun && fresh.length > 0) {
      const { id: session } = await this.#writing.begin();
      await putDamage(this.#context, fresh, { signal, session });
    }
    return fresh.map(
      ({ pack, ordinals, lost }): RecordedDamage => ({
        object: pack && packName(pack),
        frames: ordinals,
        lost: lost.length,
      }),
    );
  }
}

/** What is to be written down of a pack from which nothing is copied out. */
function foundIn({ pack, bytes, row, bad, unreadable, mayBeWhole }: PackState): FoundDamage[] {
  const frames = [...bad, ...unreadable];
  if (mayBeWhole) return [];
  if (bytes === undefined || row === undefined) return [{ pack, ordinals: 'all', lost: [] }];
  if (frames.length === 0) return [];
  const ordinals = frames.map(({ ordinal }) => ordinal).sort((a, b) => a - b);
  return [{ pack, ordinals, lost: [] }];
}
