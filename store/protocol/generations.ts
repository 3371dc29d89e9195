import type { StoreContext } from '../context.ts';
import { isBeyondUs, isStoreError, type StillpointError, storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { isUntrusted, mayHostsWrite, openRecord } from '../record.ts';
import type { ObjectKind } from '../seal/index.ts';
import {
  type DoneRecord,
  doneRecord,
  type GenerationRecord,
  generationRecord,
  type RecordCodec,
  type SweepRecord,
  sweepRecord,
} from './records.ts';

/** What `gc/` says. Its names are never freed, so whatever is said once stays true. */
export interface Generations {
  /** The highest number; 0 without any. */
  readonly last: number;
  /** The one that is not done. The next begins only when it is, so there is one at most. */
  readonly open: OpenGeneration | undefined;
  /** Packs that went or are about to go. */
  readonly swept: ReadonlySet<PackId>;
  /** Packs of an open generation that nobody has decided about yet. */
  readonly tombstoned: ReadonlySet<PackId>;
  /** Two texts that are equal: nothing happened in between. */
  readonly state: string;
}

export interface OpenGeneration {
  readonly number: number;
  readonly record: GenerationRecord | undefined;
  readonly sweep: SweepRecord | undefined;
}

export interface GenerationOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * 'strict' (default), for whoever writes: a name that the format does not have is STORE_NEWER, and an open generation
   * that cannot be read is STORE_DAMAGED. 'lenient', for readers: what they cannot read they do without. 'mending', for a
   * pruner: strict, but for a damaged proposal that nobody has decided about, which it can end with an empty sweep.
   */
  readonly reading?: 'strict' | 'lenient' | 'mending';
  /** Told of records that could not be read and were not needed for certain. */
  readonly onProblem?: (object: string, error: Error) => void;
}

/** Every so many generations the done record lists all packs ever swept, so that nobody reads all of history. */
export const unionEvery = 32;

const namePattern = /^gc\/([1-9][0-9]{0,14})(\.sweep|\.done)?$/;

export function generationName(number: number, part: '' | '.sweep' | '.done' = ''): string {
  return `gc/${number}${part}`;
}

/** Reads the generations. STORE_NEWER, STORE_DAMAGED. */
export async function readGenerations(
  context: StoreContext,
  options: GenerationOptions = {},
): Promise<Generations> {
  const names = await listNames(context, options);
  const numbers = [...names].map(name => Number(namePattern.exec(name)![1]));
  const last = lastOf(numbers, { context, options });
  const isDone =
    last === 0 || (names.has(generationName(last, '.done')) && (await isSaidDone(context, last, options)));
  if (!isDone) await checkPredecessor(context, last, options);
  const swept = new Set<PackId>();
  const union = await lastUnion(context, { names, last }, options);
  for (const pack of union.packs) swept.add(pack);
  // By their names, not as listed: a list is no instant, and may show a generation whose predecessors it had passed.
  for (let number = union.number + 1; number < last || (isDone && number === last); number++) {
    const sweep = await readFinished(context, number, options);
    for (const pack of sweep?.packs ?? []) swept.add(pack);
  }
  const open = isDone ? undefined : await readOpen(context, { names, number: last }, options);
  for (const pack of open?.sweep?.packs ?? []) swept.add(pack);
  return {
    last,
    open,
    swept,
    tombstoned: new Set(open?.sweep === undefined ? tombstonesOf(open?.record) : []),
    state: `${last} ${isDone ? 'done' : open?.sweep ? 'swept' : 'open'}`,
  };
}

/** Whose name is there may be a host's work that may not say such a thing: then nobody knows whether it is done. */
async function isSaidDone(
  context: StoreContext,
  number: number,
  options: GenerationOptions,
): Promise<boolean> {
  if (!mayHostsWrite(context.ring)) return true;
  return (
    (await unlessReading(context, generationName(number, '.done'), options, () =>
      readDone(context, number, options),
    )) !== undefined
  );
}

