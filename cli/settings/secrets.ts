import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { engineError } from '../../engine/index.ts';
import type { Context } from '../context.ts';

/** A command that waits for somebody to type would wait for ever at night. */
const commandTimeoutMs = 60_000;

/** The store's passphrase, from the environment first, then from the configuration. Read again on every run. */
export function readPassphrase(context: Context): string {
  const { env } = context;
  if (env['STILLPOINT_PASSPHRASE']) return env['STILLPOINT_PASSPHRASE'];
  if (env['STILLPOINT_PASSPHRASE_FILE'])
    return readSecretFile(env['STILLPOINT_PASSPHRASE_FILE'], 'the passphrase');
  if (env['STILLPOINT_PASSPHRASE_COMMAND']) return runSecretCommand(env['STILLPOINT_PASSPHRASE_COMMAND']);
  const config = context.config()?.values;
  if (config?.passphraseFile) return readSecretFile(config.passphraseFile, 'the passphrase');
  if (config?.passphraseCommand) return runSecretCommand(config.passphraseCommand);
  throw engineError('USAGE', 'Cannot open the store: no passphrase was given', {
    remedy:
      'Set passphraseFile in the configuration, or STILLPOINT_PASSPHRASE, STILLPOINT_PASSPHRASE_FILE or STILLPOINT_PASSPHRASE_COMMAND.',
  });
}

/** The first line of a file. */
export function readSecretFile(file: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw engineError('CONFIG_INVALID', `Cannot read ${what} from ${file}: ${(cause as Error).message}`, {
      remedy: 'Make the file readable for the user that runs the backup (mode 0600).',
      cause,
    });
  }
  return firstLine(text, `${what} in ${file}`);
}

function runSecretCommand(command: string): string {
  let text: string;
  try {
    text = execFileSync('/bin/sh', ['-c', command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: commandTimeoutMs,
    });
  } catch (cause) {
    const isLate = (cause as NodeJS.ErrnoException).code === 'ETIMEDOUT';
    const how = isLate ? `was not done after ${commandTimeoutMs / 1000} s` : 'failed';
    throw engineError('CONFIG_INVALID', `Cannot get the passphrase: the passphrase command ${how}`, {
      remedy: 'Run the command by hand and see what it says; it must not ask anybody.',
      cause,
    });
  }
  return firstLine(text, 'the passphrase that the command printed');
}

function firstLine(text: string, what: string): string {
  const line = text.split(/\r?\n/, 1)[0] ?? '';
  if (line !== '') return line;
  throw engineError('CONFIG_INVALID', `Cannot use ${what}: the first line is empty`, {
    remedy: 'Write the secret as the first line.',
  });
}

/** Refuses a URL that carries a password on the command line, where every user of the machine can read it. */
export function refusePasswordInArgument(url: string, option: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const hasPassword = parsed
    ? parsed.password !== '' || parsed.searchParams.has('password')
    : /password|:[^/@]*@/i.test(url);
  if (hasPassword) {
    throw engineError('USAGE', `Cannot take ${option}: the URL holds a password`, {
      remedy: 'Leave the password out and set PGPASSWORD or PGPASSFILE.',
    });
  }
}
