import {
  type Backend,
  beginPrune,
  isStoreError,
  memoryBackend,
  type Store,
  verifyStore,
} from '../../store/index.ts';
import { packName } from '../../store/pack/row.ts';
import { packOfParity } from '../../store/parity/record.ts';
import { chances } from '../helpers/interleaved.ts';
import { commitFiles, readFiles, type SmallSnapshot } from '../helpers/small-store.ts';
import { areEqual } from './judge.ts';
import { type Suite, type SuiteOptions, seedsOf, shuffled, told } from './suite.ts';
import { Tally } from './tally.ts';
import { fastRandomness, makeWorld, onBackend, worldSeams } from './world.ts';

type Objects = ReadonlyMap<string, Uint8Array>;

/** A change of a store's objects that is no command's. */
interface Damage {
  readonly kind: string;
  /** What verify must name, one of them. */
  readonly names: readonly string[];
  readonly what: string;
  /** As `objects`, but for these; undefined: not there. */
  readonly changed: ReadonlyMap<string, Uint8Array | undefined>;
}

const flipFigure = {
  name: 'flipped bits of a store: undetected, or wrong bytes restored',
  ci: 60,
  release: '1,000,000',
};
const objectFigure = {
  name: 'objects deleted, cut, swapped, replayed, zeroed: undetected, or wrong bytes restored',
  ci: 6,
  release: 'every object of 100 stores',
};

export const flipsSuite: Suite = {
  name: 'flips',
  about:
    'every byte of a small store, random bits of a larger, and whole objects that are not what they were',
  figures: [flipFigure, objectFigure],
  async run(options) {
    const [bits, objects] = [new Tally(flipFigure.name), new Tally(objectFigure.name)];
    const shortcuts = { known: new Map<string, Promise<Restored>>() };
    const some = { ...options, pointsMax: Math.ceil(options.pointsMax / 10) };
    for (const seed of seedsOf(bits, options)) {
      objects.sawSeed(seed);
      const target = await makeTarget(seed);
      shortcuts.known.clear();
      // In turns of a second, since the time of both is one.
      const flips = flipsOf(target, seed);
      const damages = shuffled([...damagesOf(target, seed)], seed)[Symbol.iterator]();
      for (let isMore = true; isMore; ) {
        isMore = await turn(bits, options, flips, place =>
          tryFlip(target, place, { seed, tally: bits, shortcuts }),
        );
        await turn(objects, some, damages, damage => tryDamage(target, damage, { seed, tally: objects }));
      }
    }
    return [bits, objects];
  },
};

const turnMs = 1000;

/** False when there is no more, or no more may be. */
async function turn<T>(
  tally: Tally,
  options: SuiteOptions,
  points: Iterator<T>,
  work: (point: T) => Promise<void>,
): Promise<boolean> {
  const endMs = performance.now() + turnMs;
  while (performance.now() < endMs) {
    const { value, done } = tally.isOver(options) ? { value: undefined, done: true } : points.next();
    if (done) return false;
    await work(value as T);
  }
  return true;
}

interface Target {
  readonly objects: Objects;
  readonly store: Store;
  readonly snapshots: readonly SmallSnapshot[];
  /** What a restore of all snapshots reads: ranges of bytes, by object. */
  readonly read: ReadonlyMap<string, readonly (readonly [number, number])[]>;
}

/** A store with every kind of object that runs leave, and its signatures. */
async function makeTarget(seed: number): Promise<Target> {
  const backend = memoryBackend();
  const { opened, snapshots, victim, next } = await makeWorld(backend, seed, { signs: true });
  const all = [...snapshots, victim];
  all.push(await commitFiles(opened, next));
  if (seed % 2 === 0) {
    const large = fastRandomness(`large ${seed}`);
    const files = new Map([...'abcdef'].map(name => [name, Buffer.from(large.bytes(120_000))] as const));
    all.push(await commitFiles(opened, files));
  }
  const objects = backend.snapshot();
  const read = new Map<string, (readonly [number, number])[]>();
  const noting = { ...memoryBackend({ objects }) };
  const { get } = noting;
  noting.get = (name, how = {}) => {
    const { offset = 0, length = Number.POSITIVE_INFINITY } = how;
    read.set(name, [...(read.get(name) ?? []), [offset, offset + length]]);
    return get(name, how);
  };
  const target = { objects, store: opened, snapshots: all, read };
  const { wrong, lost } = await restored(target, noting);
  if (wrong !== undefined || lost > 0)
    throw new Error(`a whole store does not restore: ${wrong}, ${lost} lost`);
  return target;
}