/** A generation begins only when the one before is done: one of which that cannot be shown was begun by nobody who may. */
async function checkPredecessor(
  context: StoreContext,
  number: number,
  options: GenerationOptions,
): Promise<void> {
  if (number < 2 || !mayHostsWrite(context.ring)) return;
  await unlessReading(context, generationName(number - 1, '.done'), options, () =>
    readDone(context, number - 1, options),
  );
}

/** Who only reads does without; anybody else stops. */
async function unlessReading<T>(
  { backend }: StoreContext,
  name: string,
  { onProblem, reading = 'strict' }: GenerationOptions,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStoreError(error) || isBeyondUs(error) || error.code === 'STORE_READ_FAILED') throw error;
    if (reading !== 'lenient')
      throw storeError('STORE_DAMAGED', `Cannot write to ${backend.location}: ${error.message}`, {
        remedy: `Nobody who may prune made it so. Find out which host did, dismiss it with \`stillpoint keys remove\`, and remove what is false below gc/.`,
        context: { object: name },
        cause: error,
      });
    onProblem?.(name, error);
    return undefined;
  }
}

/**
 * The highest number. Names are never freed, so there are at least as many as it says: whoever makes one that is far
 * ahead would have everybody ask for billions that never were.
 */
function lastOf(
  numbers: readonly number[],
  { context, options }: { readonly context: StoreContext; readonly options: GenerationOptions },
): number {
  const ascending = [...new Set(numbers)].sort((a, b) => a - b);
  let last = 0;
  for (const number of ascending) {
    if (number <= last + generationsMissingMax) {
      last = number;
      continue;
    }
    const name = generationName(number);
    const error = storeError(
      'STORE_DAMAGED',
      `Cannot read the generations of ${context.backend.location}: there is number ${number}, and none from ${last + 1} on`,
      { remedy: `Find out who made ${name}, and remove it.`, context: { object: name } },
    );
    if (options.reading !== 'lenient') throw error;
    options.onProblem?.(name, error);
    break;
  }
  return last;
}

/** A list is no instant, but no prune makes so many generations while one is read. */
const generationsMissingMax = 1_000;

export function tombstonesOf(record: GenerationRecord | undefined): PackId[] {
  return record === undefined ? [] : [...record.dead, ...record.rewritten, ...record.orphans];
}

async function listNames(
  { backend }: StoreContext,
  { signal, reading = 'strict' }: GenerationOptions,
): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { name } of backend.list('gc/', signal ? { signal } : {})) {
    if (namePattern.test(name)) names.add(name);
    else if (reading !== 'lenient') throw unknownGeneration(backend, name);
  }
  return names;
}

/** Of a name under gc/ that means nothing to this program: whoever writes stops. */
export function unknownGeneration({ location }: StoreContext['backend'], name: string): Error {
  return storeError(
    'STORE_NEWER',
    `Cannot write to ${location}: ${name} is there, and this program does not know what it says`,
    {
      remedy:
        'Use the newer Stillpoint that pruned this store; if nobody has one, move that file out of the store, keep it, and find out who can write there.',
      context: { object: name },
    },
  );
}

/** The newest list of all packs ever swept that can be read; what came after it is read one by one. */
async function lastUnion(
  context: StoreContext,
  { names, last }: { readonly names: ReadonlySet<string>; readonly last: number },
  options: GenerationOptions,
): Promise<{ readonly number: number; readonly packs: readonly PackId[] }> {
  for (let number = last - (last % unionEvery); number > 0; number -= unionEvery) {
    const name = generationName(number, '.done');
    if (!names.has(name)) continue;
    const done = await unlessDamaged(name, options, () => readDone(context, number, options));
    if (done?.allSwept !== undefined) return { number, packs: done.allSwept };
  }
  return { number: 0, packs: [] };
}

/** Everything that a finished generation swept is gone, so who looks at what is there can do without its list. */
function readFinished(
  context: StoreContext,
  number: number,
  options: GenerationOptions,
): Promise<SweepRecord | undefined> {
  const name = generationName(number, '.sweep');
  return unlessDamaged(name, options, () => readSweep(context, number, options));
}

