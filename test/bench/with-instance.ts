import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before } from 'node:test';
import {
  createInstance,
  createInstanceDatabase,
  type Instance,
  type InstanceOptions,
} from '../../bench/instance/index.ts';
import { type PostgresServer, startServer } from '../../bench/servers/index.ts';

/** A server and an instance for all tests of a file; `prepare` runs before the first of them. */
export function withInstance(
  options: Omit<InstanceOptions, 'databaseUrl'> = {},
  prepare?: (instance: Instance, server: PostgresServer) => Promise<void>,
): {
  server(): PostgresServer;
  instance(): Instance;
} {
  let server: PostgresServer | undefined;
  let instance: Instance | undefined;
  before(async () => {
    server = await startServer({ kind: 'embedded' });
    const databaseUrl = await createInstanceDatabase(server);
    instance = await createInstance({ databaseUrl, repositories: 3, rows: 400, ...options });
    await prepare?.(instance, server);
  });
  after(async () => {
    await instance?.stop();
    await server?.stop();
  });
  return { server: () => server!, instance: () => instance! };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One raw request, as curl makes it: no redirect followed, nothing added but the headers given. */
export async function call(
  instance: Instance,
  method: string,
  path: string,
  options: {
    readonly headers?: Record<string, string>;
    readonly as?: string | null;
    readonly body?: string;
  } = {},
): Promise<Answer> {
  const as = options.as === undefined ? `${instance.admin.user}:${instance.admin.password}` : options.as;
  const headers = {
    ...(as === null ? {} : { authorization: `Basic ${Buffer.from(as).toString('base64')}` }),
    ...options.headers,
  };
  const sent = request(`${instance.url}${path}`, { method, headers, agent: false });
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

export interface Latched {
  readonly unlockToken: string;
  readonly cancelToken: string;
  readonly taskId: string;
}

/** Locks and starts a backup. */
export async function latch(instance: Instance): Promise<Latched> {
  const { unlockToken } = JSON.parse((await call(instance, 'POST', '/mvc/maintenance/lock')).body) as {
    unlockToken: string;
  };
  const headers = { 'x-atlassian-maintenance-token': unlockToken };
  const started = await call(instance, 'POST', '/mvc/admin/backups?external=true', { headers });
  const task = JSON.parse(started.body) as { id: string; cancelToken: string };
  return { unlockToken, cancelToken: task.cancelToken, taskId: task.id };
}

export async function unlock(instance: Instance, token: string): Promise<Answer> {
  return call(instance, 'DELETE', `/mvc/maintenance/lock?token=${token}`);
}

export interface Status {
  readonly task?: {
    readonly id: string;
    readonly state: string;
    readonly progress: { readonly percentage: number };
  };
  readonly 'db-state': string;
  readonly 'scm-state': string;
}

export async function status(instance: Instance): Promise<Status> {
  return JSON.parse((await call(instance, 'GET', '/mvc/maintenance')).body) as Status;
}
