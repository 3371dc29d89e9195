import { exitCodeFor } from '../../../cli/exit-codes.ts';
import type { LatchRecord as Latch } from '../../instance/maintenance.ts';
import type { Side } from './side.ts';
import type { Facts } from './simulate.ts';

/** The engine's own limits, for the bound: calls (engine/app/bitbucket.ts), patience (engine/latch/options.ts). */
const headersMs = 10_000;
const lockHeadersMs = 60_000;
const lockPatienceMs = 15_000;
const unlockPatienceMs = 60_000;
const pauseMaxMs = 5_000;
/** The last report may take half a second; the calls around it, their answers and a few files the rest. */
const promptMs = 600;
/** A call that hangs when the application is well again, one more to find out who answers, and the pause after both. */
const retryMs = 2 * headersMs + pauseMaxMs + promptMs;

const never = Number.POSITIVE_INFINITY;

/** One lock: how long it lasted, and how long it may. */
export interface Held {
  readonly heldMs: number;
  /** From the lock; Infinity where nobody who could unlock was left, or had the token. */
  readonly boundMs: number;
}

/**
 * When a lock must be gone, from what happened to whom: `maxHold` after it was taken, or as soon as the other side is
 * gone, by whoever has the token and runs; not before the application answers again.
 */
export function boundOf(facts: Facts, index: number): number {
  const { locked } = facts.latches[index]!;
  const { program, sentinel, end } = facts;
  const budgetMs = locked.monotonicMs + facts.schedule.budgets.maxHoldMs;
  const told = facts.told[index] ?? [];
  const toldMs = (side: Side) => told.find(one => one.side === side.name)?.atMs ?? never;
  const programGoneMs = Math.min(program.diedAtMs ?? never, end?.atMs ?? never);
  const bySentinelMs = doneBy(sentinel, facts, Math.max(Math.min(budgetMs, programGoneMs), toldMs(sentinel)));
  // What the sentinel knows is beside the record at that instant, and the program reads it there.
  const knownMs = Math.min(toldMs(program), toldMs(sentinel));
  const dueMs = Math.max(Math.min(budgetMs, sentinel.diedAtMs ?? never), knownMs);
  const isLeft = gaveUp(facts) || (end?.atMs ?? never) < knownMs;
  const byProgramMs = isLeft ? never : doneBy(program, facts, dueMs);
  return Math.min(bySentinelMs, byProgramMs) - locked.monotonicMs;
}

/** By when a side has unlocked that begins when it is due: it may be stopped, or killed, and the application away. */
function doneBy(side: Side, { outages }: Facts, dueMs: number): number {
  let [atMs, slackMs] = [dueMs, promptMs];
  for (let isMoved = true; isMoved; ) {
    isMoved = false;
    for (const { fromMs, untilMs } of outages) {
      if (fromMs > atMs + slackMs || untilMs <= atMs - (slackMs === retryMs ? 0 : headersMs)) continue;
      if (untilMs <= atMs && slackMs === retryMs) continue;
      [atMs, slackMs, isMoved] = [Math.max(atMs, untilMs), retryMs, true];
    }
    for (const { fromMs, untilMs } of side.stops) {
      if (fromMs > atMs + slackMs || untilMs <= atMs) continue;
      [atMs, isMoved] = [untilMs, true];
    }
  }
  return (side.diedAtMs ?? never) <= atMs + slackMs ? never : atMs + slackMs;
}

/** The program tried as long as it promises, in vain, and left it to the sentinel. */
function gaveUp({ end, outages, moments }: Facts): boolean {
  const begun = moments.find(({ side, name }) => side === 'program' && name === 'call unlock sent');
  if (end?.code !== 'APP_STILL_LOCKED' || !begun || end.atMs - begun.atMs < unlockPatienceMs) return false;
  return outages.some(
    ({ fromMs, untilMs }) => untilMs >= end.atMs - headersMs - promptMs && fromMs <= end.atMs,
  );
}

export function heldOf(facts: Facts): Held[] {
  return facts.latches.map((latch, index) => ({
    heldMs: endOf(latch) - latch.locked.monotonicMs,
    boundMs: boundOf(facts, index),
  }));
}

function endOf({ unlocked, end, unlatched }: Latch): number {
  if (end === null) return never;
  return (unlocked ?? unlatched)?.monotonicMs ?? 0; // a restart ends it at once
}

