import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import {
  type Generations,
  generationName,
  readGenerations,
  tombstonesOf,
  unionEvery,
} from '../protocol/generations.ts';
import { putRecord } from '../protocol/note.ts';
import { doneRecord } from '../protocol/records.ts';
import { putSweep } from '../prune/sweep.ts';
import type { RepairWriting } from './writing.ts';

/** What is to become of an open generation that cannot be read, and stops every backup. */
export type OpenDamage =
  /** Nobody has decided, and nobody knows about what: nothing goes. */
  | { readonly way: 'veto'; readonly object: string; readonly number: number }
  /** It was decided, and nobody knows how: nothing depends on any of its packs any more, whatever became of them. */
  | {
      readonly way: 'end';
      readonly object: string;
      readonly number: number;
      readonly packs: ReadonlySet<PackId>;
    }
  /** Nobody knows which packs are about to go. */
  | { readonly way: 'none'; readonly object: string };

export function openDamage(
  { open }: Generations,
  isDamaged: (object: string) => boolean,
): OpenDamage | undefined {
  if (open === undefined) return undefined;
  const { number, record } = open;
  const [object, sweep] = [generationName(number), generationName(number, '.sweep')];
  if (isDamaged(sweep)) {
    if (isDamaged(object) || record === undefined) return { way: 'none', object: sweep };
    return { way: 'end', object: sweep, number, packs: new Set(tombstonesOf(record)) };
  }
  return isDamaged(object) && open.sweep === undefined ? { way: 'veto', object, number } : undefined;
}

interface CallOptions {
  readonly writing: RepairWriting;
  readonly signal?: AbortSignal | undefined;
}

/** Says that nothing goes: backups go on, and the next prune ends it. Whoever decided meanwhile has decided. */
export async function vetoGeneration(
  context: StoreContext,
  number: number,
  { writing, signal }: CallOptions,
): Promise<void> {
  const { id: session } = await writing.begin();
  await putSweep(context, { session, sweep: { number, packs: [], indexParts: [] } }, { signal });
}

/**
 * Says that a generation is done with. Only once all that is whole in its packs has a copy elsewhere, and they are recorded
 * as damaged: then a pack that stays costs nothing, and one that goes late, by a hand that slept, loses nothing.
 */
export async function endGeneration(
  context: StoreContext,
  number: number,
  { writing, signal }: CallOptions,
): Promise<void> {
  const { id: session } = await writing.begin();
  const { swept } = await readGenerations(context, { signal, reading: 'lenient' });
  const record = { number, allSwept: number % unionEvery === 0 ? [...swept] : undefined };
  const name = generationName(number, '.done');
  await putRecord(context, { name, kind: 'done', codec: doneRecord, record, session }, { signal });
}
