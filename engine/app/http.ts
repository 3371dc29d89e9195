import type { Dispatcher } from 'undici';
import type { StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Timeouts } from './app.ts';

/** An answer of the application, read whole. */
export interface Answer {
  readonly status: number;
  /** Lower case, without parameters; empty when the answer named none. */
  readonly contentType: string;
  /** Where a redirect points to. */
  readonly location: string;
  /** Why a login was refused, when the application says so. */
  readonly denied: string;
  readonly body: string;
}

export interface Request {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the base URL, beginning with a slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly headersTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** On a connection of its own: neither waits for the calls under way nor keeps one waiting. */
  readonly aside?: boolean | undefined;
}

/**
 * Speaks HTTP to one origin: no redirects are followed, nothing is tried twice. Calls go one after the other on one
 * connection that stays open, so that the next one pays for no handshake, unless they are put aside.
 */
export interface Transport {
  /** Throws APP_UNREACHABLE, or the signal's reason. */
  send(request: Request): Promise<Answer>;
  close(): Promise<void>;
}

/** An answer of this protocol has a few hundred bytes; a page of a proxy that goes on for ever is cut here. */
const bodyBytesMax = 1024 * 1024;

export function openTransport(baseUrl: URL, timeouts: Timeouts): Transport {
  const prefix = baseUrl.pathname.replace(/\/+$/, '');
  let opening: Promise<{ readonly line: Dispatcher; readonly aside: Dispatcher }> | undefined;
  const open = () => {
    const options = {
      connect: { timeout: timeouts.connectMs },
      headersTimeout: timeouts.headersMs,
      bodyTimeout: timeouts.bodyMs,
      keepAliveTimeout: 10_000,
      pipelining: 1,
    };
    opening ??= import('undici').then(({ Client, Pool }) => ({
      line: new Client(baseUrl.origin, options),
      aside: new Pool(baseUrl.origin, options),
    }));
    return opening;
  };
  return {
    async send({ method, path, headers, headersTimeoutMs, signal, aside }) {
      signal?.throwIfAborted();
      try {
        const dispatcher = (await open())[aside ? 'aside' : 'line'];
        const answer = await dispatcher.request({
          method,
          path: prefix + path,
          headers: { ...headers },
          ...(headersTimeoutMs === undefined ? {} : { headersTimeout: headersTimeoutMs }),
          ...(signal ? { signal } : {}),
        });
        const pieces: Buffer[] = [];
        let bytes = 0;
        for await (const piece of answer.body) {
          bytes += piece.length;
          if (bytes > bodyBytesMax) break; // leaving the loop drops the connection
          pieces.push(piece);
        }
        const first = (name: string) => {
          const value = answer.headers[name];
          return (Array.isArray(value) ? value[0] : value) ?? '';
        };
        return {
          status: answer.statusCode,
          contentType: (first('content-type').split(';')[0] ?? '').trim().toLowerCase(),
          location: first('location'),
          denied: first('x-authentication-denied-reason'),
          body: Buffer.concat(pieces).toString('utf8'),
        };
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw unreachable(error, `${method} ${baseUrl.origin}${prefix}${withoutQuery(path)}`);
      }
    },
    async close() {
      if (!opening) return;
      const { line, aside } = await opening;
      await Promise.all([line.destroy(), aside.destroy()]);
    },
  };
}

/** Tokens travel in the query; they are printed on purpose in one place and nowhere else. */
export function withoutQuery(path: string): string {
  return path.split('?')[0] ?? path;
}

/** Whether a failed call certainly never left this machine, so that it had no effect over there. */
export function neverLeft(error: StillpointError): boolean {
  return error.context['neverLeft'] === true;
}

const remedyByCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Check app.url and that the application is running.',
  ENOTFOUND: 'Check the host name in app.url.',
  EAI_AGAIN: 'Check name resolution on this host.',
  UND_ERR_CONNECT_TIMEOUT: 'Check app.url and the network between here and the application.',
};
const connectCodes = new Set([
  ...Object.keys(remedyByCode),
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
]);

function unreachable(error: unknown, call: string): StillpointError {
  const code = textOf(error, 'code');
  const isTls = code.includes('CERT') || code.startsWith('UNABLE_TO');
  const remedy =
    remedyByCode[code] ??
    (isTls
      ? 'Make the certificate known to Node (NODE_EXTRA_CA_CERTS=FILE), or mend it.'
      : 'Check that the application answers, and the proxies before it.');
  return engineError('APP_UNREACHABLE', `Cannot call ${call}: ${sentence(error, code)}`, {
    remedy,
    context: { code, neverLeft: connectCodes.has(code) || textOf(error, 'syscall') === 'connect' },
    cause: error,
  });
}

function sentence(error: unknown, code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'the connection was refused';
    case 'ENOTFOUND':
      return 'the host name is unknown';
    case 'EAI_AGAIN':
      return 'the host name could not be looked up';
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'no connection in time';
    case 'UND_ERR_HEADERS_TIMEOUT':
      return 'no answer in time';
    case 'UND_ERR_BODY_TIMEOUT':
      return 'the answer stopped in the middle';
    case 'UND_ERR_SOCKET':
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was lost';
    default:
      return (error instanceof Error ? error.message : String(error)) || code;
  }
}

function textOf(error: unknown, key: 'code' | 'syscall'): string {
  if (typeof error !== 'object' || error === null || !(key in error)) return '';
  const value: unknown = (error as Record<typeof key, unknown>)[key];
  return typeof value === 'string' ? value : '';
}
