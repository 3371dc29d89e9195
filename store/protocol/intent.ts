import type { StoreContext } from '../context.ts';
import type { SessionId } from '../ids.ts';
import { putOwn } from '../put-own.ts';
import { sealRecord } from '../record.ts';
import { type IntentRecord, intentRecord } from './records.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export function intentName(id: SessionId): string {
  return `intents/${id}`;
}

/** Says, before the manifest exists, what it will depend on. Whoever prunes reads intents first, manifests second. */
export async function createIntent(
  { backend, ring, seams }: StoreContext,
  { session, record }: { readonly session: SessionId; readonly record: IntentRecord },
  { signal }: CallOptions = {},
): Promise<void> {
  const name = intentName(session);
  const place = { kind: 'intent', session, name, randomness: seams.randomness } as const;
  const bytes = sealRecord(ring, place, intentRecord.encode(record));
  await putOwn(backend, { name, parts: [bytes] }, { signal });
}

/** Removes the intent. One that stays is a root for prune until it makes the run's manifest ABORTED. */
export async function removeIntent({ backend }: StoreContext, session: SessionId): Promise<void> {
  await backend.delete(intentName(session)).catch(() => undefined);
}
