import type { IncomingMessage } from 'node:http';
import type { Route } from './faults.ts';
import type { BackupTask, Maintenance } from './maintenance.ts';
import { emptyReply, errorReply, jsonReply, type Reply } from './reply.ts';

export interface Account {
  readonly user: string;
  readonly password: string;
}

/** What is read of a request. */
type Headed = Pick<IncomingMessage, 'headers'>;

/** A maintenance request, for a test to look at. */
export interface Call {
  readonly route: Route;
  readonly method: string;
  readonly path: string;
  /** X-Atlassian-Maintenance-Token. */
  readonly token: string | null;
  readonly atMs: number;
}

/** The version that the instance claims. */
export const applicationProperties = {
  version: '8.19.1',
  buildNumber: '8019001',
  buildDate: '1714000000000',
  displayName: 'Bitbucket',
};

/** Which maintenance call a request is; undefined for anything else. */
export function maintenanceRoute(method: string, path: string): Route | undefined {
  switch (`${method} ${path}`) {
    case 'POST /mvc/maintenance/lock':
      return 'lock';
    case 'DELETE /mvc/maintenance/lock':
      return 'unlock';
    case 'POST /mvc/admin/backups':
      return 'backup';
    case 'GET /mvc/maintenance':
      return 'status';
    case 'POST /mvc/admin/backups/progress/client':
      return 'progress';
    case 'POST /mvc/maintenance':
    case 'DELETE /mvc/maintenance':
      return 'cancel';
    default:
      return undefined;
  }
}

/** Serves a maintenance call: the administrator's alone. */
export function serveMaintenance(
  maintenance: Maintenance,
  request: {
    readonly route: Route;
    readonly message: Headed;
    readonly url: URL;
    readonly admin: Account;
  },
): Reply {
  const { route, message, url, admin } = request;
  const given = credentials(message);
  if (given === null || given.user !== admin.user || given.password !== admin.password)
    return {
      ...errorReply(401, 'Authentication failed.'),
      headers: { 'www-authenticate': 'Basic realm="Bitbucket"' },
    };
  const token = url.searchParams.get('token');
  switch (route) {
    case 'lock':
      return lock(maintenance, admin);
    case 'unlock':
      return unlock(maintenance, token);
    case 'backup':
      return startBackup(maintenance, url, maintenanceToken(message));
    case 'status':
      return status(maintenance);
    case 'progress':
      return progress(maintenance, url, token);
    case 'cancel':
      return maintenance.cancel(token) ? emptyReply(202) : errorReply(409, 'No task has this cancel token.');
    default:
      return errorReply(404, 'Nothing here.');
  }
}

/** Name and password of a request, where it has them. */
export function credentials(message: Headed): Account | null {
  const match = /^Basic (.+)$/i.exec(message.headers.authorization ?? '');
  const pair = match ? Buffer.from(match[1]!, 'base64').toString('utf8') : '';
  const colon = pair.indexOf(':');
  return colon < 0 ? null : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

export function maintenanceToken(message: Headed): string | null {
  const value = message.headers['x-atlassian-maintenance-token'];
  return typeof value === 'string' ? value : null;
}

function lock(maintenance: Maintenance, admin: Account): Reply {
  const unlockToken = maintenance.lock();
  if (unlockToken === null) return errorReply(409, 'The system is already locked.');
  const owner = {
    name: admin.user,
    displayName: 'Administrator',
    emailAddress: 'admin@example.invalid',
    active: true,
  };
  return jsonReply(202, { unlockToken, owner });
}

function unlock(maintenance: Maintenance, token: string | null): Reply {
  const outcome = maintenance.unlock(token);
  switch (outcome) {
    case 'unlocked':
      return emptyReply(202);
    case 'not-locked':
      return errorReply(404, 'The system is not locked.');
    case 'wrong-token':
      return errorReply(409, 'The token does not match the lock.');
    default:
      return outcome satisfies never;
  }
}

function startBackup(maintenance: Maintenance, url: URL, token: string | null): Reply {
  if (url.searchParams.get('external') !== 'true')
    return errorReply(400, 'Only external backups are served.');
  const task = maintenance.startBackup(token);
  if (task === null)
    return errorReply(409, 'The system is not locked by this token, or a backup is in progress.');
  return jsonReply(202, { ...describeTask(maintenance, task), cancelToken: task.cancelToken });
}

function status(maintenance: Maintenance): Reply {
  const { task, db, scm } = maintenance.status();
  const described = task === null ? {} : { task: describeTask(maintenance, task) };
  return jsonReply(200, { ...described, 'db-state': db, 'scm-state': scm });
}

function progress(maintenance: Maintenance, url: URL, token: string | null): Reply {
  const percentage = Number(url.searchParams.get('percentage') ?? Number.NaN);
  if (!Number.isInteger(percentage) || percentage < 0 || percentage > 100)
    return errorReply(400, 'The percentage must be 0 to 100.');
  if (!maintenance.progress(token, percentage))
    return errorReply(409, 'No backup of this token is in progress.');
  return emptyReply(202);
}

/** The page gives the application's own share (draining) 10 % and the client's 90 %. */
function describeTask(maintenance: Maintenance, task: BackupTask): Record<string, unknown> {
  const { db, scm } = maintenance.status();
  const drained = task.state === 'SUCCESSFUL' || (db === 'DRAINED' && scm === 'DRAINED');
  const percentage = drained ? 10 + Math.floor(task.percentage * 0.9) : 5;
  const message = drained ? 'Waiting for the backup client' : 'Draining';
  return { id: task.id, type: 'BACKUP', state: task.state, progress: { message, percentage } };
}
