import { createCipheriv, createHash } from 'node:crypto';
import { contextOf } from '../../store/context.ts';
import type { FileSystem } from '../../store/file-system.ts';
import {
  type Backend,
  beginPrune,
  beginRepair,
  type Clock,
  forgetSnapshot,
  openLocalBackend,
  type Randomness,
  type Seams,
  type Store,
  setHold,
  storeError,
} from '../../store/index.ts';
import { insideOf, storeWith } from '../../store/store.ts';
import { observedBackend } from '../helpers/faulty-backend.ts';
import { chances } from '../helpers/interleaved.ts';
import { steppingClock } from '../helpers/seeded.ts';
import { commitFiles, type SmallSnapshot } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';
import { shuffled } from './suite.ts';

/** Where stores of worlds lie on their disks. */
export const storePath = '/disk/store';

export type Files = ReadonlyMap<string, Buffer>;

/** Bytes that depend on the seed alone, by the gigabyte. */
export function fastRandomness(seed: string): Randomness {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return { bytes: count => new Uint8Array(stream.update(Buffer.alloc(count))) };
}

export function worldSeams(seed: string, clock: Clock = steppingClock()): Seams {
  return { clock, randomness: fastRandomness(seed) };
}

/** A local store over a disk, with names of temporary files that a seed gives. */
export function backendOn(fileSystem: FileSystem, seed: string, path = storePath): Promise<Backend> {
  return openLocalBackend(path, { create: true, fileSystem, randomness: fastRandomness(`names ${seed}`) });
}

/** A store that gives a backup and a prune everything to do, made on an empty medium. */
export interface World {
  readonly seed: number;
  /** Opened once: what follows from the passphrase is the same for every copy of the store. */
  readonly opened: Store;
  /** They are there, and stay. */
  readonly snapshots: readonly SmallSnapshot[];
  /** Is there, and may be forgotten. */
  readonly victim: SmallSnapshot;
  /** What a next backup holds: much of it is stored already, in packs that a prune would copy from. */
  readonly next: Files;
  readonly later: Files;
}

/** A pack with a file of so many bytes gets parity. */
const parityFrom = 64 * 1024;

/** The files of a name each; equal names are equal bytes. */
function filesOf(seed: number): (names: string) => Files {
  const chance = chances(seed);
  const contents = new Map<string, Buffer>();
  const sizes = [0, 7, 30, 200, 900, 2500];
  return names => {
    for (const name of names) {
      if (contents.has(name)) continue;
      const isLarge = 'abcdefghL'.includes(name); // so that a pack of them is worth copying from
      const least = name === 'L' ? parityFrom : isLarge ? 900 : sizes[Math.floor(chance() * sizes.length)]!;
      const bytes = least + Math.floor(chance() * 20);
      const random = fastRandomness(`${seed} ${name}`).bytes(bytes);
      contents.set(name, Buffer.from(isLarge || chance() < 0.5 ? random : random.map(byte => byte & 1)));
    }
    return new Map([...names].sort().map(name => [name, contents.get(name)!]));
  };
}

/**
 * Dead packs, one to copy from, sometimes one with parity, parts that an earlier prune replaced, a run that died with an intent, packs that nobody
 * lists, a snapshot that was forgotten with its manifest still there.
 */
export async function makeWorld(
  backend: Backend,
  seed: number,
  { signs = false }: { readonly signs?: boolean } = {},
): Promise<World> {
  const seams = worldSeams(`world ${seed}`);
  const files = filesOf(seed);
  const choose = chances(seed ^ 0x5eed);
  const pick = (names: string): string => [...names].filter(() => choose() < 0.7).join('') || names[0]!;
  const made = await makeStore({ backend, seams });
  const hasParity = seed % 4 < 2; // not always: it takes time
  const whole = signs ? made : unsigned(made);
  const opened = hasParity ? withParity(whole) : whole;
  const large = hasParity ? 'L' : '';
  const commit = (names: string, store = opened) => commitFiles(store, files(names));
  const first = await commit('abcd');
  // A file's chunk depends on its place: e is the second of both.
  const second = await commit(`cefgh${large}`);
  const third = await commit(`ae${pick('ijk')}`);
  await pruned(opened, [first]);
  const fourth = await commit(pick('klmn'));
  const victim = await commit(pick('abepq'));
  for (const dies of ['manifests/', 'index/'] as const) {
    const dying = observedBackend(backend, ({ operation, name }) =>
      operation === 'delete' || (operation === 'put' && name.startsWith(dies))
        ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
        : undefined,
    );
    await commit(dies === 'index/' ? 'uvw' : 'xyz', onBackend(opened, dying, seams)).then(
      () => {
        throw new Error('a run that should have died has not');
      },
      () => undefined, // that is what was wanted
    );
  }
  const half = observedBackend(backend, ({ operation }) =>
    operation === 'delete'
      ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
      : undefined,
  );
  await forgetSnapshot(onBackend(opened, half, seams), second.id, { reason: 'a test' }).catch(
    () => undefined, // its manifest is left
  );
  const next = files(`${pick(`aefgu${large}`)}${pick('rst')}`);
  return { seed, opened, snapshots: [third, fourth], victim, next, later: files(pick('aexr')) };
}

