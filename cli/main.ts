#!/usr/bin/env node
import { endProcess } from '../engine/index.ts';
import { exitCodes } from './exit-codes.ts';
import { run } from './run.ts';

// Node opens its debugger on this signal, and that shows a stranger's program all memory: keys and passphrase, too.
process.on('SIGUSR1', () => undefined);

// Whoever reads the output may go away: that ends no backup. Output that could not be written is a failure.
let lost: NodeJS.ErrnoException | undefined;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') lost ??= error;
  });
}
const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: workingFolder(),
  stdout: process.stdout,
  stderr: process.stderr,
});

function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    process.stderr.write(
      'stillpoint: Cannot run here: the working directory was deleted\n  Change into one that is there, and run it again.\n',
    );
    process.exit(exitCodes.failed);
  }
}

// A pipe may still hold output, and what could not be written is told a turn later; an idle connection must not keep the
// program alive.
process.stdout.write('', () => setImmediate(end));

function end(): void {
  if (!lost || code !== 0) {
    exit(code);
    return;
  }
  const what = `stillpoint: Cannot write the output: ${lost.message}`;
  const remedy =
    '  The command itself had ended well (0): look at what it did, then at the medium that its output goes to.';
  process.stderr.write(`${what}\n${remedy}\n`, () => exit(1));
}

function exit(status: number): void {
  process.on('exit', () => endProcess(status));
  process.exit(status);
}
