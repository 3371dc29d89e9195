import { CommanderError } from 'commander';
import { engineError } from '../engine/index.ts';
import { StillpointError } from '../store/index.ts';
import { exitCodeFor } from './exit-codes.ts';
import type { OpenedContext } from './open-context.ts';
import { commandNamed } from './program/index.ts';
import { createOutput } from './render/output.ts';
import type { RunOptions } from './run-options.ts';

/** Says what failed and what to do, and gives the exit code. */
export function report(
  thrown: unknown,
  { opened, options }: { opened: OpenedContext | undefined; options: RunOptions },
): number {
  const error =
    thrown instanceof CommanderError
      ? explainUsage(thrown, options.argv)
      : explain(thrown, opened?.context.signal);
  const output =
    opened?.context.output ??
    createOutput({
      json: options.argv.includes('--json'),
      quiet: false,
      verbose: false,
      stdout: options.stdout,
      stderr: options.stderr,
      beforeMessage: () => {},
    });
  output.error(error);
  if (output.verbose && thrown instanceof Error) options.stderr.write(`${thrown.stack}\n`);
  return exitCodeFor(error.code);
}

/**
 * The failure that a person should read: not what cleaning up added to it, and an interruption rather than its echoes.
 * An application that stays locked beats every other message.
 */
export function explain(thrown: unknown, signal: AbortSignal | undefined): StillpointError {
  let error = thrown;
  while (isSuppressed(error)) error = isStillLocked(error.error) ? error.error : error.suppressed;
  if (isStillLocked(error)) return error;
  if (signal?.aborted && signal.reason instanceof StillpointError) return signal.reason;
  if (error instanceof StillpointError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StillpointError('INTERNAL', `Cannot go on: ${message}`, {
    remedy: 'Run again with -v and report what it prints.',
    cause: error,
  });
}

function explainUsage({ message }: CommanderError, argv: readonly string[]): StillpointError {
  const command = argv.find(word => commandNamed(word));
  const [problem = '', suggestion] = message.replace(/^error: /, '').split('\n');
  return engineError('USAGE', `Cannot understand the command line: ${problem}`, {
    remedy:
      suggestion?.replace(/^\((.*)\)$/, '$1') ?? `See \`stillpoint ${command ? `${command} ` : ''}--help\`.`,
  });
}

function isStillLocked(error: unknown): error is StillpointError {
  return error instanceof StillpointError && error.code === 'APP_STILL_LOCKED';
}

/** Thrown by `await using` when both the body and the disposal fail: `suppressed` is the body's. */
function isSuppressed(error: unknown): error is { error: unknown; suppressed: unknown } {
  return error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error;
}
