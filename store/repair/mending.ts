import type { ChunkRef } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { type FoundDamage, newDamage, putDamage } from '../damage.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, hex, type PackId } from '../ids.ts';
import { packName } from '../pack/row.ts';
import { generationName, readGenerations } from '../protocol/generations.ts';
import type { OpenDamage } from '../verify/meaning.ts';
import type { VerifiedStore, VerifyResult } from '../verify.ts';
import type { PackState } from './assess.ts';
import type { Copies } from './copies.ts';
import { copiedElsewhere, copyOut, reliedOn } from './copy-out.ts';
import { endGeneration, vetoGeneration } from './generation.ts';
import { planIndex, type Rebuilt, rebuildIndex } from './index-parts.ts';
import { addParity, bareOf, rebuiltContext } from './parity.ts';
import { RepairWriting } from './writing.ts';

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

/** What a repair found before it does anything. */
export interface Seen {
  readonly result: VerifyResult;
  readonly look: VerifiedStore;
  readonly packs: readonly PackState[];
  /** Of a generation that stops every backup. */
  readonly open: OpenDamage | undefined;
  /** Names of damaged objects. */
  readonly reported: ReadonlySet<string>;
  /** What gc/ said before and after. */
  readonly state: string;
}

interface MendingParts extends Seen {
  readonly host: string;
  readonly readData: boolean;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly copies: Copies;
}

/** The order of everything that a repair writes: a kill after any of it leaves a store that is no worse. */
export class Mending {
  readonly #context: StoreContext;
  readonly #parts: MendingParts;
  readonly #writing: RepairWriting;
  #state: string;
  #replaced: readonly string[] = [];

  constructor(context: StoreContext, parts: MendingParts) {
    this.#context = context;
    this.#parts = parts;
    this.#state = parts.state;
    this.#writing = new RepairWriting(context, parts);
  }

  /** Names of damaged parts of the index that this repair has replaced. */
  get replaced(): readonly string[] {
    return this.#replaced;
  }

