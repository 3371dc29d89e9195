import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { putOwn } from '../put-own.ts';
import { openRecord, sealRecord } from '../record.ts';
import { type IntentRecord, intentRecord } from './records.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

const intentPattern = /^intents\/[0-9a-f]{64}$/;

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

/** Ids of sessions that have an intent. */
export async function listIntents(
  { backend }: StoreContext,
  { signal }: CallOptions = {},
): Promise<SessionId[]> {
  const ids: SessionId[] = [];
  for await (const { name } of backend.list('intents/', signal ? { signal } : {}))
    if (intentPattern.test(name)) ids.push(name.slice('intents/'.length) as SessionId);
  return ids;
}

/** Undefined when it was removed meanwhile: then its run is over, and its manifest is there or never will be. */
export async function readIntent(
  { backend, ring }: StoreContext,
  id: SessionId,
  { signal }: CallOptions = {},
): Promise<IntentRecord | undefined> {
  const name = intentName(id);
  try {
    const bytes = await backend.get(name, signal ? { signal } : {});
    return intentRecord.decode(openRecord(ring, bytes, { kind: 'intent', name }).fields, name);
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_OBJECT_MISSING') return undefined;
    throw error;
  }
}

/** Removes the intent. One that stays is a root for prune until it makes the run's manifest ABORTED. */
export async function removeIntent({ backend }: StoreContext, session: SessionId): Promise<void> {
  await backend.delete(intentName(session)).catch(() => undefined);
}
