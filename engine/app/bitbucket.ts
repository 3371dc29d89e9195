import { StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { type Expectation, expectStatus, isPage, readObject, readText, refuse } from './answers.ts';
import type { BitbucketAccess, CallOptions, LatchedApplication, LockAnswer, Timeouts } from './app.ts';
import { type Answer, neverLeft, openTransport, type Request } from './http.ts';

const timeoutsDefault: Timeouts = {
  connectMs: 5_000,
  headersMs: 10_000,
  bodyMs: 10_000,
  lockMs: 60_000,
  stateMs: 5_000,
};
const versionMin = 4;

/**
 * Bitbucket Server and Data Center, by their maintenance protocol. Makes each call once: whoever holds the latch decides
 * what is tried again. Does not persist anything and does not know budgets. The transport is a seam for tests.
 */
export function bitbucket(
  access: BitbucketAccess,
  { open = openTransport }: { readonly open?: typeof openTransport } = {},
): LatchedApplication {
  const base = parseBase(access.url);
  const timeouts = { ...timeoutsDefault, ...access.timeouts };
  const transport = open(base, timeouts);
  const location = `${base.origin}${base.pathname}`.replace(/\/+$/, '');
  const plain = { Accept: 'application/json', 'Content-type': 'application/json' };
  const authorization = `Basic ${Buffer.from(`${access.user}:${access.password}`).toString('base64')}`;
  const send = (method: Request['method'], path: string, more: Partial<Request> = {}): Promise<Answer> =>
    transport.send({
      method,
      path,
      ...more,
      headers: { ...plain, Authorization: authorization, ...more.headers },
    });
  const expected = (call: string, status: readonly number[]): Expectation => ({
    call,
    status,
    user: access.user,
  });

  async function describe({ signal, aside }: CallOptions = {}) {
    const what = expected(`ask ${location} for its version`, [200]);
    const path = '/rest/api/1.0/application-properties';
    const answer = await transport.send({ method: 'GET', path, headers: plain, signal, aside });
    if (answer.status === 503 && (await isLocked({ signal, aside }))) throw locked(`use ${location}`);
    const facts = readObject(answer, what);
    const version = readText(facts, { field: 'version', expected: what });
    if (Number.parseInt(version, 10) < versionMin) {
      throw refuse(what, `it is version ${version}`, `Stillpoint needs Bitbucket ${versionMin}.0 or newer.`);
    }
    const displayName = typeof facts['displayName'] === 'string' ? facts['displayName'] : '';
    return { type: 'bitbucket' as const, version, displayName, identity: location };
  }

  /** Of an application that serves nothing: its maintenance calls go on when it is locked, and only then. */
  async function isLocked(options: Partial<Request>): Promise<boolean> {
    const answer = await send('GET', '/mvc/maintenance', options);
    return [200, 404, 409].includes(answer.status) && !isPage(answer);
  }

  /** Whether the base URL leads to the application now, and not to something before it that answers in its place. */
  async function isReached(options: CallOptions): Promise<boolean> {
    try {
      await describe(options);
      return true;
    } catch (error) {
      if (error instanceof StillpointError) return false;
      throw error;
    }
  }

  return {
    type: 'bitbucket',
    fence: 'latched',
    location,
    access,
    lockMsMax: timeouts.connectMs + timeouts.lockMs + timeouts.bodyMs,
    describe,
    async checkAccess({ signal, aside } = {}) {
      const answer = await send('GET', '/mvc/maintenance', { signal, aside });
      const { status } = answer;
      // Without a lock there is nothing to tell; only a login page or a refused login would be bad news.
      if ((status >= 200 && status < 400) || status === 401 || status === 403) {
        expectStatus(answer, expected(`use ${location} as ${access.user}`, [200]));
      }
      return status >= 500 ? `it answered ${status} when asked for its maintenance state` : undefined;
    },
    newToken: async () => null,
    endLock: async () => undefined, // a request ends with its connection
    async lock() {
      let answer: Answer;
      try {
        answer = await send('POST', '/mvc/maintenance/lock', { headersTimeoutMs: timeouts.lockMs });
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        if (neverLeft(error)) return { outcome: 'refused', occupied: false, error };
        return { outcome: 'unknown', error };
      }
      return readLock(answer, { what: expected(`lock ${location}`, [200, 201, 202]), location });
    },
    async startBackup(token, { signal, aside } = {}) {
      const what = expected(`start the backup task in ${location}`, [200, 201, 202]);
      const path = '/mvc/admin/backups?external=true';
      const task = readObject(await send('POST', path, { headers: maintenance(token), signal, aside }), what);
      const id = readText(task, { field: 'id', expected: what });
      const cancelToken = task['cancelToken'];
      return { id, cancelToken: typeof cancelToken === 'string' && cancelToken !== '' ? cancelToken : null };
    },
    async state(token, { signal, aside } = {}) {
      const what = expected(`ask ${location} for its maintenance state`, [200]);
      const state = readObject(
        await send('GET', '/mvc/maintenance', {
          headers: maintenance(token),
          headersTimeoutMs: timeouts.stateMs,
          signal,
          aside,
        }),
        what,
      );
      return {
        task: readTask(state['task']),
        databaseState: text(state['db-state']),
        homeState: text(state['scm-state']),
      };
    },
    async progress(token, { percent, signal, aside }) {
      const path = `/mvc/admin/backups/progress/client?token=${encodeURIComponent(token)}&percentage=${percent}`;
      expectStatus(
        await send('POST', path, { signal, aside }),
        expected(`report progress to ${location}`, [200, 202]),
      );
    },
    async unlock(token, options = {}) {
      const path = `/mvc/maintenance/lock?token=${encodeURIComponent(token)}`;
      const answer = await send('DELETE', path, options);
      if (answer.status === 409 && !isPage(answer)) return 'lapsed';
      // Proxies and half-started servers answer 404 too, and that says nothing about the lock.
      if (answer.status === 404 && (await isReached(options))) return 'lapsed';
      expectStatus(answer, expected(`unlock ${location}`, [200, 202]));
      return 'unlocked';
    },
    async cancel(cancelToken, { signal, aside } = {}) {
      const path = `/mvc/maintenance?token=${encodeURIComponent(cancelToken)}`;
      const answer = await send('DELETE', path, { signal, aside });
      expectStatus(answer, expected(`cancel the backup task in ${location}`, [200, 202, 204, 404]));
    },
    async isServing(options = {}) {
      const headers = { Accept: 'text/html' };
      const page = await transport.send({ method: 'GET', path: '/', ...options, headers });
      const isElsewhere =
        page.location !== '' &&
        !(URL.canParse(page.location, base.href) && new URL(page.location, base).origin === base.origin);
      return page.status < 500 && !isElsewhere && (await isReached(options));
    },
    manual: {
      unlock: token =>
        `${curl(access)} -X DELETE '${location}/mvc/maintenance/lock?token=${encodeURIComponent(token)}'`,
      cancel: token =>
        `${curl(access)} -X DELETE '${location}/mvc/maintenance?token=${encodeURIComponent(token)}'`,
    },
    close: () => transport.close(),
  };
}

function readLock(
  answer: Answer,
  { what, location }: { readonly what: Expectation; readonly location: string },
): LockAnswer {
  if (answer.status === 409) {
    return { outcome: 'refused', occupied: true, error: locked(`lock ${location}`) };
  }
  try {
    const token = readText(readObject(answer, what), { field: 'unlockToken', expected: what });
    return { outcome: 'locked', token };
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    // A success without a readable token, and a failure, may have locked, whatever it looks like: there are proxies
    // that pass a call on and put a page of their own in place of its answer. A redirect and a refusal come from before.
    const mayHaveLocked = answer.status < 300 || answer.status >= 500;
    return mayHaveLocked ? { outcome: 'unknown', error } : { outcome: 'refused', occupied: false, error };
  }
}

function locked(call: string): StillpointError {
  return engineError('APP_LOCKED', `Cannot ${call}: it is locked already`, {
    remedy:
      'Wait until its maintenance ends; if a run of this program left the lock, run `stillpoint unlock`.',
  });
}

function readTask(task: unknown): { id: string; state: string } | null {
  if (typeof task !== 'object' || task === null) return null;
  const { id, state } = task as { readonly id?: unknown; readonly state?: unknown };
  return { id: text(id), state: text(state) };
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function maintenance(token: string): Record<string, string> {
  return { 'X-Atlassian-Maintenance-Token': token };
}

function curl({ user }: BitbucketAccess): string {
  return `curl -u '${user.replaceAll("'", `'\\''`)}' -H 'Accept: application/json' -H 'Content-type: application/json'`;
}

function parseBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base && (base.protocol === 'http:' || base.protocol === 'https:')) return base;
  throw engineError('CONFIG_INVALID', `Cannot use the application's URL: it is not http or https`, {
    remedy: 'Set app.url to the base URL of the application, such as https://bitbucket.example.com.',
  });
}
