import type { OtherSession } from '../database/index.ts';
import { engineError } from '../errors.ts';
import { expandDataStores } from '../home/index.ts';
import type { SessionsSource, StoppedApplication } from './app.ts';
import { type FolderUser, findUsers } from './folder-users.ts';
import { checkPort, portOf } from './port.ts';

export interface StoppedOptions {
  /** What nobody may use; null: the application has none. */
  readonly home: { readonly root: string; readonly dataStores: readonly string[] } | null;
  /** Whose port must be closed; null: the application has none, or it is not known. */
  readonly url: string | null;
}

/** Of each kind of finding so many are named. */
const namedMax = 3;

/** An application that does not run: no process uses its folders, nobody listens, its database has no other client. */
export function stoppedApplication({ home, url }: StoppedOptions): StoppedApplication {
  const address = url === null ? null : portOf(url);
  const location = url === null ? '' : withoutCredentials(url);
  return {
    type: 'stopped',
    fence: 'stopped',
    location,
    describe: async () => ({ type: 'stopped', version: '', displayName: '', identity: location }),
    async checkStopped({ database, signal }) {
      const [users, isOpen, sessions] = await Promise.all([
        findUsers(await foldersOf(home), { signal }),
        address && checkPort(address, { signal }),
        sessionsOf(database),
      ]);
      signal.throwIfAborted();
      const found = [
        ...named(users.found.map(describeUser)),
        ...(isOpen ? [`something answers on the port of ${location}`] : []),
        ...named(sessions.map(describeSession)),
      ];
      if (found.length > 0) throw running(found);
      return users.unseen;
    },
    close: async () => undefined,
  };
}

async function foldersOf(home: StoppedOptions['home']): Promise<string[]> {
  if (!home) return [];
  const dataStores = await expandDataStores(home.dataStores);
  return [home.root, ...dataStores.map(path => Buffer.from(path).toString())];
}

async function sessionsOf(database: SessionsSource | null): Promise<readonly OtherSession[]> {
  return database ? database.otherSessions() : [];
}

function describeUser({ pid, name, use }: FolderUser): string {
  return `process ${pid} (${name}) ${use}`;
}

function describeSession({ pid, user, application, address }: OtherSession): string {
  const from = address === '' ? '' : ` from ${address}`;
  return `database session ${pid} (${application || 'unnamed'}, ${user}${from}) is open`;
}

function named(found: readonly string[]): string[] {
  const more = found.length - namedMax;
  return more > 0 ? [...found.slice(0, namedMax), `and ${more} more of that kind`] : [...found];
}

function running(found: readonly string[]): Error {
  return engineError('APP_RUNNING', `Cannot back up a stopped application: ${found.join('; ')}`, {
    remedy:
      'Stop it, and whatever else uses its home or its database (shells, poolers, monitors), then run the backup again; ' +
      'or lock it while it runs: app.type: bitbucket or command.',
    context: { found },
  });
}

function withoutCredentials(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`.replace(/\/+$/, '');
}
