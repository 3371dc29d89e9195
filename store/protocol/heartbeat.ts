import type { StoreContext } from '../context.ts';
import type { SessionId, SnapshotId } from '../ids.ts';
import { putRecord } from './note.ts';
import { heartbeatRecord } from './records.ts';

/** Who waits for a sign of life waits several times as long. */
export const beatEveryMs = 5_000;

export function heartbeatName(session: SessionId, beat: number): string {
  return `sessions/${session}.${beat}`;
}

export interface Heartbeat {
  /** Says what the session depends on, too; it is said when this returns. */
  name(snapshots: readonly SnapshotId[]): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Creates `sessions/<id>.<k>` every few seconds and removes the one before: a new name each time, since a clock that is
 * wrong must not make a session look dead. Decides how long others wait, never what is safe.
 */
export function startHeartbeat(
  context: StoreContext,
  { session, snapshots }: { readonly session: SessionId; readonly snapshots: readonly SnapshotId[] },
): Heartbeat {
  const { backend, seams } = context;
  let named = snapshots;
  let number = 0;
  // Those that may be there: of a beat that failed nobody knows.
  let left: number[] = [];
  let underWay: Promise<void> | undefined;

  async function beat(): Promise<void> {
    number += 1;
    const before = left;
    left = [...before, number];
    await putRecord(context, {
      name: heartbeatName(session, number),
      kind: 'heartbeat',
      codec: heartbeatRecord,
      record: { beat: number, snapshots: named },
      session,
    });
    for (const old of before) await backend.delete(heartbeatName(session, old));
    left = [number];
  }

  function start(): Promise<void> {
    underWay = beat().finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  const stopTimer = seams.clock.every(beatEveryMs, () => {
    // A beat that fails is a sign that is missing; what matters fails in the session's own calls.
    if (underWay === undefined) start().catch(() => undefined);
  });
  return {
    async name(more) {
      while (underWay !== undefined) await underWay.catch(() => undefined);
      named = [...named, ...more];
      await start();
    },
    async stop() {
      stopTimer();
      await underWay?.catch(() => undefined);
      // A later prune removes what stays.
      for (const old of left) await backend.delete(heartbeatName(session, old)).catch(() => undefined);
      left = [];
    },
  };
}
