import assert from 'node:assert/strict';
import { contextOf } from '../../store/context.ts';
import { forget } from '../../store/forget.ts';
import {
  type Backend,
  beginPrune,
  type ChunkRef,
  ListingBuilder,
  type ListingRoot,
  memoryBackend,
  type SnapshotId,
  StillpointError,
  type Store,
  storeExtents,
  verifyStore,
} from '../../store/index.ts';
import { insideOf, storeWith } from '../../store/store.ts';
import { collect } from './collect.ts';
import { Interleaving } from './interleaved.ts';
import { seededSeams } from './seeded.ts';
import { readFiles } from './small-store.ts';
import { makeStore } from './stores.ts';

/** What a party sees of the medium when a rule of the protocol is switched off for it. */
export type Mutant = (medium: Backend) => Backend;

export interface Mutants {
  readonly writer?: Mutant;
  readonly pruner?: Mutant;
}

interface Told {
  readonly id: SnapshotId;
  readonly listings: readonly (readonly [ListingRoot, ReadonlyMap<string, Buffer>])[];
}

/** What a party may answer: a prune was first, its snapshot was forgotten. */
const expectedCodes: ReadonlySet<string | undefined> = new Set(['STORE_LOCKED', 'SNAPSHOT_UNKNOWN']);
/** Where others count as dead at once, its session can go between the two puts that prove the medium, and what it reads can go. */
const expectedOfDead: ReadonlySet<string | undefined> = new Set([
  ...expectedCodes,
  'STORE_UNPROVEN',
  'STORE_OBJECT_MISSING',
]);

const names = 'abcdefgh';
const contentOf = (name: string): Buffer => Buffer.from(`${name} `.repeat(200));

/**
 * A store with three snapshots that share some contents, one of them forgotten, and perhaps pruned before; made once, so
 * that a schedule costs milliseconds.
 */
export class PruneStory {
  readonly #objects: ReadonlyMap<string, Uint8Array>;
  readonly #seed: Store;
  readonly #before: readonly Told[];
  /** What came of parties that everybody saw to be alive. */
  readonly tally = { commits: 0, refusedCommits: 0, prunes: 0, vetoes: 0 };

  private constructor(objects: ReadonlyMap<string, Uint8Array>, seed: Store, before: readonly Told[]) {
    this.#objects = objects;
    this.#seed = seed;
    this.#before = before;
  }

  static async prepare(): Promise<PruneStory> {
    const backend = memoryBackend();
    const signed = insideOf(await makeStore({ backend, seams: seededSeams('prune story') }));
    // Signatures, which no host of this store asks for, would be two thirds of a schedule's time.
    const ring = { ...signed.context.ring };
    ring.keyHolder = epoch => ({ ...signed.context.ring.keyHolder(epoch), sign: () => new Uint8Array(0) });
    const store = storeWith(contextOf({ ...signed.context, ring }), { ...signed.keys, ring });
    const first = await backup(store, { files: 'abcd' });
    const second = await backup(store, { files: 'bef' });
    const third = await backup(store, { files: 'ag' });
    await forget(insideOf(store).context, first.id, { reason: 'a test' });
    return new PruneStory(backend.snapshot(), store, [second, third]);
  }

