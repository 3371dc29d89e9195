import type { StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Timeouts } from './app.ts';
import { type Answer, answerOf, failure, type Lost } from './http-answer.ts';
import { type Lines, openLines } from './http-lines.ts';

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

export function openTransport(baseUrl: URL, timeouts: Timeouts): Transport {
  const prefix = baseUrl.pathname.replace(/\/+$/, '');
  const closing = new AbortController();
  let opening: Promise<Lines> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function call(request: Request, stops: readonly AbortSignal[]): Promise<Answer | Lost> {
    try {
      opening ??= openLines(baseUrl);
      const lines = await opening;
      for (const stop of stops) stop.throwIfAborted();
      const prepared = lines.prepare({ ...request, path: prefix + request.path });
      const { headersTimeoutMs: headersMs = timeouts.headersMs } = request;
      return await answerOf(prepared, { timeouts: { ...timeouts, headersMs }, stops });
    } catch (error) {
      return { error, neverLeft: true }; // such as a header that cannot be sent
    }
  }

  function callInTurn(request: Request, stops: readonly AbortSignal[]): Promise<Answer | Lost> {
    const turn = unlessStopped(last, stops).then(
      () => call(request, stops),
      (error: unknown) => ({ error, neverLeft: true }),
    );
    last = Promise.all([last, turn]);
    return turn;
  }

  return {
    async send(request) {
      const { method, path, signal, aside } = request;
      signal?.throwIfAborted();
      const stops = [closing.signal, ...(signal ? [signal] : [])];
      const outcome = await (aside ? call(request, stops) : callInTurn(request, stops));
      if ('status' in outcome) return outcome;
      if (signal?.aborted) throw signal.reason;
      throw unreachable(outcome, `${method} ${baseUrl.origin}${prefix}${withoutQuery(path)}`);
    },
    async close() {
      closing.abort(failure('CLOSED', 'the connection was closed'));
      (await opening)?.close();
    },
  };
}

/** Resolves when the work has ended, rejects as soon as one of the signals is given. */
async function unlessStopped(work: Promise<unknown>, stops: readonly AbortSignal[]): Promise<void> {
  let give = (_event: Event) => {};
  const stopped = new Promise<never>((_resolve, reject) => {
    give = ({ target }) => reject((target as AbortSignal).reason);
    for (const stop of stops) stop.addEventListener('abort', give);
  });
  try {
    await Promise.race([work, stopped]);
  } finally {
    for (const stop of stops) stop.removeEventListener('abort', give);
  }
}

/** Tokens travel in the query; they are printed on purpose in one place and nowhere else. */
export function withoutQuery(path: string): string {
  return path.split('?')[0] ?? path;
}

/** Whether a failed call certainly never left this machine, so that it had no effect over there. */
export function neverLeft(error: StillpointError): boolean {
  return error.context['neverLeft'] === true;
}

const network = 'Check app.url and the network between here and the application.';
const remedyByCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Check app.url and that the application is running.',
  ENOTFOUND: 'Check the host name in app.url.',
  EAI_AGAIN: 'Check name resolution on this host.',
  EPROTO: 'Check whether app.url begins with https:// where it should with http://, and its port.',
};

function unreachable({ error, neverLeft }: Lost, call: string): StillpointError {
  const code = textOf(error, 'code');
  const isCertificate = code.includes('CERT') || code.startsWith('UNABLE_TO');
  const remedy =
    remedyByCode[code.startsWith('ERR_SSL_') ? 'EPROTO' : code] ??
    (isCertificate
      ? 'Make the certificate known to Node (NODE_EXTRA_CA_CERTS=FILE), or mend it.'
      : neverLeft
        ? network
        : 'Check that the application answers at app.url (http or https), and the proxies before it.');
  return engineError('APP_UNREACHABLE', `Cannot call ${call}: ${sentence(error, code)}`, {
    remedy,
    context: { code, neverLeft },
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
      return 'the answer did not end in time';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was lost';
    case 'HPE_HEADER_OVERFLOW':
      return "the answer's headers are too long";
    default:
      if (code.startsWith('HPE_')) return `what came is not an answer in HTTP (${code})`;
      if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return `no agreement on TLS (${code})`;
      return textOf(error instanceof AggregateError ? error.errors[0] : error, 'message') || code;
  }
}

function textOf(error: unknown, key: 'code' | 'message'): string {
  if (typeof error !== 'object' || error === null || !(key in error)) return '';
  const value: unknown = (error as Record<typeof key, unknown>)[key];
  return typeof value === 'string' ? value : '';
}
