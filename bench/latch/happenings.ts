import type { Misbehaviour } from '../instance/index.ts';
import { type Lane, maxHoldMs } from './lane.ts';
import type { Kept, Place } from './places.ts';

/** How long the application misbehaves, or is away. */
const outageMs = 2_000;
const downMs = 300;
/** Past maxHold, wherever in the run it begins. */
const stopMs = maxHoldMs + 1_500;
/** For what runs at once on a machine with other work: a call or two, and a process that must be scheduled. */
const promptMs = 1_000;
/** The longest pause between two tries, and calls that hang until they are given up: engine/app/bitbucket.ts. */
const pauseMaxMs = 5_000;
const headersMs = 10_000;

export interface Happening {
  readonly name: string;
  /** The sentinel takes part. */
  readonly needsSentinel: boolean;
  readonly at: (place: Place) => boolean;
  /** For how long after it the application may stay locked, ms. */
  readonly boundMs: number;
  /** What the call that is kept there gets. */
  readonly spoil?: Misbehaviour;
  /** Resolves when it has begun; what it returns ends it. */
  readonly begin: (who: {
    readonly lane: Lane;
    readonly kept: Kept;
    readonly sentinel: number | undefined;
  }) => Promise<() => Promise<void>>;
}

const everywhere = () => true;
const nothing = async () => undefined;
const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

function ofProcess(
  what: string,
  happening: Pick<Happening, 'needsSentinel' | 'boundMs' | 'begin'>,
): Happening {
  return { name: what, at: everywhere, ...happening };
}

function outage(name: string, spoil: Misbehaviour, { retryMs }: { readonly retryMs: number }): Happening {
  return {
    name: `${name} for ${outageMs / 1000} s`,
    needsSentinel: false,
    at: everywhere,
    boundMs: maxHoldMs + retryMs + promptMs,
    spoil,
    begin: async ({ lane }) => {
      await lane.standIn.add({ route: 'any', misbehave: spoil });
      return async () => {
        await pause(outageMs);
        await lane.standIn.clear();
      };
    },
  };
}

export const happenings: readonly Happening[] = [
  ofProcess('SIGKILL of the program', {
    needsSentinel: false,
    boundMs: promptMs,
    begin: async ({ kept }) => {
      kept.program.kill('SIGKILL');
      return nothing;
    },
  }),
  ofProcess('SIGSTOP of the program', {
    needsSentinel: false,
    boundMs: maxHoldMs + promptMs,
    begin: async ({ kept }) => {
      kept.program.kill('SIGSTOP');
      return async () => {
        await pause(stopMs);
        kept.program.kill('SIGCONT');
      };
    },
  }),
  ofProcess('SIGKILL of the sentinel', {
    needsSentinel: true,
    boundMs: promptMs,
    begin: async ({ sentinel }) => {
      process.kill(sentinel!, 'SIGKILL');
      return nothing;
    },
  }),
  ofProcess('SIGSTOP of the sentinel', {
    needsSentinel: true,
    boundMs: stopMs + promptMs, // with the only answer that holds the token under way
    begin: async ({ sentinel }) => {
      process.kill(sentinel!, 'SIGSTOP');
      return async () => {
        await pause(stopMs);
        process.kill(sentinel!, 'SIGCONT');
      };
    },
  }),
  outage('no answer', { kind: 'hang' }, { retryMs: 2 * headersMs + pauseMaxMs }),
  outage('an HTML page', { kind: 'html' }, { retryMs: pauseMaxMs }),
  outage('500', { kind: 'status', status: 500 }, { retryMs: pauseMaxMs }),
  outage('503', { kind: 'status', status: 503 }, { retryMs: pauseMaxMs }),
  {
    name: 'restart of the application',
    needsSentinel: false,
    at: everywhere,
    boundMs: maxHoldMs + promptMs,
    begin: async ({ lane }) => {
      await lane.standIn.restart(downMs);
      return nothing;
    },
  },
  {
    name: 'the database connections break',
    needsSentinel: false,
    at: ({ kind }) => kind === 'statement',
    boundMs: promptMs,
    begin: async ({ lane }) => {
      lane.proxy.reset();
      return nothing;
    },
  },
];
