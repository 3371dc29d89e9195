import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { engineError } from '../../engine/index.ts';
import type { Context } from '../context.ts';

/** A command that waits for somebody to type would wait for ever at night. */
/** A key file of a host with a hundred epochs has less. */
const secretBytesMax = 256 * 1024;
const commandTimeoutMs = 60_000;

/**
 * The store's passphrase, from the environment first, then from the configuration, then from whoever sits at the terminal:
 * twice where it is to be a new store's. Read again on every run.
 */
export async function readPassphrase(
  context: Context,
  { isNew = false }: { readonly isNew?: boolean } = {},
): Promise<string> {
  const { env } = context;
  if (env['STILLPOINT_PASSPHRASE']) return env['STILLPOINT_PASSPHRASE'];
  if (env['STILLPOINT_PASSPHRASE_FILE'])
    return readSecretFile(env['STILLPOINT_PASSPHRASE_FILE'], 'the passphrase');
  if (env['STILLPOINT_PASSPHRASE_COMMAND']) return runSecretCommand(env['STILLPOINT_PASSPHRASE_COMMAND']);
  const config = context.config()?.values;
  if (config?.passphraseFile) return readSecretFile(config.passphraseFile, 'the passphrase');
  if (config?.passphraseCommand) return runSecretCommand(config.passphraseCommand);
  const typed = isNew
    ? await askTwice(context, 'Passphrase of the new store')
    : await askOnce(context, 'Passphrase of the store');
  if (typed !== undefined) return typed;
  throw engineError('USAGE', 'Cannot open the store: no passphrase was given', {
    remedy:
      'Set passphraseFile in the configuration, or STILLPOINT_PASSPHRASE, STILLPOINT_PASSPHRASE_FILE or STILLPOINT_PASSPHRASE_COMMAND.',
  });
}

/** The key file of a write-only host, where one is named. A passphrase in the environment takes its place, and says so. */
export function readKeyFile(
  context: Context,
): { readonly keyFile: Uint8Array; readonly file: string } | undefined {
  const { env, cwd } = context;
  const named = ['STILLPOINT_PASSPHRASE', 'STILLPOINT_PASSPHRASE_FILE', 'STILLPOINT_PASSPHRASE_COMMAND'];
  const passphrase = named.find(name => env[name]);
  const fromEnv = env['STILLPOINT_KEY_FILE'];
  if (passphrase !== undefined) {
    const unused = fromEnv ? 'STILLPOINT_KEY_FILE' : keyFileOf(context);
    if (unused !== undefined)
      context.output.warning(
        `${passphrase} is set, and opens the store in place of ${unused}; leave it out where the host is to write only`,
      );
    return undefined;
  }
  const read = (path: string) => ({ keyFile: readWhole(path, 'the key of this host'), file: path });
  if (fromEnv) return read(resolve(cwd, fromEnv));
  const config = context.config();
  const file = config?.values.keyFile;
  if (file !== undefined && (config?.values.passphraseFile || config?.values.passphraseCommand))
    throw engineError(
      'CONFIG_INVALID',
      `Cannot open the store: ${config.file} names a keyFile and a passphrase`,
      {
        remedy: 'On a host that may write only, leave the passphrase out; elsewhere, the keyFile.',
      },
    );
  return file === undefined ? undefined : read(file);
}

function keyFileOf(context: Context): string | undefined {
  const config = context.config();
  return config?.values.keyFile && `keyFile in ${config.file}`;
}

/** The bytes of a file that only its owner should read. */
export function readWhole(file: string, what: string): Uint8Array {
  try {
    return readAtMost(file, secretBytesMax);
  } catch (cause) {
    throw unreadable(file, what, cause);
  }
}

