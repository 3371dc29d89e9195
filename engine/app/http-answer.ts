import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
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

/** A call without an answer. */
export interface Lost {
  readonly error: unknown;
  /** There was no connection for it, so that it had no effect over there. */
  readonly neverLeft: boolean;
}

/** An answer of this protocol has a few hundred bytes; a page of a proxy that goes on for ever is cut here. */
const bodyBytesMax = 1024 * 1024;

/**
 * A limit passes in so many parts, and time in which this process stood still (busy, stopped, its machine asleep) is one
 * of them at most: what came meanwhile is read before it is given up on.
 */
const limitParts = 4;

/** Connections that a call may leave by at once: of TLS, those whose certificate was found good. */
const ready = new WeakSet<Socket>();

/**
 * Sends a call that has no body, and reads its answer whole. A step that takes too long ends it, with CONNECT_TIMEOUT,
 * HEADERS_TIMEOUT or BODY_TIMEOUT as the error's code, so that connect + headers + body is the most that it takes. What
 * decides are these limits and the signals, never an event that the request owes: some ends of a connection bring none.
 */
export function answerOf(
  call: ClientRequest,
  { timeouts, stops }: { readonly timeouts: Timeouts; readonly stops: readonly AbortSignal[] },
): Promise<Answer | Lost> {
  return new Promise(resolve => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    let answer: IncomingMessage | undefined;
    let hasLeft = false;
    let isSettled = false;
    let limit: NodeJS.Timeout | undefined;
    const settle = (outcome: Answer | Lost) => {
      isSettled = true;
      clearTimeout(limit);
      for (const stop of stops) stop.removeEventListener('abort', give);
      resolve(outcome);
    };
    const lose = (error: unknown) => {
      if (isSettled) return;
      settle({ error, neverLeft: !hasLeft });
      call.destroy();
    };
    const give = ({ target }: Event) => lose((target as AbortSignal).reason);
    const allow = (ms: number, code: string) => {
      let parts = limitParts;
      const pass = () => {
        parts -= 1;
        if (parts === 0) lose(failure(code, `not in ${ms} ms`));
        else limit = setTimeout(pass, ms / limitParts);
      };
      clearTimeout(limit);
      if (!isSettled) limit = setTimeout(pass, ms / limitParts);
    };
    const leave = () => {
      hasLeft = true;
      allow(timeouts.headersMs, 'HEADERS_TIMEOUT');
    };
    for (const stop of stops) stop.addEventListener('abort', give);
    call.on('socket', socket => {
      if (ready.has(socket)) return leave();
      allow(timeouts.connectMs, 'CONNECT_TIMEOUT');
      socket.once(call.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        ready.add(socket);
        leave();
      });
    });
    call.on('response', (response: IncomingMessage) => {
      answer = response;
      allow(timeouts.bodyMs, 'BODY_TIMEOUT');
      const end = () => settle(describe(response, pieces));
      response.on('data', (piece: Buffer) => {
        bytes += piece.length;
        pieces.push(piece);
        if (isSettled || bytes <= bodyBytesMax) return;
        end();
        call.destroy();
      });
      response.on('end', () => {
        if (response.complete) end();
      });
      response.on('error', lose).on('close', () => lose(cut()));
    });
    // Of a body that ends with its connection, the close comes before the end.
    call.on('error', lose).on('close', () => answer ?? lose(cut()));
    call.end();
  });
}

/** An error with a code that http.ts has a sentence for. */
export function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const cut = () => failure('ECONNRESET', 'closed');

function describe({ statusCode = 0, headers }: IncomingMessage, pieces: readonly Buffer[]): Answer {
  const first = (name: string) => {
    const value = headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  };
  return {
    status: statusCode,
    contentType: (first('content-type').split(';')[0] ?? '').trim().toLowerCase(),
    location: first('location'),
    denied: first('x-authentication-denied-reason'),
    body: Buffer.concat(pieces).toString('utf8'),
  };
}
