import { join } from 'node:path';
import type { Clock } from '../../store/index.ts';
import { type StartSentinel, startSentinel } from '../latch/sentinel.ts';
import { ownIdentity } from '../process-identity.ts';
import type { Check } from './check.ts';
import { failed, good } from './finding.ts';

/** Nobody listens there, and nothing is ever asked of it: a sentinel is armed and let go. */
const nowhere = 'http://127.0.0.1:9';

/** The process that unlocks when the program dies can be started. Starts one and ends it; nothing is locked. */
export function checkSentinel(options: {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly start?: StartSentinel;
}): Check {
  const name = 'sentinel';
  const { clock, stateDir, start = startSentinel } = options;
  return {
    name,
    async run() {
      const location = nowhere;
      const record = {
        ...{ version: 1 as const, run: 'doctor', instance: 'doctor', host: '', token: null },
        application: { type: 'bitbucket' as const, location, user: '' },
        program: await ownIdentity(),
        lockRequestedAt: '',
      };
      try {
        const sentinel = await start(
          {
            ...{ type: 'arm', access: { type: 'bitbucket', url: location, user: '', password: '' }, record },
            file: join(stateDir, 'latches', 'doctor-none.json'), // never written
            ...{ maxHoldMs: 1_000, lockPatienceMs: 1_000, unlockPatienceMs: 1_000 },
          },
          { clock },
        );
        await sentinel.release();
        return [good(name, 'the process that unlocks when this program dies can be started')];
      } catch (error) {
        return [failed(name, error)];
      }
    },
  };
}
