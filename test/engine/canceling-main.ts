import { noApplication } from '../../engine/app/index.ts';
import { cancelRun } from '../../engine/cancel.ts';
import { systemClock } from '../../store/index.ts';

// Cancels a run as another user: says the code of the error on stdout.
const [stateDir = '', instance = '', uid = ''] = process.argv.slice(2);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));
try {
  await cancelRun({
    ...{ stateDir, instance, clock: systemClock, grace: { lockedMs: 300, unlockedMs: 300 } },
    signal: new AbortController().signal,
    openApp: noApplication,
    findSnapshot: async () => null,
  });
  process.stdout.write('canceled');
} catch (error) {
  const { code, remedy } = error as { code?: string; remedy?: string };
  process.stdout.write(`${code} ${remedy}`);
}
