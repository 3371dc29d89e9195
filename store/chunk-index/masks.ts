import type { StoreContext } from '../context.ts';
import { isBeyondUs, isStoreError, type StillpointError } from '../errors.ts';
import { hex, type PackId } from '../ids.ts';
import type { Generations } from '../protocol/generations.ts';
import { type DamageRecord, damageRecord } from '../protocol/records.ts';
import { openRecord } from '../record.ts';

/** An object that could not be read, and what was done without it. */
export interface StoreProblem {
  readonly object: string;
  readonly error: Error;
}

/** Where the medium failed to read a part of the index, or a pack that none lists: what is listed there only looks missing. */
export function failedRead(problems: readonly StoreProblem[]): StillpointError | undefined {
  return failedReads(problems)[0]?.error;
}

/** All of them. */
export function failedReads(
  problems: readonly StoreProblem[],
): { readonly object: string; readonly error: StillpointError }[] {
  return problems.flatMap(({ object, error }) =>
    isStoreError(error) && error.code === 'STORE_READ_FAILED' ? [{ object, error }] : [],
  );
}

/** What the effective index leaves out. */
export interface Masks {
  /** Packs that a prune has swept: gone, or about to go. */
  isSwept(pack: PackId): boolean;
  /** Packs that may go: nothing new may depend on them. */
  isTombstoned(pack: PackId): boolean;
  /** Frames that are recorded as damaged; without an ordinal: whether all of the pack are. */
  isDamaged(pack: PackId, ordinal?: number): boolean;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface MaskOptions extends CallOptions {
  /** Takes the damage records that cannot be read. */
  readonly problems?: StoreProblem[];
}

const damagePattern = /^damage\/[0-9a-f]{64}$/;

export interface MaskFacts {
  readonly masks: Masks;
  /** Ids (hex) of chunks that are recorded as lost. */
  readonly lost: ReadonlySet<string>;
}

/** Joins what the generations and the damage records say; a damage record that cannot be read is a problem. */
export async function readMasks(
  context: StoreContext,
  { swept, tombstoned }: Pick<Generations, 'swept' | 'tombstoned'>,
  options: MaskOptions,
): Promise<MaskFacts> {
  const whole = new Set<PackId>();
  const frames = new Set<string>();
  const lost = new Set<string>();
  for await (const record of readDamageRecords(context, options)) {
    if (record.ordinals === undefined) whole.add(record.pack);
    else for (const ordinal of record.ordinals) frames.add(`${record.pack}/${ordinal}`);
    for (const id of record.lost) lost.add(hex(id));
  }
  const masks: Masks = {
    isSwept: pack => swept.has(pack),
    isTombstoned: pack => tombstoned.has(pack),
    isDamaged: (pack, ordinal) => whole.has(pack) || frames.has(`${pack}/${ordinal}`),
  };
  return { masks, lost };
}

/** What is recorded as damaged, record by record. */
export async function* readDamageRecords(
  context: StoreContext,
  options: MaskOptions,
): AsyncGenerator<DamageRecord> {
  const { backend, ring } = context;
  for (const name of await namesOf(context, { prefix: 'damage/', pattern: damagePattern }, options)) {
    let record: DamageRecord | undefined;
    await tolerate(options.problems ?? [], name, async () => {
      const { fields } = openRecord(ring, await backend.get(name, callOf(options)), { kind: 'damage', name });
      record = damageRecord.decode(fields, name);
    });
    if (record !== undefined) yield record;
  }
}

/** Names under a prefix that look as the format says; others are left alone. */
export async function namesOf(
  { backend }: StoreContext,
  { prefix, pattern }: { prefix: string; pattern: RegExp },
  options: CallOptions,
): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(prefix, callOf(options)))
    if (pattern.test(name)) names.push(name);
  return names;
}

/** What one object cannot give is a problem to report; a store that needs a newer program is the end. */
export async function tolerate(
  problems: StoreProblem[],
  object: string,
  read: () => Promise<void>,
): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!isStoreError(error) || isBeyondUs(error)) throw error;
    problems.push({ object, error });
  }
}

export function callOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