async function readOpen(
  context: StoreContext,
  { names, number }: { readonly names: ReadonlySet<string>; readonly number: number },
  options: GenerationOptions,
): Promise<OpenGeneration> {
  const { reading = 'strict' } = options;
  const readOr = async <T>(
    name: string,
    read: () => Promise<T>,
    isOptional: boolean,
  ): Promise<T | undefined> => {
    if (!names.has(name)) return undefined;
    return isOptional ? unlessDamaged(name, options, read) : read();
  };
  const sweepName = generationName(number, '.sweep');
  const sweep = await readOr(sweepName, () => readSweep(context, number, options), reading === 'lenient');
  // Once it is swept, what had been proposed does not matter.
  const read = () => readRecord(context, number, options);
  const record = sweep ? undefined : await readOr(generationName(number), read, reading !== 'strict');
  return { number, record, sweep };
}

async function unlessDamaged<T>(
  name: string,
  { onProblem, reading = 'strict' }: GenerationOptions,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStoreError(error) || isBeyondUs(error)) throw error;
    if (reading !== 'lenient' && error.code === 'STORE_READ_FAILED') throw error; // it may be whole
    onProblem?.(name, error);
    return undefined;
  }
}

export function readRecord(
  context: StoreContext,
  number: number,
  options: GenerationOptions = {},
): Promise<GenerationRecord> {
  return readOne(context, { number, part: '', kind: 'generation', codec: generationRecord }, options);
}

export async function readSweep(
  context: StoreContext,
  number: number,
  options: GenerationOptions = {},
): Promise<SweepRecord> {
  try {
    return await readOne(context, { number, part: '.sweep', kind: 'sweep', codec: sweepRecord }, options);
  } catch (error) {
    if (!isUntrusted(error)) throw error;
    // A host without the passphrase may veto, and nothing else: whatever it says, no key holder's sweep has this name.
    return { number, packs: [], indexParts: [] };
  }
}

export function readDone(
  context: StoreContext,
  number: number,
  options: GenerationOptions = {},
): Promise<DoneRecord> {
  return readOne(context, { number, part: '.done', kind: 'done', codec: doneRecord }, options);
}

async function readOne<T extends { readonly number: number }>(
  { backend, ring }: StoreContext,
  {
    number,
    part,
    kind,
    codec,
  }: {
    readonly number: number;
    readonly part: '' | '.sweep' | '.done';
    readonly kind: ObjectKind;
    readonly codec: RecordCodec<T>;
  },
  { signal }: GenerationOptions,
): Promise<T> {
  const name = generationName(number, part);
  const { fields, host } = openRecord(ring, await backend.get(name, signal ? { signal } : {}), {
    kind,
    name,
  });
  const record = codec.decode(fields, name);
  if (record.number !== number)
    throw storeError('STORE_DAMAGED', `Cannot read ${name}: it is of generation ${record.number}`);
  // A host without the passphrase may veto, and nothing else.
  const isVeto = 'packs' in record && Array.isArray(record.packs) && record.packs.length === 0;
  if (host !== undefined && !isVeto)
    throw storeError('STORE_DAMAGED', `Cannot trust ${name}: ${host} may veto only`, {
      context: { object: name, isUntrusted: true },
    });
  return record;
}

/** Why whoever writes is stopped by what gc/ says; undefined: nobody is. */
export async function whyStopped(
  context: StoreContext,
  { signal }: GenerationOptions = {},
): Promise<StillpointError | undefined> {
  try {
    await readGenerations(context, { signal });
    return undefined;
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return error;
  }
}

/** The same, but for what only a newer program can read: that is no damage. */
export async function stoppedByDamage(
  context: StoreContext,
  options: GenerationOptions = {},
): Promise<StillpointError | undefined> {
  const error = await whyStopped(context, options);
  return error && isBeyondUs(error) ? undefined : error;
}
