import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The calls of the maintenance protocol, by the names that the faults use. */
export type Call = 'properties' | 'lock' | 'start' | 'state' | 'progress' | 'unlock' | 'cancel' | 'page';

export interface Seen {
  readonly call: Call;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly atMs: number;
  readonly status: number;
}

/**
 * What to do instead of, or around, the right answer. `apply` makes the call take effect; what is written to the
 * response is the fault's own. Return without writing for a hang.
 */
export type Fault = (context: {
  readonly response: ServerResponse;
  readonly apply: () => { status: number; body: unknown };
  readonly app: ScriptedApp;
}) => void | Promise<void>;

/** An application that speaks the maintenance protocol with its real semantics, except where a fault is put in. */
export class ScriptedApp {
  readonly #server: Server;
  readonly #faults = new Map<Call, Fault[]>();
  readonly #always = new Map<Call, Fault>();
  readonly seen: Seen[] = [];
  token: string | undefined;
  task: { id: string; state: string; percentage: number; cancelToken: string } | undefined;
  /** State polls that answer LATCHED before DRAINED. */
  pollsToDrain = 2;
  #polls = 0;
  #sequence = 0;
  lockedAtMs: number | undefined;
  unlockedAtMs: number | undefined;
  readonly progress: number[] = [];

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.keepAliveTimeout = 60_000;
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(port, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get isLocked(): boolean {
    return this.token !== undefined;
  }

  /** Faults for the next calls of a kind, one each. */
  next(call: Call, ...faults: readonly Fault[]): void {
    this.#faults.set(call, [...(this.#faults.get(call) ?? []), ...faults]);
  }

  always(call: Call, fault: Fault | undefined): void {
    if (fault) this.#always.set(call, fault);
    else this.#always.delete(call);
  }

  count(call: Call): number {
    return this.seen.filter(one => one.call === call).length;
  }

  /** Loses lock, task and connections, as a restart does. */
  restart(): void {
    this.token = undefined;
    this.task = undefined;
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for await (const _ of request) {
      // bodies are empty
    }
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const call = nameOf(request.method ?? '', url.pathname);
    let status = 0;
    const apply = () => {
      const answer = this.#apply(call, { url, request });
      status = answer.status;
      return answer;
    };
    response.on('close', () => undefined);
    const fault = this.#faults.get(call)?.shift() ?? this.#always.get(call);
    if (fault) await fault({ response, apply, app: this });
    else write(response, apply());
    this.seen.push({
      call,
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      atMs: performance.now(),
      status,
    });
  }

  #apply(
    call: Call,
    { url, request }: { url: URL; request: IncomingMessage },
  ): { status: number; body: unknown } {
    const auth = request.headers.authorization;
    const good = `Basic ${Buffer.from('admin:se cret').toString('base64')}`;
    if (call !== 'properties' && call !== 'page' && auth !== good) return { status: 401, body: undefined };
    const token = url.searchParams.get('token');
    switch (call) {
      case 'properties':
        return { status: 200, body: { version: '8.19.1', buildNumber: '8019001', displayName: 'Bitbucket' } };
      case 'lock':
        if (this.token !== undefined) return { status: 409, body: { errors: [{ message: 'locked' }] } };
        this.#sequence += 1;
        this.token = `unlock-${this.#sequence}`;
        this.lockedAtMs = performance.now();
        return { status: 202, body: { unlockToken: this.token, owner: { name: 'admin' } } };
      case 'start': {
        if (request.headers['x-atlassian-maintenance-token'] !== this.token)
          return { status: 409, body: undefined };
        this.#polls = 0;
        const id = `task-${this.#sequence}`;
        this.task = { id, state: 'RUNNING', percentage: 0, cancelToken: `cancel-${this.#sequence}` };
        const { state, cancelToken } = this.task;
        return { status: 202, body: { id, type: 'BACKUP', state, cancelToken, progress: {} } };
      }
      case 'state': {
        if (this.token !== undefined && request.headers['x-atlassian-maintenance-token'] !== this.token) {
          return { status: 409, body: undefined };
        }
        this.#polls += 1;
        const at = this.task ? (this.#polls > this.pollsToDrain ? 'DRAINED' : 'LATCHED') : 'AVAILABLE';
        const task = this.task ? { ...this.task, type: 'BACKUP', progress: {} } : null;
        return { status: 200, body: { task, 'db-state': at, 'scm-state': at } };
      }
      case 'progress': {
        if (token !== this.token) return { status: 409, body: undefined };
        const percentage = Number(url.searchParams.get('percentage'));
        this.progress.push(percentage);
        if (percentage === 100 && this.task) this.task = undefined;
        return { status: 202, body: undefined };
      }
      case 'unlock':
        if (this.token === undefined) return { status: 404, body: undefined };
        if (this.token !== token) return { status: 409, body: undefined };
        this.token = undefined;
        this.task = undefined;
        this.unlockedAtMs = performance.now();
        return { status: 202, body: undefined };
      case 'cancel':
        if (!this.task || this.task.cancelToken !== token) return { status: 404, body: undefined };
        this.task.state = 'CANCELED';
        return { status: 202, body: undefined };
      case 'page':
        return this.isLocked
          ? { status: 503, body: '<html>maintenance</html>' }
          : { status: 200, body: '<html>hi</html>' };
      default:
        return call satisfies never;
    }
  }
}

function nameOf(method: string, path: string): Call {
  switch (`${method} ${path}`) {
    case 'GET /rest/api/1.0/application-properties':
      return 'properties';
    case 'POST /mvc/maintenance/lock':
      return 'lock';
    case 'POST /mvc/admin/backups':
      return 'start';
    case 'GET /mvc/maintenance':
      return 'state';
    case 'POST /mvc/admin/backups/progress/client':
      return 'progress';
    case 'DELETE /mvc/maintenance/lock':
      return 'unlock';
    case 'POST /mvc/maintenance':
    case 'DELETE /mvc/maintenance':
      return 'cancel';
    default:
      return 'page';
  }
}

function write(response: ServerResponse, { status, body }: { status: number; body: unknown }): void {
  if (body === undefined) response.writeHead(status).end();
  else if (typeof body === 'string') response.writeHead(status, { 'content-type': 'text/html' }).end(body);
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Faults by name. `late` ones let the call take effect before they spoil its answer. */
export const html: Fault = ({ response }) =>
  write(response, { status: 200, body: '<!DOCTYPE html><html>Please log in</html>' });
export const redirect: Fault = ({ response }) =>
  void response.writeHead(302, { location: 'https://sso.example.com/login?x=1' }).end();
export const empty204: Fault = ({ response }) => void response.writeHead(204).end();
export const page404: Fault = ({ response }) =>
  write(response, { status: 404, body: '<html>nginx: not found</html>' });
export const hang: Fault = () => undefined;
export const reset: Fault = ({ response }) => void response.socket?.resetAndDestroy();
export const withStatus =
  (status: number): Fault =>
  ({ response }) =>
    void response.writeHead(status).end();
export const withJson =
  (body: unknown, status = 200): Fault =>
  ({ response }) =>
    write(response, { status, body });
export const lateReset: Fault = ({ response, apply }) => {
  apply();
  response.socket?.resetAndDestroy();
};
export const lateHang: Fault = ({ apply }) => void apply();
/** The connection breaks in the middle of the answer. */
export const lateCut: Fault = ({ response, apply }) => {
  const { status, body } = apply();
  const text = JSON.stringify(body ?? {});
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length + 10 });
  response.write(text.slice(0, 5), () => response.socket?.resetAndDestroy());
};
export const lateStatus =
  (status: number): Fault =>
  ({ response, apply }) => {
    apply();
    response.writeHead(status).end();
  };
export const lateJson =
  (body: unknown, status = 202): Fault =>
  ({ response, apply }) => {
    apply();
    write(response, { status, body });
  };
export const slow =
  (ms: number): Fault =>
  ({ response, apply }) =>
    void setTimeout(() => write(response, apply()), ms).unref();