/** Objects on a medium of their own, some of them changed; `only`: nothing else is there but the packs that parity is of. */
function mediumOf({ objects }: Target, { changed }: Damage, only: boolean): Backend {
  const packs = new Set([...changed.keys()].flatMap(name => packOfParity(name) ?? []).map(packName));
  const left = new Map([...objects].filter(([name]) => !only || packs.has(name)));
  for (const [name, bytes] of changed)
    if (bytes === undefined) left.delete(name);
    else left.set(name, bytes);
  return memoryBackend({ objects: left });
}

interface Verdict {
  readonly isNamed: boolean;
  /** All that it said. */
  readonly report: string;
}

/** Verifies everything, or nothing but the damaged objects. */
async function verdictOn(target: Target, damage: Damage, how: 'whole' | 'alone'): Promise<Verdict> {
  const store = onBackend(target.store, mediumOf(target, damage, how === 'alone'), worldSeams('verify'));
  try {
    const { damage: found } = await verifyStore(store, { readData: 1 });
    return {
      isNamed: found.some(({ object }) => damage.names.includes(object)),
      report: found.length === 0 ? '' : JSON.stringify(found),
    };
  } catch (error) {
    if (isStoreError(error)) return { isNamed: true, report: told(error) }; // it stops, and says why
    throw error;
  }
}

interface Restored {
  /** Other bytes, another snapshot, or an error that is not the store's. */
  readonly wrong: string | undefined;
  /** Snapshots that an error says cannot be restored. */
  readonly lost: number;
}

async function restored({ store, snapshots }: Target, medium: Backend): Promise<Restored> {
  const damaged = onBackend(store, medium, worldSeams('restore'));
  let lost = 0;
  for (const { id, root, files } of snapshots) {
    try {
      const manifest = await damaged.manifest(id);
      if (manifest.id !== id || !Buffer.from(manifest.roots[0]!.id).equals(Buffer.from(root.id)))
        return { wrong: `snapshot ${id} is another one`, lost };
      if (!areEqual(await readFiles(damaged, root), files))
        return { wrong: `snapshot ${id} has other bytes`, lost };
    } catch (error) {
      if (!isStoreError(error)) return { wrong: told(error), lost };
      lost += 1;
    }
  }
  return { wrong: undefined, lost };
}

interface Flip {
  readonly name: string;
  readonly at: number;
  readonly bit: number;
}

/** Each byte in turn with one of its bits; of an object that is larger, as many random ones. */
function flipsOf({ objects }: Target, seed: number): Iterator<Flip> {
  const chance = chances(seed);
  const flips = [...objects].flatMap(([name, { length }]) => {
    const count = Math.min(length, 4000);
    return Array.from({ length: count }, (_, at) => ({
      name,
      at: length > count ? Math.floor(chance() * length) : at,
      bit: Math.floor(chance() * 8),
    }));
  });
  return shuffled(flips, seed)[Symbol.iterator]();
}

interface Shortcuts {
  readonly known: Map<string, Promise<Restored>>;
}

/**
 * Two shortcuts. Verify looks at nothing but the damaged object: it names one for what that one's own bytes say under the
 * keys. And what a restore comes to is looked up where verify said the same of a byte that is read in the same calls.
 * Every hundred-and-first flip is tried without either, and must come to the same.
 */
