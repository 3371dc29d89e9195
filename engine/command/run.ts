import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Command, CommandMoment, CommandRecord } from './command.ts';
import { LastLine } from './last-line.ts';

/** Between being asked to end and being killed. */
const graceMs = 5_000;
const pauseMs = 10;
/** Of what a failed command said last. */
const saidMax = 300;

export interface RunCommandOptions {
  readonly moment: CommandMoment;
  /** Added to this process's environment, less its passphrase; what is undefined is taken away. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Where it runs; else where this process does. */
  readonly folder?: string | undefined;
  /** Ends the command, and all that it started; the reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Told the process group as soon as there is one. */
  readonly onStarted?: ((pid: number) => void) | undefined;
}

/**
 * Runs a command of the administrator to its end: `/bin/sh -c`, in a process group of its own, so that a Ctrl-C is for
 * the program to decide about. Reads nothing from stdin. COMMAND_FAILED for another exit than 0, a signal or a time-out:
 * `context.exit` is the exit code, null without one.
 */
export async function runCommand(command: Command, options: RunCommandOptions): Promise<CommandRecord> {
  const { moment, clock, signal } = options;
  signal?.throwIfAborted();
  const startedMs = clock.monotonicMs();
  const child = start(command, options);
  if (child.pid !== undefined) options.onStarted?.(child.pid);
  const [output, complaint] = [new LastLine(), new LastLine()];
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => complaint.push(bytes));
  const ended = endOf(child);
  const ending = new AbortController();
  const timer = new AbortController();
  let isLate = false;
  clock.sleep(command.timeoutMs, timer.signal).then(
    () => {
      isLate = true;
      ending.abort();
    },
    () => undefined, // it ended in time
  );
  let groupEnd: Promise<void> | undefined;
  const end = () => {
    groupEnd = endGroup(child, clock);
  };
  const interrupt = () => ending.abort();
  ending.signal.addEventListener('abort', end, { once: true });
  signal?.addEventListener('abort', interrupt, { once: true });
  try {
    const exit = await ended;
    await groupEnd; // the rest of its group, too: nothing goes on behind a failure
    signal?.throwIfAborted();
    if (isLate)
      throw failed(command, { moment, exit: null, found: `not done after ${command.timeoutMs} ms` });
    if (exit.code !== 0) {
      const said = (complaint.text || output.text).slice(0, saidMax);
      const how = exit.error ?? (exit.code === null ? `ended by ${exit.signal}` : `exit ${exit.code}`);
      throw failed(command, { moment, exit: exit.code, found: said === '' ? how : `${how}: ${said}` });
    }
  } finally {
    timer.abort();
    signal?.removeEventListener('abort', interrupt);
  }
  return {
    moment,
    name: command.name,
    run: command.run,
    durationMs: clock.monotonicMs() - startedMs,
    output: output.text,
  };
}

function start(command: Command, { moment, env, folder }: RunCommandOptions) {
  try {
    return spawn('/bin/sh', ['-c', command.run], {
      detached: true,
      ...(folder === undefined ? {} : { cwd: folder }),
      env: environment(moment, env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw failed(command, { moment, exit: null, found: (error as Error).message }); // such as too long a text
  }
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: string;
}

/**
 * `exit`, and a moment for what is still in the pipes: a command may leave something running in the background that
 * holds them open for good.
 */
function endOf(child: ChildProcess): Promise<End> {
  return new Promise(resolve => {
    child.once('error', error => resolve({ code: null, signal: null, error: error.message }));
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('exit', (code, signal) => {
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ code, signal });
      }, 200).unref();
    });
  });
}

/** SIGTERM to the whole group, then SIGKILL to what is left of it, also when its leader has ended. */
async function endGroup(child: ChildProcess, clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + graceMs;
  let isLeft = signalGroup(child, 'SIGTERM');
  while (isLeft && clock.monotonicMs() < endMs) {
    await clock.sleep(pauseMs);
    isLeft = signalGroup(child, 0);
  }
  signalGroup(child, 'SIGKILL');
}

/** False when nobody is left in the group. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function environment(moment: CommandMoment, more: RunCommandOptions['env']): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, STILLPOINT_MOMENT: moment };
  for (const name of ['STILLPOINT_PASSPHRASE', 'STILLPOINT_NEW_PASSPHRASE']) delete env[name];
  for (const [name, value] of Object.entries(more)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}

function failed(
  { run, name }: Command,
  { moment, exit, found }: { moment: CommandMoment; exit: number | null; found: string },
): StillpointError {
  const title = name === null ? '' : ` ${name}`;
  return engineError('COMMAND_FAILED', `Cannot run the ${moment} command${title} (${run}): ${found}`, {
    remedy: 'Run it by hand as the user of the backup, and see what it says; its time-out is `timeout`.',
    context: { moment, exit },
  });
}
