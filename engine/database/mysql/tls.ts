import type { ConnectionOptions } from 'mysql2';
import { isLocal, readCertificate } from '../line.ts';

/** As the clients of MySQL and MariaDB name them. */
export const sslModes = ['disabled', 'preferred', 'required', 'verify-ca', 'verify-identity'] as const;
export type SslMode = (typeof sslModes)[number];

/** What a URL says of encryption. */
export interface TlsWish {
  readonly mode: SslMode | undefined;
  /** Files. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** One way to try: plain, or by TLS. */
export type Way = NonNullable<ConnectionOptions['ssl']> | undefined;

/**
 * The ways to try, in order. Without a mode, what leaves this machine is encrypted where the server can; an authority that is
 * named is checked. CONFIG_INVALID for a file that cannot be read.
 */
export function waysTo(
  wish: TlsWish,
  { host, socketPath }: { readonly host: string; readonly socketPath: string | undefined },
): readonly Way[] {
  const isHere = socketPath !== undefined || isLocal(host);
  const mode = wish.mode ?? (wish.ca !== undefined ? 'verify-ca' : isHere ? 'disabled' : 'preferred');
  if (mode === 'disabled') return [undefined];
  return mode === 'preferred' ? [tlsOf(wish, mode), undefined] : [tlsOf(wish, mode)];
}

function tlsOf({ ca, cert, key }: TlsWish, mode: SslMode): Way {
  return {
    // Without a file those that Node knows.
    ...(ca !== undefined && { ca: readCertificate(ca, 'ssl-ca') }),
    ...(cert !== undefined && { cert: readCertificate(cert, 'ssl-cert') }),
    ...(key !== undefined && { key: readCertificate(key, 'ssl-key') }),
    rejectUnauthorized: mode.startsWith('verify'),
    verifyIdentity: mode === 'verify-identity',
  };
}

/** The server was asked for TLS, and has none. */
export function lacksTls(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'HANDSHAKE_NO_SSL_SUPPORT';
}
