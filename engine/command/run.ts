import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock, StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Command, CommandMoment, CommandRecord } from './command.ts';
import { LastLine } from './last-line.ts';
import { type End, endGroup, endOf } from './process.ts';

/** Between being asked to end and being killed. */
const graceMs = 5_000;
/** The same where the application is held meanwhile. It is part of the time-out: past that, nothing is held for it. */
const heldGraceMs = 1_000;
const heldMoments: ReadonlySet<CommandMoment> = new Set(['in-window', 'freeze-take', 'pin']);
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
  /** Whether the application is held while it runs; else the moment tells. */
  readonly isHeld?: boolean | undefined;
  /** Takes all that it prints on stdout, to the last byte, as fast as it can; the record then has what it printed on descriptor 3. */
  readonly onOutput?: ((bytes: Uint8Array) => Promise<void>) | undefined;
  /** What it reads on stdin, all of it; else nothing. */
  readonly input?: AsyncIterable<Uint8Array> | undefined;
}

/**
 * Runs a command of the administrator to its end: `/bin/sh -c`, in a process group of its own, so that a Ctrl-C is for
 * the program to decide about. COMMAND_FAILED for another exit than 0, a signal or a time-out, and where it did not read
 * all of its input: `context.exit` is the exit code, null without one. What `onOutput` and `input` throw passes through.
 */
export async function runCommand(command: Command, options: RunCommandOptions): Promise<CommandRecord> {
  const { moment, clock, signal, isHeld = heldMoments.has(moment) } = options;
  signal?.throwIfAborted();
  const startedMs = clock.monotonicMs();
  const child = start(command, options);
  if (child.pid !== undefined) options.onStarted?.(child.pid);
  const [output, complaint] = [new LastLine(), new LastLine()];
  const [stdin, stdout, stderr, beside] = child.stdio as unknown as Pipes;
  (options.onOutput ? beside! : stdout).on('data', (bytes: Buffer) => output.push(bytes));
  stderr.on('data', (bytes: Buffer) => complaint.push(bytes));
  const ended = endOf(child, { isEveryByteWanted: options.onOutput !== undefined });
  const grace = isHeld ? Math.min(heldGraceMs, command.timeoutMs / 10) : graceMs;
  let groupEnd: Promise<void> | undefined;
  const end = () => {
    groupEnd ??= endGroup(child, { graceMs: grace, clock });
  };
  const flow = flowOf({ stdin, stdout }, { ...options, onFailure: end });
  const timer = new AbortController();
  let isLate = false;
  clock.sleep(command.timeoutMs - (isHeld ? grace : 0), timer.signal).then(
    () => {
      isLate = true;
      end();
    },
    () => undefined, // it ended in time
  );
  signal?.addEventListener('abort', end, { once: true });
  try {
    const exit = await ended;
    const flowed = await flow;
    await groupEnd; // the rest of its group, too: nothing goes on behind a failure
    signal?.throwIfAborted();
    const said = (complaint.text || output.text).slice(0, saidMax);
    throwIfFailed(command, { moment, exit, isLate, said, flowed });
  } finally {
    timer.abort();
    signal?.removeEventListener('abort', end);
  }
  return {
    moment,
    name: command.name,
    run: command.run,
    durationMs: clock.monotonicMs() - startedMs,
    output: output.text,
  };
}

type Pipes = readonly [
  stdin: Writable | null,
  stdout: Readable,
  stderr: Readable,
  beside: Readable | undefined,
];

/** What became of what it was to read and to print. */
interface Flowed {
  /** It closed its stdin before it had read everything. */
  readonly isUnread: boolean;
  /** Of whoever takes its output, or gives its input. */
  readonly error?: unknown;
}

async function flowOf(
  { stdin, stdout }: { readonly stdin: Writable | null; readonly stdout: Readable },
  { onOutput, input, onFailure }: RunCommandOptions & { readonly onFailure: () => void },
): Promise<Flowed> {
  const feeding = input ? feed(stdin!, input) : Promise.resolve(false);
  const taking = onOutput ? take(stdout, onOutput) : Promise.resolve();
  const guarded = Promise.all([feeding, taking]).catch((error: unknown) => {
    onFailure();
    throw error;
  });
  try {
    const [isUnread] = await guarded;
    return { isUnread };
  } catch (error) {
    return { isUnread: false, error };
  }
}

/** Slow takers are waited for: what the command prints then stays in the pipe. */
async function take(stdout: Readable, onOutput: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  try {
    for await (const bytes of stdout) await onOutput(bytes as Uint8Array);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error; // it was ended
  }
}

/** True where the reader closed before the end. What was written stands in the pipe: a copy is made of each part. */
async function feed(stdin: Writable, input: AsyncIterable<Uint8Array>): Promise<boolean> {
  let isClosed = false;
  let wake = () => {};
  stdin.on('error', () => {
    isClosed = true;
    wake();
  });
  stdin.on('close', () => wake());
  stdin.on('drain', () => wake());
  for await (const bytes of input) {
    if (isClosed || stdin.destroyed) return true;
    if (stdin.write(Buffer.from(bytes))) continue;
    await new Promise<void>(resolve => {
      wake = resolve;
      if (isClosed || stdin.destroyed || !stdin.writableNeedDrain) resolve();
    });
  }
  if (isClosed || stdin.destroyed) return true;
  await new Promise<void>(resolve => {
    wake = resolve;
    stdin.end(() => resolve());
  });
  return isClosed;
}

function throwIfFailed(
  command: Command,
  {
    moment,
    exit,
    isLate,
    said,
    flowed,
  }: { moment: CommandMoment; exit: End; isLate: boolean; said: string; flowed: Flowed },
): void {
  if (flowed.error !== undefined) throw flowed.error;
  if (isLate) throw failed(command, { moment, exit: null, found: `not done after ${command.timeoutMs} ms` });
  if (exit.code !== 0) {
    const how = exit.error ?? (exit.code === null ? `ended by ${exit.signal}` : `exit ${exit.code}`);
    throw failed(command, { moment, exit: exit.code, found: said === '' ? how : `${how}: ${said}` });
  }
  if (flowed.isUnread)
    throw failed(command, { moment, exit: 0, found: 'it ended well before it had read all of its input' });
}

function start(command: Command, { moment, env, folder, input, onOutput }: RunCommandOptions) {
  try {
    return spawn('/bin/sh', ['-c', command.run], {
      detached: true,
      ...(folder === undefined ? {} : { cwd: folder }),
      env: environment(moment, env),
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(onOutput ? ['pipe' as const] : [])],
    });
  } catch (error) {
    throw failed(command, { moment, exit: null, found: (error as Error).message }); // such as too long a text
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
