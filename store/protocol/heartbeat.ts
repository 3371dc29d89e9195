import type { StoreContext } from '../context.ts';
import type { SessionId, SnapshotId } from '../ids.ts';
import { putRecord } from './note.ts';
import { heartbeatRecord } from './records.ts';

/** Who waits for a sign of life waits several times as long. */
export const beatEveryMs = 5_000;

export function heartbeatName(session: SessionId, beat: number): string {
  return `sessions/${session}.${beat}`;
}

/**
 * Creates `sessions/<id>.<k>` every few seconds and removes the one before: a new name each time, since a clock that is
 * wrong must not make a session look dead. Decides how long others wait, never what is safe.
 */
export function startHeartbeat(
  context: StoreContext,
  { session, snapshots }: { readonly session: SessionId; readonly snapshots: readonly SnapshotId[] },
): { stop(): Promise<void> } {
  const { backend, seams } = context;
  let beats = 0;
  let underWay: Promise<void> | undefined;

  async function beat(): Promise<void> {
    const number = beats + 1;
    const name = heartbeatName(session, number);
    await putRecord(context, {
      name,
      kind: 'heartbeat',
      codec: heartbeatRecord,
      record: { beat: number, snapshots },
      session,
    });
    beats = number;
    if (number > 1) await backend.delete(heartbeatName(session, number - 1));
  }

  const stopTimer = seams.clock.every(beatEveryMs, () => {
    // A beat that fails is a sign that is missing; what matters fails in the session's own calls.
    underWay ??= beat()
      .catch(() => undefined)
      .finally(() => {
        underWay = undefined;
      });
  });
  return {
    async stop() {
      stopTimer();
      await underWay;
      if (beats === 0) return;
      await backend.delete(heartbeatName(session, beats)).catch(() => undefined); // a later prune removes it
      beats = 0;
    },
  };
}
