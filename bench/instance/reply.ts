import type { ServerResponse } from 'node:http';

/** An answer as a value, so that a fault can still spoil it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export function jsonReply(status: number, body: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json;charset=UTF-8' },
    body: JSON.stringify(body),
  };
}

/** An error as the application's REST interface words it. */
export function errorReply(status: number, message: string): Reply {
  return jsonReply(status, { errors: [{ context: null, message, exceptionName: null }] });
}

export function emptyReply(status: number): Reply {
  return { status, headers: {}, body: '' };
}

export function pageReply(status: number, title: string): Reply {
  const body = `<!DOCTYPE html>\n<html><head><title>${title} - Bitbucket</title></head><body><h1>${title}</h1></body></html>\n`;
  return { status, headers: { 'content-type': 'text/html;charset=UTF-8' }, body };
}

/** What everything but the maintenance calls answers while locked. */
export function lockedReply(): Reply {
  return pageReply(503, 'Bitbucket is currently unavailable: locked for maintenance');
}

export function send(response: ServerResponse, reply: Reply): void {
  const length = Buffer.byteLength(reply.body);
  response.writeHead(reply.status, {
    ...reply.headers,
    ...(reply.status === 204 ? {} : { 'content-length': length }),
  });
  response.end(reply.body);
}
