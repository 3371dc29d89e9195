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
  /** Told at each look how long those that are watched have been silent, and of each that is taken for dead. */
  readonly onSilence?: ((silence: { readonly forMs: number; readonly ofMs: number }) => void) | undefined;
  readonly onDead?: ((session: OtherSession) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

type WatchOptions = Omit<FenceOptions, 'own' | 'generation'> & { readonly isAnotherPruneFine: boolean };

const lookEveryMs = 1000;

/**
 * Finds out who else is at work. Another prune that shows a sign of life is STORE_LOCKED; everybody else who does is let be.
 * A session that is silent for so long on this machine's own clock is dead, and what it left is removed. Should it live all
 * the same, it cannot commit, or finds out by itself what it lost: safety hangs neither on the wait nor on the answer.
 */
export async function endSilentSessions(
  context: StoreContext,
  options: FenceOptions,
): Promise<ReadonlySet<SessionId>> {
  const { own, signal } = options;
  const first = await listSessions(context, { signal });
  const others = [...first.values()].filter(({ id, isThere }) => id !== own && isThere);
  const dead = new Set<SessionId>();
  const bury = async (session: ListedSession): Promise<void> => {
    await clear(context, session, options);
    dead.add(session.id);
  };
  const watch = { ...options, isAnotherPruneFine: false };
  for (const session of await silentOf(context, others, watch)) await bury(session);
  // An intent without a session: of a run that was declared dead before, or could not remove it. Intents are listed
  // first, since a run creates its session before its intent.
  const intents = await listIntents(context, { signal });
  const last = await listSessions(context, { signal });
  for (const id of intents) if (!last.has(id)) await bury({ id, isThere: false, beats: new Set() });
  for (const session of last.values())
    if (!session.isThere && first.get(session.id)?.isThere === false) await clear(context, session, options);
  return dead;
}

/** As endSilentSessions, and writes nothing: who is dead. */
export async function findSilentSessions(
  context: StoreContext,
  options: Omit<FenceOptions, 'own' | 'generation'>,
): Promise<ReadonlySet<SessionId>> {
  const { signal } = options;
  const sessions = await listSessions(context, { signal });
  const there = [...sessions.values()].filter(({ isThere }) => isThere);
  const silent = await silentOf(context, there, { ...options, isAnotherPruneFine: true });
  const intents = await listIntents(context, { signal });
  const last = await listSessions(context, { signal });
  return new Set([...silent.map(({ id }) => id), ...intents.filter(id => !last.has(id))]);
}

/** The sessions of which nothing new is seen; the look ends as soon as all others have shown themselves, or have ended. */
async function silentOf(
  context: StoreContext,
  others: readonly ListedSession[],
  { silenceMs, onWait, onSilence, onDead, isAnotherPruneFine, signal }: WatchOptions,
): Promise<ListedSession[]> {
  const { clock } = context.seams;
  const watched = new Map(others.map(session => [session.id, session]));
  const known = new Map<SessionId, OtherSession>();
  for (const { id } of others) {
    const other = await describe(context, id, { signal });
    if (other === undefined) watched.delete(id);
    else {
      known.set(id, other);
      onWait?.(other);
    }
  }
  const startMs = clock.monotonicMs();
  while (watched.size > 0) {
    const leftMs = silenceMs - (clock.monotonicMs() - startMs);
    if (leftMs <= 0) break;
    onSilence?.({ forMs: silenceMs - leftMs, ofMs: silenceMs });
    await clock.sleep(Math.min(leftMs, lookEveryMs), signal);
    const now = await listSessions(context, { signal });
    for (const [id, { beats: before }] of watched) {
      const session = now.get(id);
      if (session?.isThere && ![...session.beats].some(beat => !before.has(beat))) continue;
      watched.delete(id);
      if (session?.isThere && !isAnotherPruneFine)
        refuseAnotherPrune(context, await describe(context, id, { signal }));
    }
  }
  if (watched.size === 0) return [];
  const last = await listSessions(context, { signal });
  for (const id of watched.keys()) if (last.has(id) && known.has(id)) onDead?.(known.get(id)!);
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

/** Two at once would only refuse each other's generations. */
function refuseAnotherPrune({ backend }: StoreContext, other: OtherSession | undefined): void {
  if (other?.purpose !== 'prune') return;
  throw storeError(
    'STORE_LOCKED',
    `Cannot prune ${backend.location}: ${other.host} (${other.purpose}) is at work`,
    {
      remedy: 'Run prune again when it has ended.',
      context: { session: other.id, host: other.host, purpose: other.purpose },
    },
  );
}
