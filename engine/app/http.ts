import type { Agent } from 'node:http';
import type { StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Timeouts } from './app.ts';
import { type Answer, answerOf } from './http-answer.ts';

export type { Answer } from './http-answer.ts';

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

/** A connection that nobody used for so long is closed. */
const idleMs = 10_000;

export function openTransport(baseUrl: URL, timeouts: Timeouts): Transport {
  const prefix = baseUrl.pathname.replace(/\/+$/, '');
  const closing = new AbortController();
  let opening: Promise<Lines> | undefined;
  return {
    async send({ method, path, headers, headersTimeoutMs = timeouts.headersMs, signal, aside }) {
      signal?.throwIfAborted();
      try {
        opening ??= openLines(baseUrl);
        const lines = await opening;
        const call = lines.request(new URL(prefix + path, baseUrl.origin), {
          method,
          headers: { ...headers },
          agent: aside ? lines.aside : lines.line,
          signal: AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]),
        });
        return await answerOf(call, { ...timeouts, headersMs: headersTimeoutMs });
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw unreachable(error, `${method} ${baseUrl.origin}${prefix}${withoutQuery(path)}`);
      }
    },
    async close() {
      closing.abort();
      if (!opening) return;
      const { line, aside } = await opening;
      line.destroy();
      aside.destroy();
    },
  };
}

interface Lines {
  readonly request: typeof import('node:http').request;
  readonly line: Agent;
  readonly aside: Agent;
}

/** What speaks TLS is loaded where it is spoken. */
async function openLines({ protocol }: URL): Promise<Lines> {
  const { Agent, request } = protocol === 'https:' ? await import('node:https') : await import('node:http');
  const kept = { keepAlive: true, timeout: idleMs };
  return { request, line: new Agent({ ...kept, maxSockets: 1 }), aside: new Agent(kept) };
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
  CONNECT_TIMEOUT: 'Check app.url and the network between here and the application.',
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
    case 'CONNECT_TIMEOUT':
      return 'no connection in time';
    case 'HEADERS_TIMEOUT':
      return 'no answer in time';
    case 'BODY_TIMEOUT':
      return 'the answer stopped in the middle';
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
