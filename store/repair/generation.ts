import type { StoreContext } from '../context.ts';
import { generationName, readGenerations, unionEvery } from '../protocol/generations.ts';
import { putRecord } from '../protocol/note.ts';
import { doneRecord } from '../protocol/records.ts';
import { putSweep } from '../prune/sweep.ts';
import type { RepairWriting } from './writing.ts';

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
