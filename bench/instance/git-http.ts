import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Gate } from './gate.ts';
import { gitEnvironment } from './git.ts';
import type { Hosting } from './hosting.ts';
import { credentials } from './maintenance-http.ts';
import { pageReply, type Reply, send } from './reply.ts';

/** A request below a repository's clone URL. */
export interface GitRequest {
  readonly repositoryId: number;
  /** What follows `….git`, such as `/info/refs`. */
  readonly rest: string;
  readonly url: URL;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Git's smart HTTP, served by Git itself (`git http-backend`, CGI). Anyone with a name may push; a push is answered only
 * when its rows are committed. Throws LockedError before anything is sent.
 */
export async function serveGit(
  request: GitRequest,
  parts: { readonly home: string; readonly gate: Gate; readonly hosting: Hosting },
): Promise<void> {
  const { url, rest, message, response } = request;
  const writes = rest === '/git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack';
  const user = credentials(message)?.user ?? '';
  if (writes && user === '') {
    send(response, {
      ...pageReply(401, 'Authentication required'),
      headers: { 'www-authenticate': 'Basic realm="Bitbucket"' },
    });
    return;
  }
  if (rest === '/git-receive-pack') {
    let answer: Reply | undefined;
    await parts.hosting.receive(request.repositoryId, async () => {
      answer = await runBackend(request, { home: parts.home, user });
    });
    send(response, answer!);
    return;
  }
  const ticket = parts.gate.enter('request', ['scm']);
  try {
    send(response, await runBackend(request, { home: parts.home, user }));
  } finally {
    ticket.release();
  }
}

/** Runs the CGI program and reads its whole answer: small repositories, so nothing is streamed. */
async function runBackend(
  request: GitRequest,
  as: { readonly home: string; readonly user: string },
): Promise<Reply> {
  const { message, url, repositoryId, rest } = request;
  const header = (name: string): string => String(message.headers[name] ?? '');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...gitEnvironment(),
      GIT_PROJECT_ROOT: join(as.home, 'shared', 'data', 'repositories'),
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: header('git-protocol'),
      PATH_INFO: `/${repositoryId}${rest}`,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: message.method ?? 'GET',
      CONTENT_TYPE: header('content-type'),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      ...(message.headers['content-length'] === undefined
        ? {}
        : { CONTENT_LENGTH: header('content-length') }),
      ...(as.user === '' ? {} : { REMOTE_USER: as.user }),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {}); // it need not read a body that it refuses
  message.pipe(child.stdin);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  const [code] = (await once(child, 'close')) as [number | null];
  const answer = Buffer.concat(parts);
  if (answer.length === 0) return pageReply(500, `git http-backend ended with ${code}`);
  return parseCgi(answer);
}

function parseCgi(answer: Buffer): Reply {
  const end = answer.indexOf('\r\n\r\n');
  const headers: Record<string, string> = {};
  for (const line of answer.subarray(0, end).toString('latin1').split('\r\n')) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const { status = '200', ...rest } = headers;
  return { status: Number.parseInt(status, 10), headers: rest, body: answer.subarray(end + 4) };
}
