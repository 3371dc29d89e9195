import type { ClientRequest, IncomingMessage } from 'node:http';
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

/** An answer of this protocol has a few hundred bytes; a page of a proxy that goes on for ever is cut here. */
const bodyBytesMax = 1024 * 1024;

/**
 * Sends a call that has no body, and reads its answer whole. A step that takes too long ends it, with CONNECT_TIMEOUT,
 * HEADERS_TIMEOUT or BODY_TIMEOUT as the error's code. The wait for a connection that others use has no limit of its own.
 */
export async function answerOf(
  call: ClientRequest,
  { connectMs, headersMs, bodyMs }: Pick<Timeouts, 'connectMs' | 'headersMs' | 'bodyMs'>,
): Promise<Answer> {
  const limit = new Limit();
  const isSecure = call.protocol === 'https:';
  call.on('socket', socket => {
    const begin = () => limit.set(headersMs, { code: 'HEADERS_TIMEOUT', stream: call });
    if (!socket.connecting) return begin();
    limit.set(connectMs, { code: 'CONNECT_TIMEOUT', stream: call });
    socket.once(isSecure ? 'secureConnect' : 'connect', begin);
  });
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      call.on('error', reject).on('response', resolve).end();
    });
    const body: Buffer[] = [];
    let bytes = 0;
    const goOn = () => limit.set(bodyMs, { code: 'BODY_TIMEOUT', stream: answer });
    goOn();
    for await (const piece of answer as AsyncIterable<Buffer>) {
      goOn();
      bytes += piece.length;
      if (bytes > bodyBytesMax) break; // leaving the loop drops the connection
      body.push(piece);
    }
    return describe(answer, Buffer.concat(body).toString('utf8'));
  } finally {
    limit.end();
  }
}

/** A time after which a stream is destroyed. */
class Limit {
  #timer: NodeJS.Timeout | undefined;

  /** In place of the one before. */
  set(
    ms: number,
    { code, stream }: { readonly code: string; readonly stream: ClientRequest | IncomingMessage },
  ) {
    this.end();
    const error = Object.assign(new Error(`not in ${ms} ms`), { code });
    this.#timer = setTimeout(() => stream.destroy(error), ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function describe({ statusCode = 0, headers }: IncomingMessage, body: string): Answer {
  const first = (name: string) => {
    const value = headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  };
  return {
    status: statusCode,
    contentType: (first('content-type').split(';')[0] ?? '').trim().toLowerCase(),
    location: first('location'),
    denied: first('x-authentication-denied-reason'),
    body,
  };
}
