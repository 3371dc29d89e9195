import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { SessionId, SnapshotId } from '../ids.ts';
import { openRecord } from '../record.ts';
import { heartbeatName } from './heartbeat.ts';
import { type HeartbeatRecord, heartbeatRecord, type SessionRecord, sessionRecord } from './records.ts';
import { sessionName } from './session.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A session as the list shows it. */
export interface ListedSession {
  readonly id: SessionId;
  /** False: only heartbeats are left of it. */
  readonly isThere: boolean;
  /** Numbers of the heartbeats that are there. */
  readonly beats: ReadonlySet<number>;
}

const pattern = /^sessions\/([0-9a-f]{64})(?:\.([1-9][0-9]{0,14}))?$/;

export async function listSessions(
  { backend }: StoreContext,
  { signal }: CallOptions = {},
): Promise<ReadonlyMap<SessionId, ListedSession>> {
  const sessions = new Map<SessionId, { id: SessionId; isThere: boolean; beats: Set<number> }>();
  for await (const { name } of backend.list('sessions/', signal ? { signal } : {})) {
    const [, id, beat] = pattern.exec(name) ?? [];
    if (id === undefined) continue;
    const session = sessions.get(id as SessionId) ?? {
      id: id as SessionId,
      isThere: false,
      beats: new Set(),
    };
    sessions.set(session.id, session);
    if (beat === undefined) session.isThere = true;
    else session.beats.add(Number(beat));
  }
  return sessions;
}

/** What a session said of itself; undefined when it ended meanwhile. STORE_DAMAGED. */
export async function readSession(
  { backend, ring }: StoreContext,
  id: SessionId,
  { signal }: CallOptions = {},
): Promise<SessionRecord | undefined> {
  const name = sessionName(id);
  const bytes = await unlessMissing(() => backend.get(name, signal ? { signal } : {}));
  return bytes && sessionRecord.decode(openRecord(ring, bytes, { kind: 'session', name }).fields, name);
}

/** Undefined when the next one took its place. STORE_DAMAGED. */
export async function readHeartbeat(
  { backend, ring }: StoreContext,
  { id, beat }: { readonly id: SessionId; readonly beat: number },
  { signal }: CallOptions = {},
): Promise<HeartbeatRecord | undefined> {
  const name = heartbeatName(id, beat);
  const bytes = await unlessMissing(() => backend.get(name, signal ? { signal } : {}));
  return bytes && heartbeatRecord.decode(openRecord(ring, bytes, { kind: 'heartbeat', name }).fields, name);
}

/** What sessions say of themselves. */
export interface SessionsAtWork {
  readonly sessions: ReadonlyMap<SessionId, SessionRecord>;
  /** Snapshots that one of them depends on while it lives, and which. */
  readonly named: ReadonlyMap<SnapshotId, SessionId>;
}

/** Every session that is there, but for one's own and those that are known dead. STORE_DAMAGED. */
export async function readSessions(
  context: StoreContext,
  {
    own,
    dead,
    signal,
  }: CallOptions & {
    readonly own?: SessionId | undefined;
    readonly dead?: ReadonlySet<SessionId> | undefined;
  },
): Promise<SessionsAtWork> {
  const sessions = new Map<SessionId, SessionRecord>();
  const named = new Map<SnapshotId, SessionId>();
  for (const { id, isThere, beats } of (await listSessions(context, { signal })).values()) {
    if (id === own || dead?.has(id) || !isThere) continue;
    const session = await readSession(context, id, { signal });
    if (session === undefined) continue;
    sessions.set(id, session);
    const beaten = await namedByBeats(context, { id, beats }, { signal });
    for (const snapshot of [...session.snapshots, ...beaten]) named.set(snapshot, id);
  }
  return { sessions, named };
}

/** A beat goes when the next one is there, which says the same or more. */
async function namedByBeats(
  context: StoreContext,
  { id, beats }: Pick<ListedSession, 'id' | 'beats'>,
  { signal }: CallOptions,
): Promise<readonly SnapshotId[]> {
  const named: SnapshotId[] = [];
  let hasMissed = false;
  for (const beat of beats) {
    const heartbeat = await readHeartbeat(context, { id, beat }, { signal });
    if (heartbeat === undefined) hasMissed = true;
    else named.push(...heartbeat.snapshots);
  }
  if (!hasMissed) return named;
  const now = (await listSessions(context, { signal })).get(id);
  if (!now?.isThere || [...now.beats].every(beat => beats.has(beat))) return named;
  return [...named, ...(await namedByBeats(context, now, { signal }))];
}

export async function unlessMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_OBJECT_MISSING') return undefined;
    throw error;
  }
}
