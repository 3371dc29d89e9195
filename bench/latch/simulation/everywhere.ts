import {
  type Budgets,
  budgetsDefault,
  describeInjection,
  type Fault,
  type Injection,
  randomSchedule,
  type Schedule,
} from './faults.ts';
import { judge } from './judge.ts';
import { type Facts, simulate } from './simulate.ts';

export interface Judged {
  readonly schedule: Schedule;
  readonly facts: Facts;
  /** What was wrong; none when every promise was kept. */
  readonly wrong: readonly string[];
}

/** A few more than a good run has: what follows a fault has waits of its own. */
const waitsMax = 110;

/** A run in which nothing happens: its waits are where faults can. */
export function goodRun(budgets: Budgets = budgetsDefault): Promise<Facts> {
  return simulate({ seed: 1, budgets, injections: [] });
}

/** One fault at every wait of a run, one after the other. */
export async function* atEveryWait(fault: Fault, budgets: Budgets = budgetsDefault): AsyncGenerator<Judged> {
  for (const { side, name, index } of (await goodRun(budgets)).moments) {
    yield await judged({ seed: 1, budgets, injections: [{ at: { side, name, index }, fault }] });
  }
}

/** One fault at every wait of a run, and then another at every wait that follows it. */
export async function* atEveryTwo(
  [first, second]: readonly [Fault, Fault],
  budgets: Budgets = budgetsDefault,
): AsyncGenerator<Judged> {
  for (const { ordinal } of (await goodRun(budgets)).moments) {
    const once: Injection = { at: { ordinal }, fault: first };
    const { moments } = await simulate({ seed: 1, budgets, injections: [once] });
    for (const later of moments.filter(moment => moment.ordinal >= ordinal)) {
      const twice: Injection = { at: { ordinal: later.ordinal }, fault: second };
      yield await judged({ seed: 1, budgets, injections: [once, twice] });
    }
  }
}

/** Random schedules; the n-th is made of the seed and n alone. */
export async function* atRandom(count: number, { seed }: { readonly seed: number }): AsyncGenerator<Judged> {
  for (let number = 0; number < count; number += 1) {
    yield await judged(randomSchedule(seed + number, { waits: waitsMax }));
  }
}

export async function judged(schedule: Schedule): Promise<Judged> {
  const facts = await simulate(schedule);
  return { schedule, facts, wrong: judge(facts) };
}

/** For a message: what happened, and how to see it again. */
export function describeWrong({ schedule, facts, wrong }: Judged): string {
  const faults = schedule.injections
    .map((injection: Injection) => describeInjection(injection))
    .join('; then ');
  return `${wrong.join('; ')}\n    ${faults}\n    maxHold ${schedule.budgets.maxHoldMs} ms, seed ${schedule.seed}, the program ends with ${facts.end?.code ?? facts.end?.result ?? 'SIGKILL'}`;
}
