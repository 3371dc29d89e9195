import type { Clock } from '../../store/index.ts';
import type { ApplicationFacts, LockableApplication } from '../app/index.ts';
import type { FenceRecord } from './fence.ts';

export interface Moment {
  /** For people; may jump. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** When each step of one latch ended. */
export interface Times {
  readonly lockRequested: Moment;
  locked?: Moment;
  drained?: Moment;
  captured?: Moment;
  unlocked?: Moment;
}

export function momentNow(clock: Clock): Moment {
  return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
}

/** The record of a latch that held: every time is there. */
export function latchedRecord(
  times: Required<Times>,
  facts: {
    readonly kind: LockableApplication['fence'];
    readonly application: ApplicationFacts;
    readonly taskId: string | null;
  },
): FenceRecord {
  const { lockRequested, locked, drained, captured, unlocked } = times;
  const between = (from: Moment, to: Moment) => to.monotonicMs - from.monotonicMs;
  return {
    ...facts,
    lockRequestedAtMs: lockRequested.wallMs,
    lockedAtMs: locked.wallMs,
    drainedAtMs: drained.wallMs,
    capturedAtMs: captured.wallMs,
    unlockedAtMs: unlocked.wallMs,
    lockMs: between(lockRequested, locked),
    drainMs: between(locked, drained),
    captureMs: between(drained, captured),
    unlockMs: between(captured, unlocked),
    heldMs: between(lockRequested, unlocked),
  };
}

/** The record of a capture that nothing was locked for. */
export function unlockedRecord(
  captured: Pick<FenceRecord, 'kind' | 'application' | 'capturedAtMs' | 'captureMs'>,
): FenceRecord {
  const never = { lockRequestedAtMs: null, lockedAtMs: null, drainedAtMs: null, unlockedAtMs: null };
  return { ...captured, taskId: null, ...never, lockMs: 0, drainMs: 0, unlockMs: 0, heldMs: 0 };
}

/** True when every step ended; without it no record of the pair is made. */
export function isComplete(times: Times): times is Required<Times> {
  return Boolean(times.locked && times.drained && times.captured && times.unlocked);
}