  /** One schedule from a seed: what went wrong, or undefined. Everything that a run may answer is checked. */
  async play(seed: number, mutants: Mutants = {}): Promise<string | undefined> {
    const medium = memoryBackend({ objects: this.#objects });
    // Names decide which copy stays, and the clock when a long job lets others run: a seed must bring back all of it.
    const seams = seededSeams(`schedule ${seed}`);
    const stage = new Interleaving(seed);
    const committed: Told[] = [];
    const errors: unknown[] = [];
    const forgotten = new Set<SnapshotId>();
    const noting = (work: (view: Backend) => Promise<void>) => async (view: Backend) =>
      work(view).catch((error: unknown) => {
        errors.push(error);
      });
    const deathOf = () => (stage.choose(4) === 0 ? stage.choose(90) : undefined);
    // In some schedules whoever is silent for a moment counts as dead, in the others everybody shows signs of life.
    const isPatient = stage.choose(3) > 0;
    const life = new SignsOfLife();
    for (let writers = 1 + stage.choose(2); writers > 0; writers--) {
      const files = pick(stage);
      const parent = [undefined, ...this.#before][stage.choose(3)];
      life.add(
        stage,
        medium,
        noting(async view => {
          const store = this.#openOn(mutants.writer?.(view) ?? view, seams);
          const told = await backup(store, { files, parent }).catch((error: unknown) => {
            if (isPatient) this.tally.refusedCommits += 1;
            throw error;
          });
          committed.push(told);
          if (isPatient) this.tally.commits += 1;
        }),
        { dies: deathOf() },
      );
    }
    if (isPatient && stage.choose(2) === 0) {
      const snapshot = this.#before[stage.choose(2)]!;
      life.add(
        stage,
        medium,
        noting(async view => read(this.#openOn(view, seams), snapshot)),
        { dies: deathOf() },
      );
    }
    for (let pruners = 1 + (stage.choose(3) === 0 ? 1 : 0); pruners > 0; pruners--) {
      const victim = [undefined, ...this.#before][stage.choose(3)];
      const rounds = 1 + stage.choose(2);
      const stepsMax = stage.choose(3) === 0 ? stage.choose(12) : Number.POSITIVE_INFINITY;
      life.add(
        stage,
        medium,
        noting(async own => {
          const view = isPatient ? life.seenBy(own) : own;
          const store = this.#openOn(mutants.pruner?.(view) ?? view, seams);
          await using session = await beginPrune(store, { host: 'pruner', silenceMs: isPatient ? 2000 : 0 });
          if (victim !== undefined) {
            forgotten.add(victim.id);
            await session.forget([victim.id], { reason: 'a test' });
          }
          let steps = 0;
          const isTimeUp = () => ++steps > stepsMax;
          for (let round = 0; round < rounds; round++) {
            const { pending } = await session.reclaim({ mayBeEmpty: true, isTimeUp });
            if (isPatient && pending.vetoedBytes > 0) this.tally.vetoes += 1;
          }
          if (isPatient) this.tally.prunes += 1;
        }),
        { dies: deathOf() },
      );
    }
    await stage.run();
    for (const error of errors) {
      const code = error instanceof StillpointError ? error.code : undefined;
      if (!(isPatient ? expectedCodes : expectedOfDead).has(code))
        return `seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`;
    }
    const kept = [...this.#before, ...committed].filter(({ id }) => !forgotten.has(id));
    return (
      (await this.#judge(medium, { kept, seed })) ??
      (await this.#pruneOnce(medium, seed)) ??
      (await this.#judge(medium, { kept, seed: -seed }))
    );
  }

  /** What was left undone is done. */
  async #pruneOnce(medium: Backend, seed: number): Promise<string | undefined> {
    try {
      const store = this.#openOn(medium);
      await using session = await beginPrune(store, { host: 'last', silenceMs: 0 });
      await session.reclaim({ mayBeEmpty: true });
      return undefined;
    } catch (error) {
      return `seed ${seed}, the last prune: ${String(error)}`;
    }
  }

  async #judge(
    medium: Backend,
    { kept, seed }: { readonly kept: readonly Told[]; readonly seed: number },
  ): Promise<string | undefined> {
    const store = this.#openOn(medium);
    const listed = new Set((await collect(store.snapshots())).map(({ id }) => id));
    for (const { id, listings } of kept) {
      if (!listed.has(id)) return `seed ${seed}: snapshot ${id} is lost: not listed`;
      try {
        for (const [root, files] of listings) assert.deepEqual(await readFiles(store, root), files);
      } catch (error) {
        return `seed ${seed}: snapshot ${id} is lost: ${String(error)}`;
      }
    }
    if (seed % 16 !== 0) return undefined;
    const { damage } = await verifyStore(store, { readData: 1 });
    return damage.length === 0 ? undefined : `seed ${seed}: ${JSON.stringify(damage[0])}`;
  }

  #openOn(backend: Backend, seams = seededSeams('afterwards')): Store {
    const { context, keys } = insideOf(this.#seed);
    return storeWith(contextOf({ ...context, backend, seams }), keys);
  }
}

/** Sessions show new heartbeats for as long as their party lives; the clock of a schedule calls nobody back. */
class SignsOfLife {
  readonly #isOver = new Map<string, () => boolean>();
  #beats = 1000;

  /** Adds a party whose sessions are known. */
  add(
    stage: Interleaving,
    medium: Backend,
    work: (view: Backend) => Promise<void>,
    options: { readonly dies: number | undefined },
  ): void {
    const isOver = stage.add(
      medium,
      view =>
        work({
          ...view,
          put: (name, bytes, how) => {
            if (name.startsWith('sessions/')) this.#isOver.set(name, () => isOver());
            return view.put(name, bytes, how);
          },
        }),
      options,
    );
  }

  /** The medium as somebody sees it who looks for signs of life. */
  seenBy(view: Backend): Backend {
    const beating = (name: string): boolean => this.#isOver.get(name)?.() === false;
    const nextBeat = (): number => ++this.#beats;
    return {
      ...view,
      async *list(prefix, options) {
        for await (const object of view.list(prefix, options)) {
          yield object;
          if (beating(object.name)) yield { name: `${object.name}.${nextBeat()}`, bytes: 100 };
        }
      },
    };
  }
}

/** Reads a snapshot as a restore does: if it may begin, all of it is there to the end. */
async function read(store: Store, { id, listings }: Told): Promise<void> {
  await using _reading = await store.beginReading({ host: 'reader', snapshots: [id] });
  for (const [root, files] of listings) assert.deepEqual(await readFiles(store, root), files);
}

function pick(stage: Interleaving): string {
  return [...names].filter(() => stage.choose(2) === 0).join('') || 'a';
}

/** Commits files, and with a parent its whole listing without looking at it, as a backup does that finds nothing changed. */
async function backup(
  store: Store,
  { files, parent }: { readonly files: string; readonly parent?: Told | undefined },
): Promise<Told> {
  await using session = await store.beginBackup({ host: 'writer' });
  const listed = (await collect(store.snapshots())).some(({ id }) => id === parent?.id);
  const builder = new ListingBuilder(session, store.cuts.nodes);
  for (const name of files) {
    const bytes = contentOf(name);
    const id = await session.put(bytes, 'data');
    const extents = [{ kind: 'chunk' as const, id, offset: 0, length: bytes.length }];
    const contents = [await storeExtents(session, store.cuts.nodes, extents)];
    await builder.add({ key: Buffer.from(name), body: Buffer.from([0x01]), contents });
  }
  const own = [await builder.finish(), new Map([...files].map(name => [name, contentOf(name)]))] as const;
  const listings = listed && parent !== undefined ? [own, ...parent.listings] : [own];
  const roots: ChunkRef[] = listings.map(([{ id }]) => ({ id, kind: 'node' }));
  return { id: await session.commit({ roots, body: null }), listings };
}
