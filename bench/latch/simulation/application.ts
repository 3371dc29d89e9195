import type { Answer, openTransport, Request, Transport } from '../../../engine/app/http.ts';
import type { Timeouts } from '../../../engine/app/index.ts';
import { engineError } from '../../../engine/errors.ts';
import type { Route } from '../../instance/faults.ts';
import { Gate } from '../../instance/gate.ts';
import { Maintenance } from '../../instance/maintenance.ts';
import {
  applicationProperties,
  maintenanceRoute,
  serveMaintenance,
} from '../../instance/maintenance-http.ts';
import { rollDice } from '../../instance/random.ts';
import {
  emptyReply,
  errorReply,
  jsonReply,
  lockedReply,
  pageReply,
  type Reply,
} from '../../instance/reply.ts';
import type { Side, SideName } from './side.ts';
import type { World } from './world.ts';

/** What becomes of the calls of an outage; whether they take effect all the same is told apart. */
export const spoilers = ['hang', 'reset', 'login page', 'error page', '500', '503', '204', 'slow'] as const;
export type Spoiler = (typeof spoilers)[number];

export interface Outage {
  readonly how: Spoiler | 'down';
  /** The calls take effect, and only their answers are spoilt. */
  readonly reaches: boolean;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A call that took effect, or could have. */
export interface Arrival {
  readonly side: SideName;
  readonly route: Route;
  readonly atMs: number;
  readonly status: number;
}

const account = { user: 'admin', password: 'secret' };
export const access = { type: 'bitbucket', url: 'http://app', ...account } as const;
const requestMs = 1;
const answerMs = 1;
const slowMs = 2_000;
/** How long what the application does for its users still runs after the lock. */
const busyMs = 15;

/** The stand-in's maintenance in virtual time, and the network between it and both sides. */
export class SimulatedApplication {
  readonly maintenance: Maintenance;
  readonly outages: Outage[] = [];
  readonly arrivals: Arrival[] = [];
  /** Tokens whose answer reached the side that asked for the lock. */
  readonly told = new Map<string, { readonly side: SideName; readonly atMs: number }[]>();
  readonly #world: World;
  readonly #gate = new Gate();
  #life = 0;

  constructor(world: World, { seed }: { readonly seed: number }) {
    this.#world = world;
    const dice = rollDice(seed);
    const randomness = { bytes: (count: number) => dice.bytes(count) };
    this.maintenance = new Maintenance({ gate: this.#gate, clock: world.clock(), randomness });
  }

  get outage(): Outage | undefined {
    return this.outages.findLast(
      ({ fromMs, untilMs }) => fromMs <= this.#world.nowMs && this.#world.nowMs < untilMs,
    );
  }

  begin(outage: Pick<Outage, 'how' | 'reaches'>, ms: number): void {
    const fromMs = this.#world.nowMs;
    this.outages.push({ ...outage, fromMs, untilMs: fromMs + ms });
    this.#world.after(ms, () => {}); // no rest before its end
  }

  /** Every connection is lost and the lock forgotten; nobody listens for a while. */
  restart(downMs: number): void {
    this.#life += 1;
    this.maintenance.forget();
    this.begin({ how: 'down', reaches: false }, downMs);
  }

  /** How one side reaches it; calls that are not put aside take turns. */
  transportFor(side: Side): typeof openTransport {
    return (_base: URL, timeouts: Timeouts): Transport => {
      let line: Promise<unknown> = Promise.resolve();
      return {
        send: request => {
          if (request.signal?.aborted) return Promise.reject(request.signal.reason);
          const turn = request.aside ? Promise.resolve() : line;
          const answer = this.#send(side, {
            request,
            turn,
            headersMs: request.headersTimeoutMs ?? timeouts.headersMs,
          });
          if (!request.aside) line = answer.catch(() => undefined);
          return answer;
        },
        close: async () => undefined,
      };
    };
  }

