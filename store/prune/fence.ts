import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { manifestName } from '../manifest.ts';
import { heartbeatName } from '../protocol/heartbeat.ts';
import { intentName, listIntents } from '../protocol/intent.ts';
import { putRecord } from '../protocol/note.ts';
import { abortedRecord } from '../protocol/records.ts';
import { sessionName } from '../protocol/session.ts';
import { type ListedSession, listSessions, readSession } from '../protocol/sessions.ts';

export interface OtherSession {
  readonly id: SessionId;
  readonly host: string;
  readonly purpose: string;
}

export interface FenceOptions {
  /** The session that asks. */
  readonly own: SessionId;
  readonly silenceMs: number;
  /** Of the generation that would be next. */
  readonly generation: number;
  readonly onWait?: ((session: OtherSession) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const lookEveryMs = 1000;

/**
 * Makes sure that whoever was at work before is not any more: a session that shows a sign of life is STORE_LOCKED, one
 * that is silent for so long on this machine's own clock is dead, and what it left is removed. Should it live all the
 * same, it cannot commit, or finds out by itself what it lost: safety does not hang on the wait.
 */
export async function endSilentSessions(context: StoreContext, options: FenceOptions): Promise<void> {
  const { own, signal } = options;
  const first = await listSessions(context, { signal });
  const others = [...first.values()].filter(({ id, isThere }) => id !== own && isThere);
  const silent = others.length === 0 ? [] : await watch(context, others, options);
  for (const session of silent) await clear(context, session, options);
  // An intent without a session: of a run that was declared dead before, or could not remove it. Intents are listed
  // first, since a run creates its session before its intent.
  const intents = await listIntents(context, { signal });
  const last = await listSessions(context, { signal });
  for (const id of intents)
    if (!last.has(id)) await clear(context, { id, isThere: false, beats: new Set() }, options);
  for (const session of last.values())
    if (!session.isThere && first.get(session.id)?.isThere === false) await clear(context, session, options);
}

/** The sessions of which nothing new is seen; those that end meanwhile need nothing. */
async function watch(
  context: StoreContext,
  others: readonly ListedSession[],
  { silenceMs, onWait, signal }: FenceOptions,
): Promise<ListedSession[]> {
  const { clock } = context.seams;
  for (const { id } of others) {
    const other = await describe(context, id, { signal });
    if (other !== undefined) onWait?.(other);
  }
  const watched = new Map(others.map(session => [session.id, session]));
  const startMs = clock.monotonicMs();
  while (watched.size > 0) {
    const leftMs = silenceMs - (clock.monotonicMs() - startMs);
    if (leftMs <= 0) break;
    await clock.sleep(Math.min(leftMs, lookEveryMs), signal);
    const now = await listSessions(context, { signal });
    for (const [id, { beats: before }] of watched) {
      const session = now.get(id);
      if (session === undefined || !session.isThere) watched.delete(id);
      else if ([...session.beats].some(beat => !before.has(beat)))
        throw locked(context, await describe(context, id, { signal }));
    }
  }
  const last = await listSessions(context, { signal });
  return [...watched.keys()].flatMap(id => last.get(id) ?? []);
}

/** The manifest's name is taken first: then either the run's commit has won already, or it never will. */
async function clear(
  context: StoreContext,
  { id, beats }: ListedSession,
  { own, generation, signal }: FenceOptions,
): Promise<void> {
  const { backend, seams } = context;
  const call = signal ? { signal } : {};
  if ((await listIntents(context, { signal })).includes(id)) {
    const record = { by: own, abortedMs: seams.clock.nowMs(), generation };
    const name = manifestName(id);
    await putRecord(
      context,
      { name, kind: 'aborted', codec: abortedRecord, record, session: id },
      { signal },
    );
    await backend.delete(intentName(id), call);
  }
  for (const beat of beats) await backend.delete(heartbeatName(id, beat), call);
  await backend.delete(sessionName(id), call);
}

/** Undefined when it ended meanwhile. */
async function describe(
  context: StoreContext,
  id: SessionId,
  options: { readonly signal: AbortSignal | undefined },
): Promise<OtherSession | undefined> {
  try {
    const record = await readSession(context, id, options);
    return record && { id, host: record.host, purpose: record.purpose };
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_DAMAGED') throw error;
    return { id, host: 'a host that cannot be told', purpose: 'something' }; // it lives or dies all the same
  }
}

function locked({ backend }: StoreContext, other: OtherSession | undefined): Error {
  const who = other === undefined ? 'another session' : `${other.host} (${other.purpose})`;
  return storeError('STORE_LOCKED', `Cannot prune ${backend.location}: ${who} is at work`, {
    remedy: 'Run prune again when it has ended.',
    context: { session: other?.id, host: other?.host, purpose: other?.purpose },
  });
}
