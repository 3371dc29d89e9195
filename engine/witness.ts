import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type Contradiction,
  contradictions,
  decodeWitness,
  encodeWitness,
  isStoreError,
  keysContradiction,
  type Store,
  takeWitness,
  type Witness,
} from '../store/index.ts';
import { engineError } from './errors.ts';
import { printableText } from './look/names.ts';
import { writeOutputFile } from './output-file.ts';
import type { NamedDamage } from './verify.ts';
import { isInStore } from './witness-place.ts';

export interface WitnessCheck {
  /** True: there was no file, so nothing was compared. */
  readonly isFirst: boolean;
  /** Snapshots that are there now. */
  readonly snapshots: number;
  readonly damage: readonly NamedDamage[];
  /** Writes down what was seen now, in place of what was there. Only where nothing contradicts it. */
  write(): Promise<void>;
}

const changedState =
  'It is not what was written: somebody changed it. Keep it aside, and find out who can write there; put back a copy of it, or, once `stillpoint snapshots` shows all that should be there, name a new file';

export interface WitnessOptions {
  /** Kept away from the store. */
  readonly file: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares a store with what a file away from it says was there. USAGE where the file is of another store, or lies in this one. A file that
 * somebody changed is damage, like everything that it contradicts, and stays as it is.
 */
export async function checkWitness(store: Store, { file, signal }: WitnessOptions): Promise<WitnessCheck> {
  if (await isInStore(file, store.location))
    throw engineError('USAGE', `Cannot use the witness ${file}: it lies in the store ${store.location}`, {
      remedy: 'Name a file away from the store, where nobody who can change the store can change it, too.',
    });
  const bytes = await readIfThere(file);
  const seen = bytes && decodeWitness(store, bytes);
  if (typeof seen === 'string' && seen !== 'not what was written')
    throw engineError('USAGE', `Cannot compare with the witness ${file}: it is ${printableText(seen)}`, {
      remedy: seen.startsWith('kept by')
        ? 'Name another file here: who has the passphrase has one, and each write-only host one of its own.'
        : 'Name the file of this store, or a new one.',
    });
  const now = await taken(store, { seen, signal });
  const damage =
    seen === undefined
      ? []
      : seen === 'not what was written'
        ? [{ object: file, state: changedState }]
        : 'back' in now
          ? now.back
          : await contradictions(store, { seen, now }, { signal });
  return {
    isFirst: seen === undefined,
    snapshots: 'back' in now ? 0 : now.snapshots.length,
    damage: damage.map(({ object, state }) => {
      const affects = affected(object);
      const lost = affects.map(snapshot => ({ snapshot, parts: [] }));
      return { kind: 'witness', object, state, affects, lost, unnamed: 0 };
    }),
    async write() {
      if (damage.length > 0 || 'back' in now)
        throw new TypeError('Cannot write a witness: what was seen contradicts it');
      await writeOutputFile(file, encodeWitness(store, now), { overwrite: 'replace' });
    },
  };
}

/** What is there now; where the store cannot be read because its keys went back, what the witness says to that. */
async function taken(
  store: Store,
  {
    seen,
    signal,
  }: {
    readonly seen: ReturnType<typeof decodeWitness> | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Witness | { readonly back: readonly Contradiction[] }> {
  try {
    return await takeWitness(store, { signal });
  } catch (error) {
    if (!isStoreError(error) || typeof seen !== 'object') throw error;
    const back = await keysContradiction(store, seen, { signal });
    if (back.length === 0) throw error;
    return { back };
  }
}

/** Brings a witness up to date after a commit. Sentences about why it was not. */
export async function updateWitness(store: Store, options: WitnessOptions): Promise<readonly string[]> {
  try {
    const check = await checkWitness(store, options);
    if (check.damage.length === 0) await check.write();
    if (check.isFirst && check.snapshots > 1)
      return [
        `There was no witness ${options.file}: it is made now from the ${check.snapshots} snapshots that are there, and nothing could be compared. If it was there before, find out who took it away, and compare a copy of it with \`stillpoint verify --witness COPY\``,
      ];
    return check.damage.map(
      ({ object, state }) =>
        `The witness ${options.file} contradicts ${object}: ${state}. Run \`stillpoint verify\`, and find out who changed the store; the witness stays as it is.`,
    );
  } catch (error) {
    const { message, remedy = 'Look at its disk: the next backup tries again.' } = error as {
      message: string;
      remedy?: string;
    };
    return [`The witness ${options.file} was not brought up to date: ${message}. ${remedy}`];
  }
}

function affected(object: string): readonly string[] {
  const [folder, id] = object.split('/');
  return folder === 'manifests' && id ? [`snapshot ${id.slice(0, 8)}`] : [];
}

/** A list of a million snapshots is smaller. */
const witnessBytesMax = 256 * 1024 * 1024;

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    const facts = await stat(file);
    if (!facts.isFile()) throw new Error('it is no file');
    if (facts.size > witnessBytesMax) throw new Error('it is too large to be one');
    return await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && existsSync(dirname(file))) return undefined;
    throw engineError('USAGE', `Cannot read the witness ${file}: ${(cause as Error).message}`, {
      remedy: 'Name a file that can be read, or a new one in a folder that is there.',
      cause,
    });
  }
}
