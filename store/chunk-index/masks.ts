import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { type DamageRecord, damageRecord, doneRecord, sweepRecord } from '../protocol/records.ts';
import { openRecord } from '../record.ts';

/** An object that could not be read, and what was done without it. */
export interface StoreProblem {
  readonly object: string;
  readonly error: Error;
}

/** What the effective index leaves out. */
export interface Masks {
  /** Packs that a prune has swept: gone, or about to go. */
  isSwept(pack: PackId): boolean;
  /** Frames that are recorded as damaged. */
  isDamaged(pack: PackId, ordinal: number): boolean;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

const damagePattern = /^damage\/[0-9a-f]{64}$/;
const sweepPattern = /^gc\/[1-9][0-9]*\.sweep$/;
const donePattern = /^gc\/[1-9][0-9]*\.done$/;

/** Reads what damage records, sweeps and what they left say; what cannot be read is a problem. */
export async function readMasks(
  context: StoreContext,
  problems: StoreProblem[],
  options: CallOptions,
): Promise<Masks> {
  const { backend, ring } = context;
  const swept = new Set<PackId>();
  for (const name of await namesOf(context, { prefix: 'gc/', pattern: sweepPattern }, options))
    await tolerate(problems, name, async () => {
      const { fields } = openRecord(ring, await backend.get(name, callOf(options)), { kind: 'sweep', name });
      for (const pack of sweepRecord.decode(fields, name).packs) swept.add(pack);
    });
  for (const name of await namesOf(context, { prefix: 'gc/', pattern: donePattern }, options))
    await tolerate(problems, name, async () => {
      const { fields } = openRecord(ring, await backend.get(name, callOf(options)), { kind: 'done', name });
      for (const pack of doneRecord.decode(fields, name).allSwept ?? []) swept.add(pack);
    });
  const damage: DamageRecord[] = [];
  for (const name of await namesOf(context, { prefix: 'damage/', pattern: damagePattern }, options))
    await tolerate(problems, name, async () => {
      const { fields } = openRecord(ring, await backend.get(name, callOf(options)), { kind: 'damage', name });
      damage.push(damageRecord.decode(fields, name));
    });
  return masksOf(swept, damage);
}

function masksOf(swept: ReadonlySet<PackId>, damage: readonly DamageRecord[]): Masks {
  const whole = new Set<PackId>();
  const frames = new Set<string>();
  for (const { pack, ordinals } of damage) {
    if (ordinals === undefined) whole.add(pack);
    else for (const ordinal of ordinals) frames.add(`${pack}/${ordinal}`);
  }
  return {
    isSwept: pack => swept.has(pack),
    isDamaged: (pack, ordinal) => whole.has(pack) || frames.has(`${pack}/${ordinal}`),
  };
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
    if (!isStoreError(error) || error.code === 'STORE_NEWER') throw error;
    problems.push({ object, error });
  }
}

export function callOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
