import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { engineError } from '../../../errors.ts';
import { isLocal, readCertificate } from '../../line.ts';
import type { ConnInfo, SslMode } from './conninfo.ts';

/** One way to try: plain, or by TLS. */
export type Way = false | ConnectionOptions;

/**
 * Libpq's modes. Without one, what leaves this machine is encrypted where the server can; what does not, only where the
 * server wants it.
 */
export function sslModeFor(info: Pick<ConnInfo, 'sslmode'>, host: string): SslMode {
  if (host.startsWith('/')) return 'disable'; // a socket: as libpq has it, whatever was said
  return info.sslmode ?? (isLocal(host) ? 'allow' : 'prefer');
}

/** The ways to try, in order. CONFIG_INVALID for a certificate that cannot be read. */
export function waysTo(info: ConnInfo, host: string): readonly Way[] {
  const mode = sslModeFor(info, host);
  if (mode === 'disable') return [false];
  if (mode === 'allow') return [false, tlsOf(info, mode)];
  return mode === 'prefer' ? [tlsOf(info, mode), false] : [tlsOf(info, mode)];
}

function tlsOf(info: ConnInfo, mode: SslMode): ConnectionOptions {
  const roots = rootsOf(info, mode);
  const certificate = info.sslcert ?? own('postgresql.crt');
  const key = info.sslkey ?? own('postgresql.key');
  return {
    ...(certificate === undefined ? {} : { cert: readCertificate(certificate, 'sslcert') }),
    ...(certificate === undefined || key === undefined ? {} : { key: readCertificate(key, 'sslkey') }),
    ...(roots === undefined ? {} : { ca: roots }),
    rejectUnauthorized: mode.startsWith('verify') || (mode === 'require' && roots !== undefined),
    // Undefined would stand in the place of the check by name.
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

/** Whom to trust. With a file, `require` is as strict as verify-ca, as libpq has it. */
function rootsOf({ sslrootcert }: ConnInfo, mode: SslMode): Buffer | undefined {
  const verifies = mode.startsWith('verify');
  if (sslrootcert === 'system') return undefined; // those that Node knows
  const file = sslrootcert ?? own('root.crt');
  if (file !== undefined && (verifies || (mode === 'require' && existsSync(file))))
    return readCertificate(file, 'sslrootcert');
  if (!verifies) return undefined;
  throw engineError(
    'CONFIG_INVALID',
    `Cannot connect with sslmode=${mode}: no certificate is there to check against`,
    {
      remedy:
        'Name the file of the authority with sslrootcert=FILE, put it into ~/.postgresql/root.crt, or write sslrootcert=system.',
    },
  );
}

function own(name: string): string | undefined {
  const file = join(homedir(), '.postgresql', name);
  return existsSync(file) ? file : undefined;
}