/** A pipe will do, as of `<(command)`; a device that never ends will not. */
function readAtMost(file: string, bytesMax: number): Uint8Array {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    if (length > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** Where a new passphrase comes from, if the command line says so. */
export interface NewPassphraseOptions {
  readonly newPassphraseFile?: string;
  readonly newPassphraseCommand?: string;
}

/** Whether a new passphrase was named anywhere but at the terminal. */
export function hasNewPassphrase({ env }: Context, options: NewPassphraseOptions): boolean {
  return Boolean(
    options.newPassphraseFile !== undefined ||
      options.newPassphraseCommand !== undefined ||
      env['STILLPOINT_NEW_PASSPHRASE'] ||
      env['STILLPOINT_NEW_PASSPHRASE_FILE'] ||
      env['STILLPOINT_NEW_PASSPHRASE_COMMAND'],
  );
}

/** Another passphrase for the store: from the options, the environment, or twice from the terminal. USAGE. */
export async function readNewPassphrase(context: Context, options: NewPassphraseOptions): Promise<string> {
  const { env, cwd } = context;
  const { newPassphraseFile: file, newPassphraseCommand: command } = options;
  if (file !== undefined && command !== undefined)
    throw engineError('USAGE', 'Cannot tell which new passphrase is meant: a file and a command were given', {
      remedy: 'Give one of --new-passphrase-file and --new-passphrase-command.',
    });
  if (file !== undefined) return readSecretFile(resolve(cwd, file), 'the new passphrase');
  if (command !== undefined) return runSecretCommand(command);
  if (env['STILLPOINT_NEW_PASSPHRASE']) return env['STILLPOINT_NEW_PASSPHRASE'];
  if (env['STILLPOINT_NEW_PASSPHRASE_FILE'])
    return readSecretFile(env['STILLPOINT_NEW_PASSPHRASE_FILE'], 'the new passphrase');
  if (env['STILLPOINT_NEW_PASSPHRASE_COMMAND'])
    return runSecretCommand(env['STILLPOINT_NEW_PASSPHRASE_COMMAND']);
  const typed = await askTwice(context, 'New passphrase');
  if (typed !== undefined) return typed;
  throw engineError(
    'USAGE',
    'Cannot change the keys: no new passphrase was given, and there is no terminal',
    {
      remedy:
        'Give --new-passphrase-file or --new-passphrase-command, or set STILLPOINT_NEW_PASSPHRASE, STILLPOINT_NEW_PASSPHRASE_FILE or STILLPOINT_NEW_PASSPHRASE_COMMAND.',
    },
  );
}

async function askOnce({ terminal, signal }: Context, question: string): Promise<string | undefined> {
  const typed = await terminal?.askSecret(`${question}: `, { signal });
  if (typed !== '') return typed;
  throw engineError('USAGE', 'Cannot use the passphrase: it is empty', { remedy: 'Type one.' });
}

async function askTwice(context: Context, question: string): Promise<string | undefined> {
  const typed = await askOnce(context, question);
  if (typed === undefined) return undefined;
  if ((await askOnce(context, `${question}, again`)) === typed) return typed;
  throw engineError('USAGE', 'Cannot use the passphrase: it was typed differently the second time', {
    remedy: 'Run the command again; nothing was changed.',
  });
}

/** The first line of a file. */
export function readSecretFile(file: string, what: string): string {
  let text: string;
  try {
    text = Buffer.from(readAtMost(file, secretBytesMax)).toString('utf8');
  } catch (cause) {
    throw unreadable(file, what, cause);
  }
  return firstLine(text, `${what} in ${file}`);
}

function unreadable(file: string, what: string, cause: unknown): Error {
  return engineError('CONFIG_INVALID', `Cannot read ${what} from ${file}: ${(cause as Error).message}`, {
    remedy: 'Make the file readable for the user that runs the backup (mode 0600).',
    cause,
  });
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
      remedy: /^(mysql|mariadb):/.test(url)
        ? 'Leave the password out and set MYSQL_PWD.'
        : 'Leave the password out and set PGPASSWORD or PGPASSFILE.',
    });
  }
}
