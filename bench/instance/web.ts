import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../../store/index.ts';
import type { ControlRequest } from './control.ts';
import type { Fault, Faults, Route } from './faults.ts';
import { type Gate, LockedError } from './gate.ts';
import { serveGit } from './git-http.ts';
import type { HomeLog } from './home.ts';
import type { Hosting } from './hosting.ts';
import type { Maintenance } from './maintenance.ts';
import {
  type Account,
  applicationProperties,
  type Call,
  maintenanceRoute,
  maintenanceToken,
  serveMaintenance,
} from './maintenance-http.ts';
import { emptyReply, errorReply, jsonReply, lockedReply, pageReply, type Reply, send } from './reply.ts';

/** Where the test endpoints begin; they are served in every state and know no faults. */
export const controlPrefix = '/stand-in/';

interface Parts {
  readonly home: string;
  readonly log: HomeLog;
  readonly admin: Account;
  readonly gate: Gate;
  readonly maintenance: Maintenance;
  readonly hosting: Hosting;
  readonly faults: Faults;
  readonly clock: Clock;
  /** `KEY/slug` (lower case) → repository id. */
  readonly slugs: ReadonlyMap<string, number>;
  /** Serves a test endpoint. */
  readonly control: (request: ControlRequest) => Promise<Reply>;
}

/** One request on its way through the house. */
interface Exchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly method: string;
}

/** The web server of the instance, on 127.0.0.1. */
export class Web {
  readonly #parts: Parts;
  readonly #calls: Call[] = [];
  #server: Server | undefined;
  #port = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get port(): number {
    return this.#port;
  }
  /** The maintenance calls so far, in order. */
  get calls(): readonly Call[] {
    return this.#calls;
  }

  async open(port = 0): Promise<void> {
    const server = createServer((message, response) => void this.#serve(message, response));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#server = server;
  }

  /** Closes the port and every connection. */
  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** What a restart of the application looks like from outside. */
  async restart(downMs = 0): Promise<void> {
    await this.close();
    this.#parts.faults.releaseHeld();
    this.#parts.faults.endKept('dropped');
    this.#parts.maintenance.forget();
    await this.#parts.clock.sleep(downMs);
    await this.open(this.#port);
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away in the middle is its own affair.
    message.on('error', () => {});
    response.on('error', () => {});
    const url = new URL(message.url ?? '/', 'http://127.0.0.1');
    const exchange = { message, response, url, method: message.method ?? 'GET' };
    try {
      await this.#dispatch(exchange);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else if (error instanceof LockedError) send(response, lockedReply());
      else send(response, errorReply(500, error instanceof Error ? error.message : String(error)));
    }
  }

  async #dispatch(exchange: Exchange): Promise<void> {
    const { message, response, url, method } = exchange;
    const path = url.pathname.replace(/(?<=.)\/+$/, '');
    if (path.startsWith(controlPrefix)) {
      const body = await readBody(message);
      send(
        response,
        await this.#parts.control({ method, path: path.slice(controlPrefix.length), url, body }),
      );
      return;
    }
    const git = /^\/scm\/([^/]+)\/([^/]+?)\.git(\/.*)$/.exec(path);
    const maintenance = maintenanceRoute(method, path);
    const route: Route =
      maintenance ?? (git ? 'git' : path === '/rest/api/1.0/application-properties' ? 'properties' : 'web');
    if (maintenance) this.#note(maintenance, exchange, path);
    const serve = async (): Promise<Reply | undefined> => {
      if (maintenance)
        return serveMaintenance(this.#parts.maintenance, { route, message, url, admin: this.#parts.admin });
      if (this.#parts.gate.locked) return lockedReply();
      if (!git) return servePage(method, path);
      const repositoryId = this.#parts.slugs.get(`${git[1]}/${git[2]}`.toLowerCase());
      if (repositoryId === undefined) return pageReply(404, 'Repository not found');
      await serveGit({ repositoryId, rest: git[3]!, url, message, response }, this.#parts);
      return undefined; // sent by itself
    };
    await this.#spoil(exchange, this.#parts.faults.meet(route), serve);
  }

  /** Serves, unless a fault says otherwise. */
  async #spoil(
    exchange: Exchange,
    faults: readonly Fault[],
    serve: () => Promise<Reply | undefined>,
  ): Promise<void> {
    const { message, response } = exchange;
    const { maintenance, clock, gate } = this.#parts;
    let served: { readonly reply: Reply | undefined } | undefined;
    const reply = async (): Promise<Reply> => {
      served ??= { reply: await serve() };
      return served.reply ?? emptyReply(200);
    };
    for (const { misbehave, effect } of faults) {
      if (effect) await reply();
      switch (misbehave.kind) {
        case 'delay':
          await clock.sleep(misbehave.ms);
          break;
        case 'end-task':
          maintenance.endTask(misbehave.state);
          break;
        case 'hold-drain': {
          const ticket = gate.enterByForce(misbehave.sides ?? ['db', 'scm']);
          this.#parts.faults.hold(ticket);
          if (misbehave.ms !== undefined) void clock.sleep(misbehave.ms).then(() => ticket.release());
          break;
        }
        case 'hold':
          if ((await this.#parts.faults.keep()) === 'dropped') return;
          break;
        case 'hang':
          return;
        case 'stall':
          return stall(response, await reply());
        case 'drop':
          message.socket.resetAndDestroy();
          return;
        case 'restart':
          await this.restart(misbehave.downMs);
          return;
        case 'html':
          return send(response, pageReply(misbehave.status ?? 200, 'Log in'));
        case 'redirect':
          return send(response, { ...emptyReply(302), headers: { location: misbehave.to ?? '/login' } });
        case 'empty':
          return send(response, emptyReply(204));
        case 'status':
          return send(response, {
            ...errorReply(misbehave.status, 'Something went wrong.'),
            ...(misbehave.headers ? { headers: misbehave.headers } : {}),
          });
        case 'body':
          return send(response, jsonReply((await reply()).status, misbehave.body));
        case 'no-token':
          return send(response, withoutTokens(await reply()));
        default:
          return misbehave satisfies never;
      }
    }
    const final = await reply();
    if (served?.reply !== undefined) send(response, final);
  }

  #note(route: Route, exchange: Exchange, path: string): void {
    const { log, clock } = this.#parts;
    const token = maintenanceToken(exchange.message);
    this.#calls.push({ route, method: exchange.method, path, token, atMs: clock.monotonicMs() });
    log.write(`[access] ${exchange.method} ${path}`);
  }
}

function servePage(method: string, path: string): Reply {
  if (path === '/rest/api/1.0/application-properties' && method === 'GET')
    return jsonReply(200, applicationProperties);
  if (path === '/status') return jsonReply(200, { state: 'RUNNING' });
  if (path === '/' || path === '/dashboard' || path.startsWith('/projects'))
    return pageReply(200, 'Dashboard');
  return pageReply(404, 'Not found');
}

/** The head and half of the body; the rest never comes. */
function stall(response: ServerResponse, reply: Reply): void {
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Math.max(body.length, 2) });
  response.write(body.subarray(0, Math.max(1, body.length >> 1)));
}

function withoutTokens(reply: Reply): Reply {
  const nulled = JSON.stringify(JSON.parse(String(reply.body)), (key, value: unknown) =>
    key === 'unlockToken' || key === 'cancelToken' ? null : value,
  );
  return { ...reply, body: nulled };
}

async function readBody(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