  #send(
    side: Side,
    call: { readonly request: Request; readonly turn: Promise<unknown>; readonly headersMs: number },
  ): Promise<Answer> {
    const { request, turn, headersMs } = call;
    const route = routeOf(request);
    return new Promise((resolve, reject) => {
      let isSettled = false;
      let stopTimer = () => {};
      const settle = (act: () => void) => {
        if (isSettled) return;
        isSettled = true;
        stopTimer();
        request.signal?.removeEventListener('abort', abort);
        act();
      };
      const abort = () => settle(() => reject(request.signal?.reason));
      request.signal?.addEventListener('abort', abort, { once: true });
      const lose = (code: string) => settle(() => reject(lost(route, code)));
      const deliver = (act: () => void) => void this.#world.after(answerMs, () => side.resume(act));
      void turn.then(() => {
        if (isSettled) return;
        stopTimer = this.#world.after(headersMs, () => side.resume(() => lose('HEADERS_TIMEOUT')));
        const life = this.#life;
        side.moment(`call ${route} sent`);
        const ms = requestMs + (this.outage?.how === 'slow' ? slowMs : 0);
        this.#world.after(ms, () => {
          if (this.outage?.how === 'down') return deliver(() => lose('ECONNREFUSED'));
          if (life !== this.#life) return deliver(() => lose('ECONNRESET'));
          const reply =
            this.outage?.reaches === false && this.outage.how !== 'slow'
              ? undefined
              : this.#serve(side, route, request);
          side.moment(`call ${route} answered`);
          if (life !== this.#life) return deliver(() => lose('ECONNRESET'));
          const seen = spoil(reply, this.outage);
          if (seen === 'nothing') return;
          if (seen === 'reset') return deliver(() => lose('ECONNRESET'));
          deliver(() =>
            settle(() => {
              this.#noteToken(side, seen);
              resolve(answerOf(seen));
            }),
          );
        });
      });
    });
  }

  #serve(side: Side, route: Route, request: Request): Reply {
    const url = new URL(request.path, access.url);
    const message = { headers: lowerCased(request.headers) };
    const isMaintenance = route !== 'properties' && route !== 'web';
    const reply = isMaintenance
      ? serveMaintenance(this.maintenance, { route, message, url, admin: account })
      : this.#page(route);
    if (route === 'lock' && reply.status === 202) {
      const ticket = this.#gate.enterByForce(['db', 'scm']);
      this.#world.after(busyMs, () => ticket.release());
    }
    this.arrivals.push({ side: side.name, route, atMs: this.#world.nowMs, status: reply.status });
    return reply;
  }

  #page(route: Route): Reply {
    if (this.#gate.locked) return lockedReply();
    return route === 'properties' ? jsonReply(200, applicationProperties) : pageReply(200, 'Dashboard');
  }

  #noteToken(side: Side, { body }: Reply): void {
    const token = /"unlockToken":"(\w+)"/.exec(String(body))?.[1];
    if (token === undefined) return;
    const by = this.told.get(token) ?? [];
    this.told.set(token, [...by, { side: side.name, atMs: this.#world.nowMs }]);
  }
}

function routeOf({ method, path }: Request): Route {
  const name = path.split('?')[0]!;
  return maintenanceRoute(method, name) ?? (name === '/' ? 'web' : 'properties');
}

/** What comes back of a reply in an outage; a call that did not take effect has none. */
function spoil(reply: Reply | undefined, outage: Outage | undefined): Reply | 'nothing' | 'reset' {
  if (!outage) return reply ?? 'reset'; // it ended with this call under way
  switch (outage.how) {
    case 'slow':
      return reply ?? 'reset';
    case 'hang':
      return 'nothing';
    case 'reset':
    case 'down':
      return 'reset';
    case 'login page':
      return pageReply(200, 'Log in');
    case 'error page':
      return pageReply(503, 'Not available');
    case '500':
    case '503':
      return errorReply(Number(outage.how), 'Something went wrong.');
    case '204':
      return emptyReply(204);
    default:
      return outage.how satisfies never;
  }
}

function answerOf({ status, headers, body }: Reply): Answer {
  const contentType = (headers['content-type'] ?? '').split(';')[0] ?? '';
  return { status, contentType, location: '', denied: '', body: String(body) };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function lost(route: Route, code: string): Error {
  return engineError('APP_UNREACHABLE', `Cannot call ${route}: ${code}`, {
    context: { code, neverLeft: code === 'ECONNREFUSED' },
  });
}
