import { type Seams, StillpointError } from '../../store/index.ts';
import {
  type Command,
  type CommandMoment,
  type CommandRecord,
  checkCommand,
  endLeftovers,
  runCommand,
} from '../command/index.ts';
import { engineError } from '../errors.ts';
import type { CallOptions, CommandAccess, CommandApplication, LockIntent } from './app.ts';

/** EX_TEMPFAIL of sysexits.h: what a lock command ends with when somebody else holds the lock. */
const occupiedExit = 75;
/** What a command may take to end when it is told to. */
const graceMs = 5_000;
const tokenBytes = 16;
const tokenVariable = 'STILLPOINT_UNLOCK_TOKEN';

/**
 * An application that commands of the administrator lock and unlock. The token is chosen here, before the lock, so that
 * whatever becomes of the lock command somebody can unlock; a lock command that prints a line replaces it.
 */
export function commandApplication(access: CommandAccess, { clock, randomness }: Seams): CommandApplication {
  const { instance, home, folder } = access;
  const variables = (token: string) => ({
    [tokenVariable]: token,
    STILLPOINT_INSTANCE: instance,
    STILLPOINT_HOME: home ?? undefined,
  });
  const run = (
    command: Command,
    { moment, token, signal }: { moment: CommandMoment; token: string; signal?: AbortSignal | undefined },
  ): Promise<CommandRecord> =>
    runCommand(command, { moment, clock, folder, signal, env: { ...access.env, ...variables(token) } });
  const runIfAny = async (
    command: Command | null,
    call: { moment: CommandMoment; token: string; options: CallOptions },
  ): Promise<void> => {
    const { signal, onCommand } = call.options;
    if (!command) return;
    const record = await run(command, { ...call, signal });
    onCommand?.(record);
  };

  return {
    type: 'command',
    fence: 'command',
    location: instance,
    access,
    lockMsMax: access.lock.timeoutMs + 2 * graceMs,
    describe: async () => ({ type: 'command', version: '', displayName: instance, identity: '' }),
    async checkAccess({ signal } = {}) {
      const { lock, wait, check, unlock, env } = access;
      for (const [key, command] of Object.entries({ lock, wait, check, unlock }))
        if (command) await checkCommand(command, { key: `app.${key}`, folder, env, signal });
    },
    newToken: async () => Buffer.from(randomness.bytes(tokenBytes)).toString('hex'),
    async lock(intent) {
      const token = tokenOf(intent);
      const timeoutMs = Math.min(access.lock.timeoutMs, intent?.timeoutMs ?? access.lock.timeoutMs);
      try {
        const record = await run({ ...access.lock, timeoutMs }, { moment: 'lock', token });
        return { outcome: 'locked', token: record.output || token, commands: [record] };
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        if (error.context['exit'] === occupiedExit) {
          return { outcome: 'refused', occupied: true, error: occupied(instance, error) };
        }
        return { outcome: 'unknown', error };
      }
    },
    endLock: token =>
      endLeftovers({ moments: ['lock', 'wait'], variable: tokenVariable, value: token, graceMs, clock }),
    wait: (token, options = {}) => runIfAny(access.wait, { moment: 'wait', token, options }),
    check: (token, options = {}) => runIfAny(access.check, { moment: 'check', token, options }),
    async unlock(token, { onCommand } = {}) {
      const record = await run(access.unlock, { moment: 'unlock', token });
      onCommand?.(record);
      return 'unlocked';
    },
    isServing: async () => true, // nothing says otherwise: the token of every lock made here is on the disk
    manual: {
      unlock: token => {
        const set = Object.entries({ ...variables(token), STILLPOINT_MOMENT: 'unlock' })
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => `${name}=${quoted(value ?? '')}`);
        return `cd ${quoted(folder)} && ${set.join(' ')} /bin/sh -c ${quoted(access.unlock.run)}`;
      },
    },
    close: async () => undefined,
  };
}

function tokenOf(intent: LockIntent | undefined): string {
  if (intent?.token) return intent.token;
  throw new TypeError('Cannot lock by a command: no token was chosen');
}

function occupied(instance: string, cause: StillpointError): StillpointError {
  return engineError(
    'APP_LOCKED',
    `Cannot lock ${instance}: somebody else holds its lock (${cause.message})`,
    {
      remedy:
        'Wait until its maintenance ends, or use --wait; if a run of this program left the lock, run `stillpoint unlock`.',
      cause,
    },
  );
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
