import type { Clock, StillpointError } from '../store/index.ts';
import { databaseOf } from './app/jdbc.ts';
import { type Command, type CommandMoment, type CommandRecord, runCommand } from './command/index.ts';

/** Commands of the administrator around one backup, each list in the order in which it runs. */
export interface Hooks {
  /** After the pre-scan, just before the lock: a failure ends the run while nothing is locked. */
  readonly beforeLock: readonly Command[];
  /** When the application is at rest, before anything is captured: what they leave behind is part of the pair. */
  readonly inWindow: readonly Command[];
  /** Right after the unlock. The pair is safe by then: a failure is a warning. */
  readonly afterUnlock: readonly Command[];
}

/** What every command is told of. */
export interface CommandPlace {
  readonly instance: string;
  /** Null: there is none. */
  readonly home: string | null;
  readonly databaseUrl: string | null;
  /** What `restore --database` said, where it is no URL. */
  readonly databaseName?: string | undefined;
  /** Where they run; else where this process does. */
  readonly folder?: string | undefined;
}

/** Names that a command may be given; those that it is not given are taken away, for this program may run in a hook itself. */
const names = ['ERROR', 'ERROR_CODE', 'MOUNT', 'OUTPUT', 'RECORDS', 'SNAPSHOT'] as const;

export type CommandEnvironment = Readonly<Record<string, string | undefined>>;

/** The environment of a command: where it is, without a password. Empty where there is none. */
export function environmentOf({
  instance,
  home,
  databaseUrl,
  databaseName = '',
}: CommandPlace): CommandEnvironment {
  return {
    ...Object.fromEntries(names.map(name => [`STILLPOINT_${name}`, undefined])),
    STILLPOINT_INSTANCE: instance,
    STILLPOINT_HOME: home ?? '',
    STILLPOINT_DATABASE: databaseUrl === null ? databaseName : (databaseOf(databaseUrl) ?? ''),
  };
}

/** The commands of one run, and what became of them. */
export interface CommandRuns {
  /** Those that ended well, in order. */
  readonly records: readonly CommandRecord[];
  /** Adds one that somebody else ran. */
  note(record: CommandRecord): void;
  /** Runs them in turn; the first failure is thrown. COMMAND_FAILED. */
  inTurn(moment: CommandMoment, commands: readonly Command[], options?: RunOptions): Promise<void>;
  /** Runs each, whatever becomes of the others; the failures. Only the signal's reason is thrown. */
  each(
    moment: CommandMoment,
    commands: readonly Command[],
    options?: RunOptions,
  ): Promise<readonly StillpointError[]>;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly env?: CommandEnvironment | undefined;
  readonly onStarted?: ((pid: number) => void) | undefined;
}

export function commandRuns({
  place,
  clock,
  env: more = {},
}: {
  readonly place: CommandPlace;
  readonly clock: Clock;
  /** What all of them are told besides. */
  readonly env?: CommandEnvironment;
}): CommandRuns {
  const records: CommandRecord[] = [];
  const env = { ...environmentOf(place), ...more };
  const { folder } = place;
  const run = async (command: Command, moment: CommandMoment, options: RunOptions) => {
    records.push(
      await runCommand(command, { ...options, moment, clock, folder, env: { ...env, ...options.env } }),
    );
  };
  return {
    records,
    note: record => void records.push(record),
    async inTurn(moment, commands, options = {}) {
      for (const command of commands) await run(command, moment, options);
    },
    async each(moment, commands, options = {}) {
      const failures: StillpointError[] = [];
      for (const command of commands) {
        try {
          await run(command, moment, options);
        } catch (error) {
          if (options.signal?.aborted) throw error;
          failures.push(error as StillpointError); // runCommand throws nothing else
        }
      }
      return failures;
    },
  };
}

const errorTextMax = 2_000;

/**
 * Runs the commands for a run that failed, whatever becomes of each. What it was that failed is in their environment.
 * What interrupted the run does not end them, only their time-outs and `signal`, whose reason is thrown. Their own failures
 * are returned.
 */
export function runFailureHooks(
  commands: readonly Command[],
  options: {
    readonly place: CommandPlace;
    readonly error: StillpointError;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<readonly StillpointError[]> {
  const { place, error, clock, signal } = options;
  const env = {
    STILLPOINT_ERROR_CODE: error.code,
    STILLPOINT_ERROR: error.message.slice(0, errorTextMax),
  };
  return commandRuns({ place, env, clock }).each('on-failure', commands, { signal });
}
