import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { engineError } from '../errors.ts';

/** A line that stays on this machine: a socket's path, or a name or address of this host. */
export function isLocal(host: string): boolean {
  return (
    host.startsWith('/') ||
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

/** A certificate or key that the database's URL names. CONFIG_INVALID. */
export function readCertificate(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw engineError('CONFIG_INVALID', `Cannot read ${what}: ${(cause as Error).message}`, {
      remedy: 'Check the path in the database URL; the user that runs the backup must be able to read it.',
      cause,
    });
  }
}