async function tryFlip(
  target: Target,
  { name, at, bit }: Flip,
  { seed, tally, shortcuts }: { readonly seed: number; readonly tally: Tally; readonly shortcuts: Shortcuts },
): Promise<void> {
  const bytes = target.objects.get(name)!.slice();
  bytes[at]! ^= 1 << bit;
  const damage: Damage = { kind: kindOf(name), names: [name], what: '', changed: new Map([[name, bytes]]) };
  const { isNamed, report } = await verdictOn(target, damage, 'alone');
  const calls = (target.read.get(name) ?? []).flatMap(([from, to], call) =>
    from <= at && at < to ? [call] : [],
  );
  const key = `${name} ${calls.join(' ')} ${report}`;
  let outcome = shortcuts.known.get(key);
  if (outcome === undefined) {
    outcome =
      calls.length === 0 ? Promise.resolve(untouched) : restored(target, mediumOf(target, damage, false));
    shortcuts.known.set(key, outcome);
  }
  const { wrong, lost } = await outcome;
  let problem = wrong ?? (isNamed ? undefined : 'verify does not name it');
  if (tally.points % 101 === 0) {
    tally.note('of them by the whole of verify and restore, too, which said the same');
    const whole = await verdictOn(target, damage, 'whole');
    const full = await restored(target, mediumOf(target, damage, false));
    if (whole.isNamed !== isNamed || full.wrong !== wrong || full.lost !== lost)
      problem = `a shortcut said ${isNamed}, ${wrong}, ${lost}; all of it ${whole.isNamed}, ${full.wrong}, ${full.lost}`;
  }
  tally.add(kindOf(name), problem && `seed ${seed}, bit ${bit} of byte ${at} of ${name}: ${problem}`);
}

const untouched: Restored = { wrong: undefined, lost: 0 };

async function tryDamage(
  target: Target,
  damage: Damage,
  { seed, tally }: { readonly seed: number; readonly tally: Tally },
): Promise<void> {
  const { isNamed, report } = await verdictOn(target, damage, 'whole');
  const medium = mediumOf(target, damage, false);
  const { wrong, lost } = await restored(target, medium);
  let problem = wrong;
  // What is gone leaves no name to be damaged; then what was lost with it must be told, and nothing else matters.
  if (damage.kind === 'deleted') {
    const isTold = report !== '' || lost === 0 || (await isMissedByPrune(target, medium, damage));
    if (!isTold) problem ??= `nobody tells that ${lost} snapshots are lost`;
  } else if (!isNamed) problem ??= 'verify does not name it';
  tally.add(damage.kind, problem && `seed ${seed}, ${damage.what}: ${problem}`);
}

/** A manifest that later ones know of: a prune refuses. Nobody can know of the newest. */
async function isMissedByPrune(
  { store, snapshots }: Target,
  medium: Backend,
  { names }: Damage,
): Promise<boolean> {
  if (names[0] === `manifests/${snapshots.at(-1)!.id}`) return true;
  const pruned = onBackend(store, medium, worldSeams('prune'));
  await using session = await beginPrune(pruned, { host: 'pruner', silenceMs: 0 });
  const error = await session.reclaim().catch((reason: unknown) => reason);
  return isStoreError(error) && error.code === 'STORE_IMPLAUSIBLE';
}

function kindOf(name: string): string {
  const [folder = ''] = name.split('/');
  if (folder !== 'gc') return folder;
  return `gc${/\.\w+$/.exec(name)?.[0] ?? ''}`;
}

/** Whole objects that are gone, cut, exchanged, older or empty. */
function* damagesOf({ objects }: Target, seed: number): Generator<Damage> {
  const chance = chances(seed);
  const one = (kind: string, name: string, bytes: Uint8Array | undefined, what: string): Damage => ({
    kind,
    names: [name],
    what: `${name} ${what}`,
    changed: new Map([[name, bytes]]),
  });
  const names = [...objects.keys()];
  for (const name of names) {
    const bytes = objects.get(name)!;
    yield one('deleted', name, undefined, 'deleted');
    for (const length of [0, 95, 96, bytes.length >> 1, bytes.length - 1])
      if (length < bytes.length) yield one('cut', name, bytes.slice(0, length), `cut to ${length} bytes`);
    yield one('grown', name, Buffer.concat([bytes, Buffer.alloc(16)]), 'with 16 bytes more');
    const start = Math.floor(chance() * bytes.length);
    const zeroed = bytes.slice().fill(0, start, start + 512);
    if (Buffer.compare(zeroed, bytes) !== 0) yield one('zeroed', name, zeroed, `zeros from ${start}`);
    yield one('zeroed', name, new Uint8Array(bytes.length), 'all zeros');
    for (const other of names
      .filter(another => another !== name && kindOf(another) === kindOf(name))
      .slice(0, 4)) {
      const theirs = objects.get(other)!;
      yield one('replayed', name, theirs, `with the bytes of ${other}`);
      yield {
        kind: 'swapped',
        names: [name, other],
        what: `${name} and ${other} swapped`,
        changed: new Map([
          [name, theirs],
          [other, bytes],
        ]),
      };
    }
  }
}