/** What is wrong with a run, in sentences; none when all promises were kept. */
export function judge(facts: Facts): string[] {
  return [...judgeLocks(facts), ...judgeResult(facts), ...judgeEnd(facts), ...judgeNext(facts)];
}

function judgeLocks(facts: Facts): string[] {
  const wrong: string[] = [];
  for (const [index, { heldMs, boundMs }] of heldOf(facts).entries())
    if (heldMs > boundMs) wrong.push(`lock ${index + 1} was held for ${heldMs} ms, bound ${boundMs} ms`);
  if (!facts.isLocked) return wrong;
  const last = facts.latches.length - 1;
  const tokens = facts.records.map(({ token }) => token);
  if ((facts.told[last] ?? []).length > 0 && tokens.every(token => token === null))
    wrong.push('it is locked, a token was known, and no record has it');
  if (facts.records.length === 0) wrong.push('it is locked, and no record is left');
  return wrong;
}

/** A pair is kept only when the lock held from the drain until after the capture, and the program's own unlock ended it. */
function judgeResult(facts: Facts): string[] {
  const { end, body, latches, arrivals } = facts;
  if (end?.result === undefined) return [];
  const latch = latches.at(-1);
  const unlock = arrivals.find(one => one.route === 'unlock' && one.status === 202);
  if (!latch?.drained || latch.end !== 'unlocked')
    return ['a pair was kept without a lock that was drained and given back'];
  const wrong: string[] = [];
  if (unlock?.side !== 'program') wrong.push('a pair was kept whose lock the sentinel ended');
  if (latch.drained.monotonicMs > (body.fromMs ?? 0))
    wrong.push('a pair was kept that began before the drain');
  if ((latch.unlatched?.monotonicMs ?? 0) < (body.toMs ?? never))
    wrong.push('a pair was kept whose latch ended before its capture');
  return wrong;
}

/** Both sides come to an end, and what the program says of the lock is so. */
function judgeEnd(facts: Facts): string[] {
  const { end, program, sentinel, isGuardEnded, moments } = facts;
  const wrong: string[] = [];
  if (!end && program.diedAtMs === undefined) wrong.push('the program never ends');
  const isGuarded = moments.some(({ side }) => side === 'sentinel');
  if (isGuarded && !isGuardEnded && sentinel.diedAtMs === undefined) wrong.push('the sentinel never ends');
  if (!end) return wrong;
  const lockedThen = facts.latches.some(
    latch => latch.locked.monotonicMs <= end.atMs && end.atMs < endOf(latch),
  );
  const said = end.code === 'APP_STILL_LOCKED';
  if (lockedThen && !said) wrong.push(`it is locked at the end of the program, which says ${end.code}`);
  if (said && exitCodeFor(end.code) !== 21) wrong.push('APP_STILL_LOCKED is not exit 21');
  if (said && !isUnavoidable(facts)) wrong.push('it says APP_STILL_LOCKED where it could have unlocked');
  return wrong;
}

/** A lock call whose answer reached nobody in time, or an application that was away longer than the patience. */
function isUnavoidable({ end, told, latches, outages, sentinel, moments }: Facts): boolean {
  if (!end) return true;
  const isUntold = latches.some((_, index) => !told[index]?.some(({ atMs }) => atMs <= end.atMs));
  const longest = Math.max(0, ...outages.map(({ fromMs, untilMs }) => untilMs - fromMs));
  const isAway = longest >= unlockPatienceMs - headersMs || longest >= lockPatienceMs;
  const isMute = sentinel.diedAtMs !== undefined || sentinel.stops.length > 0;
  const lockMs = moments.find(({ name }) => name === 'call lock sent')?.atMs ?? never;
  const isLockSpoilt = outages.some(
    ({ untilMs, fromMs }) => fromMs <= lockMs + lockHeadersMs && untilMs > lockMs,
  );
  return isUntold || isAway || (isMute && isLockSpoilt);
}

/** The next run finds its way, whatever was left. */
function judgeNext({ next, isLocked, told, latches }: Facts): string[] {
  if (!next) return [];
  const wrong: string[] = [];
  if (next.end.result !== 'captured') wrong.push(`the next run ends with ${next.end.code}`);
  const isTold = (told[latches.length - 1] ?? []).length > 0;
  if (isLocked && isTold && next.released.unlocked !== 1)
    wrong.push('the next run did not unlock with the token of the record');
  if (next.isRestarted && (!isLocked || isTold))
    wrong.push('the next run asks for a restart that nothing needs');
  return wrong;
}
