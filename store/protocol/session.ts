import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import { hex, type SessionId, type SnapshotId } from '../ids.ts';
import { holds } from '../put-own.ts';
import { sealRecord } from '../record.ts';
import { startHeartbeat } from './heartbeat.ts';
import { type SessionRecord, sessionRecord } from './records.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export function sessionName(id: SessionId): string {
  return `sessions/${id}`;
}

/** Somebody at work. While it is not ended it tells others so, every few seconds. */
export interface LiveSession {
  readonly id: SessionId;
  /** Says that it depends on snapshots, too; it is said when this returns. */
  name(snapshots: readonly SnapshotId[]): Promise<void>;
  /** What an error means that says something is not there, or not whole: where the session is gone, too, STORE_LOCKED. */
  explain(error: unknown): Promise<unknown>;
  /** Stops telling, without removing the session: it keeps what it named. */
  rest(): Promise<void>;
  /** Removes the session. Idempotent, never throws: what cannot be removed costs a later prune time, never safety. */
  end(): Promise<void>;
}

/** Opens a session that shows signs of life until it ends. STORE_UNPROVEN, STORE_LOCKED. */
export async function beginSession(
  context: StoreContext,
  record: SessionRecord,
  options: CallOptions = {},
): Promise<LiveSession> {
  // Nothing rests on it yet: who was taken for dead before he had begun begins anew. Taken twice within one proof it looks
  // like a medium that overwrites, which the next proof shows, too.
  const id = await openSession(context, record, options).catch((error: unknown) => {
    if (!isStoreError(error) || !['STORE_LOCKED', 'STORE_UNPROVEN'].includes(error.code)) throw error;
    return openSession(context, record, options);
  });
  let hasEnded = false;
  const heart = startHeartbeat(context, { session: id, snapshots: record.snapshots });
  return {
    id,
    name: snapshots => heart.name(snapshots),
    async explain(error) {
      if (!isStoreError(error) || !['STORE_OBJECT_MISSING', 'STORE_DAMAGED'].includes(error.code))
        return error;
      return (await isGone(context, id)) && !hasEnded ? declaredDead(context, error) : error;
    },
    rest: () => heart.stop(),
    async end() {
      hasEnded = true;
      await heart.stop();
      await closeSession(context, id);
    },
  };
}

/**
 * Says that somebody works with the store, and proves on the way that the medium never overwrites: the object is created
 * a second time, sealed anew so that its bytes differ; a refusal, and the first bytes read back, are the proof. It is
 * made in every session and never stored, since a medium may change behind its name. STORE_UNPROVEN;
 * STORE_LOCKED when another run took this one for dead meanwhile.
 */
async function openSession(
  context: StoreContext,
  record: SessionRecord,
  { signal }: CallOptions = {},
): Promise<SessionId> {
  const id = hex(context.seams.randomness.bytes(32)) as SessionId;
  try {
    await createAndProve(
      context,
      { name: sessionName(id), seal: () => sealSession(context, id, record) },
      { signal },
    );
  } catch (error) {
    await closeSession(context, id);
    throw error;
  }
  return id;
}

async function createAndProve(
  context: StoreContext,
  { name, seal }: { readonly name: string; readonly seal: () => Uint8Array },
  { signal }: CallOptions,
): Promise<void> {
  const put = (bytes: Uint8Array) => context.backend.put(name, bytes, signal ? { signal } : {});
  const first = seal();
  // An answer that was lost on the way leaves our own bytes there; anything else is not ours to keep.
  if ((await put(first)) === 'exists' && !(await isThere(context, { name, bytes: first })))
    throw unproven(context, 'a new name was taken already');
  const second = seal();
  if ((await put(second)) !== 'exists') {
    // Whoever took this run for dead has removed the first: then the medium refuses a third, and keeps the second.
    if ((await put(seal())) === 'exists' && (await isThere(context, { name, bytes: second })))
      throw declaredDead(context);
    throw unproven(context, 'a second object of one name was accepted');
  }
  if (!(await isThere(context, { name, bytes: first })))
    throw unproven(context, 'an object was overwritten by a later one');
}

/** STORE_LOCKED when nothing is: who takes a run for dead removes its session. */
async function isThere(
  context: StoreContext,
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
): Promise<boolean> {
  try {
    return await holds(context.backend, { name, parts: [bytes] });
  } catch (error) {
    throw isStoreError(error) && error.code === 'STORE_OBJECT_MISSING' ? declaredDead(context) : error;
  }
}

/** False where nobody can tell. */
function isGone({ backend }: StoreContext, id: SessionId): Promise<boolean> {
  return backend.get(sessionName(id)).then(
    () => false,
    (error: unknown) => isStoreError(error) && error.code === 'STORE_OBJECT_MISSING',
  );
}

function declaredDead({ backend }: StoreContext, cause?: unknown): Error {
  return storeError(
    'STORE_LOCKED',
    `Cannot work on ${backend.location}: another run declared this one dead`,
    {
      remedy:
        'Run it again. If this machine was asleep, that is why; if it was not, the medium loses what is written.',
      cause,
    },
  );
}

function sealSession({ ring, seams }: StoreContext, session: SessionId, record: SessionRecord): Uint8Array {
  const { randomness } = seams;
  const place = { kind: 'session', session, name: sessionName(session), randomness } as const;
  return sealRecord(ring, place, sessionRecord.encode(record));
}

/** Removes the session. What cannot be removed is left to a later prune: it costs waiting time, never safety. */
async function closeSession({ backend }: StoreContext, id: SessionId): Promise<void> {
  await backend.delete(sessionName(id)).catch(() => undefined);
}

function unproven({ backend }: StoreContext, state: string): Error {
  return storeError('STORE_UNPROVEN', `Cannot write to ${backend.location}: ${state}`, {
    remedy:
      'Use a medium that refuses to create an object twice: a local file system with hard links, or S3 with conditional writes.',
  });
}