/** Signatures, which no host of these stores asks for, would be two thirds of a point's time. */
function unsigned(store: Store): Store {
  const { context, keys } = insideOf(store);
  const { ring: signing } = context;
  const keyHolder: typeof signing.keyHolder = epoch => ({
    ...signing.keyHolder(epoch),
    sign: () => new Uint8Array(0),
  });
  const ring = { ...signing, keyHolder };
  return storeWith(contextOf({ ...context, ring }), { ...keys, ring });
}

function withParity(store: Store): Store {
  const { context, keys } = insideOf(store);
  return storeWith(contextOf({ ...context, parity: { onFailure: () => undefined } }), keys);
}

async function pruned(store: Store, snapshots: readonly SmallSnapshot[]): Promise<void> {
  await using session = await beginPrune(store, { host: 'pruner', silenceMs: 0 });
  for (const { id } of snapshots) await session.forget(id, { reason: 'a test' });
  await session.reclaim();
}

/** The same store on another medium, without unlocking it again. */
export function onBackend(store: Store, backend: Backend, seams: Seams): Store {
  const { context, keys } = insideOf(store);
  return storeWith(contextOf({ ...context, backend, seams }), keys);
}

/** What a run said when it ended well. */
export interface Done {
  readonly committed?: SmallSnapshot;
}

/** One run of a command, as far as the store sees it. */
export interface Job {
  readonly name: string;
  /** Names of objects that are lost before it: nothing that a snapshot needs is, and the job mends it. */
  readonly lost?: RegExp;
  run(store: Store, world: World): Promise<Done>;
}

export const jobs: readonly Job[] = [
  { name: 'backup', run: async (store, { next }) => ({ committed: await commitFiles(store, next) }) },
  {
    name: 'prune',
    async run(store) {
      await pruned(store, []);
      return {};
    },
  },
  {
    name: 'forget and prune',
    async run(store, { victim }) {
      await pruned(store, [victim]);
      return {};
    },
  },
  {
    name: 'forget',
    async run(store, { victim }) {
      await forgetSnapshot(store, victim.id, { reason: 'a test' });
      return {};
    },
  },
  {
    name: 'hold',
    async run(store, { snapshots }) {
      await setHold(store, snapshots[0]!.id, { isHeld: true, reason: 'a test' });
      return {};
    },
  },
  {
    name: 'repair',
    lost: /^index\//,
    async run(store) {
      await repaired(store);
      return {};
    },
  },
];

/** All, or in a short run a few: what a job does when nothing is wrong with it is what costs there. */
export function jobsFor({ isShort = false }: { readonly isShort?: boolean }, seed: number): readonly Job[] {
  return isShort ? shuffled(jobs, seed).slice(0, 3) : jobs;
}

/** Lists what no index part lists any more, and writes down what it finds. */
export async function repaired(store: Store): Promise<void> {
  await using session = await beginRepair(store, { host: 'mender', readData: true });
  await session.mend();
  await session.settle([]);
  const [unread] = session.unreadable;
  if (unread !== undefined)
    throw storeError('STORE_READ_FAILED', `Cannot read ${unread}: the repair says so`);
}

/** Opens a store from its passphrase, as a program does. */
export function openedAnew(backend: Backend, seed: string): Promise<Store> {
  return reopenStore(backend, worldSeams(seed));
}
