import { backUpFiles, damageOf, type SmallBackup, smallBackups } from '../../bench/beside/backup-files.ts';
import { contextOf } from '../../store/context.ts';
import { forget } from '../../store/forget.ts';
import {
  type Backend,
  beginPrune,
  forgetSnapshot,
  memoryBackend,
  type Seams,
  type SnapshotId,
  StillpointError,
  type Store,
  verifyStore,
} from '../../store/index.ts';
import { readSweep } from '../../store/protocol/generations.ts';
import { insideOf, storeWith } from '../../store/store.ts';
import { seededRandomness, seededSeams } from '../helpers/seeded.ts';
import { makeStore } from '../helpers/stores.ts';
import { Overlaps } from './overlaps.ts';
import type { PrunerPart, ReaderPart, Schedule, WriterPart } from './plan.ts';
import { faultText, type Party, Stage } from './stage.ts';

/** What a schedule came to. */
export interface Played {
  /** What no schedule may come to. `isLoss`: a snapshot is not what somebody was told: gone, or there. */
  readonly failure: { readonly what: string; readonly isLoss: boolean } | undefined;
  readonly parties: readonly Party[];
  readonly commits: number;
  /** Sweeps that took something. */
  readonly sweeps: number;
  /** A pruner's sweep that took something was created while a living run's intent was there. */
  readonly sweptBesideIntent: boolean;
  /** The two were there at one time, whichever came first. */
  readonly overlapped: boolean;
  readonly vetoes: number;
  /** A pruner whose generation was vetoed made another. */
  readonly roundsAfterVeto: number;
  /** Backups that nothing befell and nobody took for dead, and those of them that committed. */
  readonly living: number;
  readonly livingCommits: number;
}

/** What a party may answer: a prune was first, or its snapshot was forgotten. */
const expectedCodes: ReadonlySet<string> = new Set(['STORE_LOCKED', 'SNAPSHOT_UNKNOWN']);
/** Where it was taken for dead what it reads can go. */
const expectedOfDead: ReadonlySet<string> = new Set([...expectedCodes, 'STORE_OBJECT_MISSING']);

/**
 * A store with three snapshots that share some contents, one of them forgotten; made once, so that a schedule costs
 * milliseconds.
 */
export class Story {
  readonly #objects: ReadonlyMap<string, Uint8Array>;
  readonly #seed: Store;
  readonly #before: readonly SmallBackup[];

  private constructor(objects: ReadonlyMap<string, Uint8Array>, seed: Store, before: readonly SmallBackup[]) {
    this.#objects = objects;
    this.#seed = seed;
    this.#before = before;
  }

  static async prepare(): Promise<Story> {
    const backend = memoryBackend();
    const signed = insideOf(await makeStore({ backend, seams: seededSeams('prune story') }));
    // Signatures, which no host of this store asks for, and keys made anew would be two thirds of a schedule's time.
    const ring = { ...signed.context.ring };
    const keys = new Map<string, Uint8Array>();
    ring.domainKey = (label, length) => {
      const name = `${label} ${length}`;
      const key = keys.get(name) ?? signed.context.ring.domainKey(label, length);
      keys.set(name, key);
      return key;
    };
    ring.keyHolder = epoch => ({ ...signed.context.ring.keyHolder(epoch), sign: () => new Uint8Array(0) });
    const store = storeWith(contextOf({ ...signed.context, ring }), { ...signed.keys, ring });
    const first = await backUpFiles(store, { host: 'before', files: 'abcd' });
    const second = await backUpFiles(store, { host: 'before', files: 'bef' });
    const third = await backUpFiles(store, { host: 'before', files: 'ag' });
    await forget(insideOf(store).context, first.id, { reason: 'a test' });
    return new Story(backend.snapshot(), store, [second, third]);
  }