  async mend(): Promise<Mended> {
    const { packs, open } = this.#parts;
    const rebuilt: Rebuilt[] = [];
    if (open?.way === 'veto') rebuilt.push(await this.#veto(open.number));
    // What is to have copies elsewhere is recorded once they are there.
    const doomed = open?.way === 'end' ? open.packs : new Set<PackId>();
    const isEmptied = ({ pack, bytes, row, isTrailerWhole }: PackState) =>
      bytes !== undefined && row !== undefined && (!isTrailerWhole || doomed.has(pack));
    const recorded = [...(await this.#record(packs.filter(state => !isEmptied(state)).flatMap(foundIn)))];
    rebuilt.push(...(await this.#listAgain()));
    const healed = await this.#copyOut();
    const emptied = packs.filter(isEmptied);
    const restored = packs.filter(state => !isEmptied(state) && state.restored.length > 0);
    recorded.push(...(await this.#record(restored.map(restoredIn))));
    recorded.push(...(await this.#record(emptied.map(({ pack }) => ({ pack, ordinals: 'all', lost: [] })))));
    if (open?.way === 'end') rebuilt.push(await this.#end(open.number));
    rebuilt.push(...(await this.#addParity()));
    return { rebuilt, recorded, healed: [...healed, ...this.#duplicates(recorded)] };
  }

  async #veto(number: number): Promise<Rebuilt> {
    const { dryRun, signal } = this.#parts;
    if (!dryRun) await vetoGeneration(this.#context, number, { writing: this.#writing, signal });
    await this.#noteState();
    const from = 'the decision that nothing goes, since what was proposed cannot be read';
    return { object: generationName(number, '.sweep'), from };
  }

  async #end(number: number): Promise<Rebuilt> {
    const { dryRun, signal } = this.#parts;
    if (!dryRun) await endGeneration(this.#context, number, { writing: this.#writing, signal });
    await this.#noteState();
    const from = 'copies of all that is whole in its packs, since what was decided cannot be read';
    return { object: generationName(number, '.done'), from };
  }

  /** What happens under gc/ by this repair's own hand is no prune. */
  async #noteState(): Promise<void> {
    const { signal } = this.#parts;
    this.#state = (await readGenerations(this.#context, { signal, reading: 'lenient' })).state;
  }

  /** Rows of packs that no part lists which can be read. */
  async #listAgain(): Promise<Rebuilt[]> {
    const { packs, dryRun, signal, look, reported, result } = this.#parts;
    const replaced = new Set(result.damage.filter(one => one.isReplaced).map(({ object }) => object));
    const damaged = look.inventory.indexParts.filter(name => reported.has(name) && !replaced.has(name));
    const unread = new Set(result.damage.filter(one => one.mayBeWhole).map(({ object }) => object));
    const needed = new Set([...look.unlistedPacks, ...reliedOn(packs, this.#parts.copies)]);
    const parts = { packs, needed, damaged, unread };
    const plan = await planIndex(this.#context, parts, { signal });
    if (!dryRun) {
      const rebuilt = await rebuildIndex(this.#writing, plan);
      this.#replaced = plan.replaces.map(id => `index/${id}`);
      return rebuilt;
    }
    const isNothing = plan.rows.length + plan.replaces.length === 0;
    return isNothing ? [] : [{ object: 'index/…', from: `the trailers of ${plan.rows.length} packs` }];
  }

  /** Durable and listed when it returns. */
  async #copyOut(): Promise<HealedPack[]> {
    const { packs, copies, dryRun, signal } = this.#parts;
    const writing = dryRun ? undefined : this.#writing;
    const healed: HealedPack[] = [];
    for (const state of packs) {
      const object = packName(state.pack);
      const chunks = await copyOut(this.#context, { state, copies, writing }, { signal });
      if (chunks > 0) healed.push({ object, from: 'its whole frames', chunks });
      const restored = await this.#copyRestored(state);
      if (restored > 0) healed.push({ object, from: 'its parity', chunks: restored });
    }
    await this.#writing.flush();
    return healed;
  }

  /** The pack is rebuilt once more: those of all damaged packs together might not fit into memory. */
  async #copyRestored({ bytes = 0, ...state }: PackState): Promise<number> {
    const { copies, dryRun, signal } = this.#parts;
    if (state.restored.length === 0) return 0;
    const rebuilt = await rebuiltContext(this.#context, { pack: state.pack, bytes }, { signal });
    const from = { ...state, bytes, frail: state.restored };
    const writing = dryRun ? undefined : this.#writing;
    return copyOut(rebuilt?.context ?? this.#context, { state: from, copies, writing }, { signal });
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

  /** Where parity is wanted: of packs that were read, and have none. */
  async #addParity(): Promise<Rebuilt[]> {
    const { look, packs, readData, reported, dryRun, signal } = this.#parts;
    if (this.#context.parity === undefined || !readData) return [];
    const isSound = (pack: PackId) =>
      !reported.has(packName(pack)) &&
      !look.verified.masks.isDamaged(pack) &&
      !packs.some(state => state.pack === pack);
    const bare = bareOf(look.inventory, isSound);
    if (bare.length === 0) return [];
    if (!dryRun) {
      const { id: session } = await this.#writing.begin();
      await addParity(this.#context, { session, packs: bare }, { signal });
    }
    return [{ object: 'parity/…', from: `${bare.length} packs that had none` }];
  }

  async heal(id: ChunkId, bytes: Uint8Array): Promise<boolean> {
    const { copies, dryRun } = this.#parts;
    if (Buffer.compare(this.#context.idOf(bytes, 'data'), id) !== 0) return false;
    if (!dryRun) await this.#writing.put(id, bytes, 'data');
    copies.setHealed(id);
    return true;
  }

  async settle(lost: readonly ChunkRef[]): Promise<readonly RecordedDamage[]> {
    const { copies, signal } = this.#parts;
    await this.#writing.flush();
    const { state } = await readGenerations(this.#context, { signal, reading: 'lenient' });
    if (state !== this.#state) throw disturbed(this.#context);
    const byPack = new Map<PackId | null, ChunkId[]>();
    // Each snapshot that needs a chunk says so.
    for (const ref of new Map(lost.map(one => [hex(one.id), one])).values()) {
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

/** What parity gave back stays bad where it lies. */
function restoredIn({ pack, restored }: PackState): FoundDamage {
  return { pack, ordinals: restored.map(({ ordinal }) => ordinal).sort((a, b) => a - b), lost: [] };
}

/** What a prune moves or takes meanwhile would be taken for lost. */
export function disturbed({ backend }: StoreContext): Error {
  return storeError('STORE_LOCKED', `Cannot repair ${backend.location}: a prune is at work`, {
    remedy: 'Run repair again when it has ended. What was done so far stays.',
  });
}
