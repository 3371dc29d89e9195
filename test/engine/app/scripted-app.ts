import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bitbucket, type LatchedApplication, type Timeouts } from '../../../engine/app/index.ts';
import { type Call, empty, json, MaintenanceModel, type Reply } from './maintenance-model.ts';

export interface Seen {
  readonly call: Call;
  /** Method and path with query, as they came. */
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly bodyBytes: number;
}

/**
 * What to do instead of, or around, the right answer. `apply` lets the call take effect; what is written is the
 * fault's own. Nothing written is a hang.
 */
export type Fault = (context: {
  readonly response: ServerResponse;
  readonly apply: () => Reply;
}) => void | Promise<void>;

const user = 'admin';
const password = 'se cret:ü';

/** The model behind HTTP, with faults for any of its calls. */
export class ScriptedApp implements AsyncDisposable {
  readonly model = new MaintenanceModel();
  readonly seen: Seen[] = [];
  connections = 0;
  /** Called with every call before it is answered. */
  onCall: ((call: Call) => void | Promise<void>) | undefined;
  readonly #server: Server;
  readonly #next = new Map<Call, (Fault | undefined)[]>();
  readonly #always = new Map<Call, Fault>();
  readonly #open: LatchedApplication[] = [];

  constructor() {
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      let bodyBytes = 0;
      request.on('data', (piece: Buffer) => {
        bodyBytes += piece.length;
      });
      request.on('end', () => {
        const url = new URL(request.url ?? '/', 'http://127.0.0.1');
        const call = callOf(request.method ?? '', url.pathname);
        this.seen.push({
          call,
          line: `${request.method} ${request.url}`,
          headers: request.headers,
          bodyBytes,
        });
        void this.#answer(call, { url, headers: request.headers, response });
      });
    });
    this.#server.on('connection', () => {
      this.connections += 1;
    });
  }

  static async start(): Promise<ScriptedApp> {
    const app = new ScriptedApp();
    await new Promise<void>(resolve => app.#server.listen(0, '127.0.0.1', resolve));
    return app;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A client of this server, closed with it. Its password needs care in every encoding. */
  client(
    options: { timeouts?: Partial<Timeouts>; password?: string; path?: string } = {},
  ): LatchedApplication {
    const url = this.url + (options.path ?? '');
    const timeouts = options.timeouts ?? {};
    const app = bitbucket({ type: 'bitbucket', url, user, password: options.password ?? password, timeouts });
    this.#open.push(app);
    return app;
  }

  /** Faults for the next calls of a kind, one each; undefined lets one be. */
  next(call: Call, ...faults: readonly (Fault | undefined)[]): void {
    this.#next.set(call, [...(this.#next.get(call) ?? []), ...faults]);
  }

  always(call: Call, fault: Fault | undefined): void {
    if (fault) this.#always.set(call, fault);
    else this.#always.delete(call);
  }

  count(call: Call): number {
    return this.seen.filter(one => one.call === call).length;
  }

  /** Loses the lock and every connection. */
  restart(): void {
    this.model.restart();
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const app of this.#open) await app.close();
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  async #answer(
    call: Call,
    { url, headers, response }: { url: URL; headers: IncomingHttpHeaders; response: ServerResponse },
  ): Promise<void> {
    await this.onCall?.(call);
    const fault = this.#next.get(call)?.shift() ?? this.#always.get(call);
    const apply = () => {
      const login = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
      const isOpen = call === 'properties' || call === 'page';
      if (!isOpen && headers.authorization !== login) return empty(401);
      const header = headers['x-atlassian-maintenance-token'];
      const token = url.searchParams.get('token');
      const percentage = Number(url.searchParams.get('percentage'));
      return this.model.apply(call, { header: header?.toString(), token, percentage });
    };
    if (fault) await fault({ response, apply });
    else write(response, apply());
  }
}

function callOf(method: string, path: string): Call {
  switch (`${method} ${path.replace(/^\/context/, '')}`) {
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

function write(response: ServerResponse, { status, body }: Reply): void {
  if (body === undefined) response.writeHead(status).end();
  else if (typeof body === 'string') response.writeHead(status, { 'content-type': 'text/html' }).end(body);
  else
    response
      .writeHead(status, { 'content-type': 'application/json;charset=UTF-8' })
      .end(JSON.stringify(body));
}

/** Answers so, without effect. */
export const answer =
  (reply: Reply): Fault =>
  ({ response }) =>
    write(response, reply);
/** Takes effect, then answers so. */
export const lateAnswer =
  (reply: Reply): Fault =>
  ({ response, apply }) => {
    apply();
    write(response, reply);
  };
export const loginPage: Fault = answer({ status: 200, body: '<!DOCTYPE html><html>Please log in</html>' });
export const notFoundPage: Fault = answer({ status: 404, body: '<html>nginx</html>' });
export const plainText: Fault = ({ response }) =>
  void response.writeHead(200, { 'content-type': 'text/plain' }).end('{"unlockToken":"x"}');
export const brokenJson: Fault = ({ response }) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end('{"unlockToken":');
export const redirect: Fault = ({ response }) =>
  void response.writeHead(302, { location: 'https://sso.example.com/login?secret=1' }).end();
export const hang: Fault = () => undefined;
export const reset: Fault = ({ response }) => void response.socket?.resetAndDestroy();
export const lateHang: Fault = ({ apply }) => void apply();
export const lateReset: Fault = ({ response, apply }) => {
  apply();
  response.socket?.resetAndDestroy();
};
/** Takes effect; then the connection breaks in the middle of the answer. */
export const lateCut: Fault = ({ response, apply }) => {
  const { status, body } = apply();
  const text = JSON.stringify(body ?? {});
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length + 10 });
  response.write(text.slice(0, 5), () => response.socket?.resetAndDestroy());
};
export { empty, json };
