import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { run } from '../../cli/run.ts';
import type { Phase } from '../../engine/index.ts';

// The program, interrupted at the start of a phase. At $STOP_AT it says so and waits there until it is told to go on,
// by a line on its stdin, or to end, by SIGTERM. At $RAISE_AT, as in `SIGINT commit`, it sends itself a signal and goes
// on. With $TELL_PHASES it says each phase and goes on.
const { STOP_AT, RAISE_AT, TELL_PHASES } = process.env;
const [signal, raiseAt] = (RAISE_AT ?? '').split(' ');

async function onPhase(phase: Phase): Promise<void> {
  if (TELL_PHASES) writeSync(1, `phase ${phase}\n`);
  if (phase === raiseAt) {
    const delivered = once(process, signal as NodeJS.Signals);
    process.kill(process.pid, signal);
    await delivered;
  }
  if (phase !== STOP_AT) return;
  writeSync(1, `stopped at ${phase}\n`);
  await Promise.race([once(process.stdin, 'data'), once(process, 'SIGTERM')]);
  process.stdin.destroy();
}

const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  backupSeams: { onPhase },
});
process.stdout.write('', () => process.exit(code));
