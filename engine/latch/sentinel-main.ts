import { systemClock } from '../../store/index.ts';
import { standGuard } from './guard.ts';

// Started by sentinel.ts, detached, with two pipes and nothing else. Whatever happens here, going on is better than
// ending: signals that are meant for the program reach the whole control group, and the program speaks for itself. SIGUSR1 would
// open Node's debugger, which shows the token that is here.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) {
  process.on(signal, () => undefined);
}
process.on('uncaughtException', () => undefined);

await standGuard({ input: process.stdin, output: process.stdout, clock: systemClock });
process.stdin.destroy();
