import { rollDice } from '../../instance/random.ts';
import { type Outage, spoilers } from './application.ts';
import type { Moment, SideName } from './side.ts';

export type Fault =
  /** Of a kill, `ms` is how long the disk answers nobody from then on. */
  | { readonly kind: 'kill' | 'stop'; readonly who: SideName | 'both'; readonly ms: number }
  /** Somebody ends the backup task from the application's page. */
  | { readonly kind: 'cancel'; readonly ms: number }
  | { readonly kind: 'outage'; readonly how: Outage['how']; readonly reaches: boolean; readonly ms: number }
  | { readonly kind: 'restart'; readonly ms: number };

/** A fault, and the wait at which it happens: a named one, or the n-th of the run, whichever that is. */
export interface Injection {
  readonly at: Pick<Moment, 'side' | 'name' | 'index'> | { readonly ordinal: number };
  readonly fault: Fault;
}

/** What a run is given; ms. */
export interface Budgets {
  readonly maxHoldMs: number;
  readonly drainTimeoutMs: number;
}

export interface Schedule {
  /** For the tokens alone: all else is told. */
  readonly seed: number;
  readonly budgets: Budgets;
  readonly injections: readonly Injection[];
}

export const budgetsDefault: Budgets = { maxHoldMs: 300_000, drainTimeoutMs: 60_000 };

export function isAt({ at }: Injection, moment: Moment): boolean {
  if ('ordinal' in at) return at.ordinal === moment.ordinal;
  return at.side === moment.side && at.name === moment.name && at.index === moment.index;
}

/** Of every kind one, each ended long before the patience of either side is. */
export function everyFault({ maxHoldMs }: Budgets): Fault[] {
  const sides = ['program', 'sentinel'] as const;
  return [
    ...[...sides, 'both' as const].map(who => ({ kind: 'kill', who, ms: 0 }) as const),
    { kind: 'kill', who: 'program', ms: 5_000 },
    ...sides.map(who => ({ kind: 'stop', who, ms: maxHoldMs * 1.5 }) as const),
    ...spoilers.map(how => ({ kind: 'outage', how, reaches: false, ms: 5_000 }) as const),
    ...(['hang', '500'] as const).map(how => ({ kind: 'outage', how, reaches: true, ms: 5_000 }) as const),
    { kind: 'cancel', ms: 0 },
    { kind: 'restart', ms: 0 },
    { kind: 'restart', ms: 3_000 },
  ];
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `SIGKILL of ${nameOf(fault.who)}${fault.ms > 0 ? `, the disk hangs for ${fault.ms} ms` : ''}`;
    case 'stop':
      return `SIGSTOP of ${nameOf(fault.who)} for ${fault.ms} ms`;
    case 'cancel':
      return 'cancel from the page';
    case 'outage':
      return `${fault.how}${fault.reaches ? ', calls take effect' : ''} for ${fault.ms} ms`;
    case 'restart':
      return `restart, down for ${fault.ms} ms`;
    default:
      return fault satisfies never;
  }
}

function nameOf(who: SideName | 'both'): string {
  return who === 'both' ? who : `the ${who}`;
}

export function describeInjection({ at, fault }: Injection): string {
  const where = 'ordinal' in at ? `wait ${at.ordinal}` : `${at.side}: ${at.name} (${at.index + 1})`;
  return `${where} × ${describeFault(fault)}`;
}

/** A schedule of up to three faults, the same for the same number. */
export function randomSchedule(seed: number, { waits }: { readonly waits: number }): Schedule {
  const dice = rollDice(seed);
  const who = () => dice.pick(['program', 'sentinel'] as const);
  // From a moment to some minutes, each length as likely as its double.
  const span = () => 2 ** dice.below(19);
  const fault = (): Fault => {
    const kind = dice.pick(['kill', 'stop', 'outage', 'outage', 'restart', 'cancel'] as const);
    switch (kind) {
      case 'kill':
        return { kind, who: who(), ms: dice.chance(0.7) ? 0 : span() };
      case 'stop':
        return { kind, who: who(), ms: span() };
      case 'outage':
        return { kind, how: dice.pick(spoilers), reaches: dice.chance(0.3), ms: span() };
      case 'cancel':
        return { kind, ms: 0 };
      case 'restart':
        return { kind, ms: dice.chance(0.3) ? 0 : span() };
      default:
        return kind satisfies never;
    }
  };
  const maxHoldMs = dice.pick([2_000, 10_000, 60_000, 300_000]);
  const count = 1 + dice.below(3);
  return {
    seed,
    budgets: { maxHoldMs, drainTimeoutMs: Math.min(60_000, maxHoldMs) },
    // Beyond a good run's waits too: what follows a fault has waits of its own.
    injections: Array.from({ length: count }, () => ({ at: { ordinal: dice.below(waits) }, fault: fault() })),
  };
}