  /** Everything that a party may answer, and everything that is left, is checked. */
  async play(schedule: Schedule): Promise<Played> {
    const act = new Act(schedule, { objects: this.#objects, seed: this.#seed, before: this.#before });
    return act.play();
  }
}

interface Beginning {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly seed: Store;
  readonly before: readonly SmallBackup[];
}

/** One schedule being played. */
class Act {
  readonly #schedule: Schedule;
  readonly #beginning: Beginning;
  readonly #medium;
  readonly #stage: Stage;
  readonly #overlaps = new Overlaps();
  // Names decide which copy stays: a seed must bring them back.
  readonly #randomness;
  readonly #parties: Party[] = [];
  readonly #committed: SmallBackup[] = [];
  readonly #forgotten = new Set<SnapshotId>();
  /** Of runs that ended without a snapshot, and know it. */
  readonly #failed = new Set<string>();
  /** Readers of a medium that did not take what they said of themselves. */
  readonly #unheard = new Set<Party>();
  #failure: string | undefined;
  #isLoss = false;
  readonly #unharmed: { readonly party: Party; readonly hasCommitted: boolean }[] = [];

  constructor(schedule: Schedule, beginning: Beginning) {
    this.#schedule = schedule;
    this.#beginning = beginning;
    this.#medium = memoryBackend({ objects: beginning.objects });
    this.#stage = new Stage(schedule.order, happening => this.#overlaps.see(happening));
    this.#randomness = seededRandomness(`schedule ${schedule.order}`);
  }

  async play(): Promise<Played> {
    const { writers, pruners, readers, forgetters } = this.#schedule;
    for (const [i, part] of writers.entries()) this.#addWriter(part, `host ${i + 1}`);
    for (const part of pruners) this.#addPruner(part);
    for (const part of readers) this.#addReader(part);
    for (const part of forgetters) this.#addForgetter(part);
    await this.#stage.run();
    if (this.#failure === undefined) await this.#judge('');
    if (this.#failure === undefined) await this.#pruneOnce();
    if (this.#failure === undefined) await this.#judge('after the last prune, ');
    const { context } = insideOf(this.#open(this.#medium));
    const living = this.#unharmed.filter(({ party }) => !this.#overlaps.isBuried(party));
    const took = async (n: number) => (await readSweep(context, n)).packs.length > 0;
    return {
      failure: this.#failure === undefined ? undefined : { what: this.#failure, isLoss: this.#isLoss },
      parties: this.#parties,
      commits: this.#committed.length,
      living: living.length,
      livingCommits: living.filter(({ hasCommitted }) => hasCommitted).length,
      ...(await this.#overlaps.count(took)),
    };
  }

  #add(
    role: Party['role'],
    troubles: Party['troubles'],
    work: (store: Store, party: Party) => Promise<void>,
  ): void {
    const party = this.#stage.add(this.#medium, { role, troubles }, async ({ view, clock, party: self }) => {
      try {
        await work(this.#open(view, { clock, randomness: this.#randomness }), self);
      } catch (error) {
        const code = error instanceof StillpointError ? error.code : '';
        const expected = this.#isAlone(self) ? expectedOfDead : expectedCodes;
        if (expected.has(code) || String(error).includes(faultText)) return;
        this.#failure ??= `${role}: ${error instanceof Error ? error.stack : String(error)}`;
      }
    });
    this.#parties.push(party);
  }

  #addWriter({ files, parent, troubles }: WriterPart, host: string): void {
    const isUnharmed = troubles.every(({ kind, at }) => kind === 'sleeps' && at === 1);
    this.#add('writer', troubles, async (store, party) => {
      let id: string | undefined;
      try {
        const done = await backUpFiles(store, {
          host,
          files,
          parent: parent === undefined ? undefined : this.#beginning.before[parent],
          onSession: session => {
            id = session.id;
          },
        });
        this.#committed.push(done);
        if (isUnharmed) this.#unharmed.push({ party, hasCommitted: true });
      } catch (error) {
        if (isUnharmed) this.#unharmed.push({ party, hasCommitted: false });
        // Two faults in one commit: nobody can say.
        const mayBeThere =
          party.step === 'commit' && troubles.filter(({ kind }) => kind === 'fails').length > 1;
        if (id !== undefined && !mayBeThere) this.#failed.add(id);
        throw error;
      }
    });
  }

  #addPruner({ rounds, looksMax, troubles }: PrunerPart): void {
    this.#add('pruner', troubles, async store => {
      const { silenceMs } = this.#schedule;
      await using session = await beginPrune(store, { host: 'pruner', silenceMs });
      let looks = 0;
      const isTimeUp = () => ++looks > (looksMax ?? Number.POSITIVE_INFINITY);
      for (let round = 0; round < rounds; round++) await session.reclaim({ mayBeEmpty: true, isTimeUp });
    });
  }

  /** While its session is there it reads all of its snapshot; whoever removes that may take what it reads. */
  #addReader({ snapshot, troubles }: ReaderPart): void {
    this.#add('reader', troubles, async (store, party) => {
      const wanted = this.#beginning.before[snapshot]!;
      await using _reading = await store.beginReading({ host: 'reader', snapshots: [wanted.id] });
      if (!this.#overlaps.isHeard(party)) this.#unheard.add(party);
      await store.manifest(wanted.id);
      const damage = await damageOf(store, wanted);
      if (damage !== undefined && !damage.includes(faultText) && !this.#isAlone(party))
        this.#lose(`a reader: ${damage}`);
    });
  }

  #addForgetter({ snapshot, troubles }: ReaderPart): void {
    const { id } = this.#beginning.before[snapshot]!;
    this.#add('forgetter', troubles, async store => {
      this.#forgotten.add(id);
      await forgetSnapshot(store, id, { reason: 'a test' });
    });
  }

  /** Who was taken for dead, and a reader that could not say what it reads, go on at their own risk. */
  #isAlone(party: Party): boolean {
    return this.#unheard.has(party) || this.#overlaps.isBuried(party);
  }

  /** What was left undone is done. */
  async #pruneOnce(): Promise<void> {
    try {
      await using session = await beginPrune(this.#open(this.#medium), { host: 'last', silenceMs: 0 });
      await session.reclaim({ mayBeEmpty: true });
    } catch (error) {
      this.#failure = `the last prune: ${error instanceof Error ? error.stack : String(error)}`;
    }
  }

  async #judge(when: string): Promise<void> {
    const store = this.#open(this.#medium);
    const listed = new Map<string, SmallBackup>();
    for (const backup of await smallBackups(store)) listed.set(backup.id, backup);
    for (const id of this.#failed)
      if (listed.has(id)) this.#lose(`${when}a run failed and left snapshot ${id}`);
    const known = [...this.#beginning.before, ...this.#committed].filter(
      ({ id }) => !this.#forgotten.has(id),
    );
    for (const { id } of known) if (!listed.has(id)) return this.#lose(`${when}snapshot ${id} is not listed`);
    // As they were put, whatever their manifests say; and by its own word what a killed run committed.
    for (const { id, listings } of known) listed.set(id, { id, listings });
    for (const backup of listed.values()) {
      const damage = await damageOf(store, backup);
      if (damage !== undefined) return this.#lose(`${when}snapshot ${backup.id}: ${damage}`);
    }
    if (this.#schedule.order % 16 !== 0) return;
    const { damage } = await verifyStore(store, { readData: 1 });
    if (damage.length > 0) this.#lose(`${when}${JSON.stringify(damage[0])}`);
  }

  #lose(what: string): void {
    this.#isLoss = true;
    this.#failure ??= what;
  }

  #open(backend: Backend, seams: Seams = seededSeams('afterwards')): Store {
    const { context, keys } = insideOf(this.#beginning.seed);
    return storeWith(contextOf({ ...context, backend, seams }), keys);
  }
}
