import { basename, dirname } from 'node:path';
import {
  type Application,
  type BackupOptions,
  type Command,
  engineError,
  type Hooks,
} from '../../engine/index.ts';
import type { ConfigFile } from '../config/schema.ts';
import { refuseUnbuilt } from '../config/unbuilt.ts';
import type { Context } from '../context.ts';
import { applicationSettings } from './application.ts';
import { checkDumpable, commandDatabase, refuseUnusedOfDatabase } from './command-database.ts';
import { internalDatabase, refuseInternalWithoutHome } from './internal-database.ts';
import { readSecretFile } from './secrets.ts';

/** What a backup takes from the configuration, secrets read. */
export interface BackupSettings
  extends Pick<BackupOptions, 'instance' | 'home' | 'database' | 'configuration' | 'hooks' | 'folder'> {
  readonly app: Application;
  /** Every so manieth snapshot; 0: none. */
  readonly auditEvery: number;
  readonly latch: { readonly drainTimeoutMs: number; readonly maxHoldMs: number };
}

/** CONFIG_INVALID when the configuration lacks what a backup needs. */
export function backupSettings(context: Context): BackupSettings {
  const { values, file } = context.requireConfig();
  refuseUnbuilt(values, file);
  if (!values.home && databaseType(values) === 'none') {
    throw engineError('CONFIG_INVALID', `Cannot back up: ${file} names neither a home nor a database`, {
      remedy: 'Write home.path and database.url into the configuration.',
    });
  }
  const instance = instanceOf(values);
  refuseWrongDatabase(values, file);
  return {
    instance,
    home: values.home
      ? {
          root: values.home.path,
          dataStores: values.home.dataStores,
          exclude: values.home.exclude,
          excludeRepositories: values.home.excludeRepositories.map(String),
          networkHome: values.home.networkHome,
          fileSystem: values.home.fileSystem,
          ...internalDatabase(values, file),
          freeze: freezeSettings(values.home, file),
        }
      : null,
    database: databaseSettings(values, { file, instance }),
    auditEvery: values.database?.auditEvery ?? 0,
    configuration: withoutSecrets(values),
    hooks: hookSettings(values),
    folder: dirname(file),
    app: applicationSettings(context, { values, file, instance }),
    latch: { drainTimeoutMs: values.latch.drainTimeout, maxHoldMs: values.latch.maxHold },
  };
}

/** The application and its instance alone: who wants to unlock at night needs no other secret. CONFIG_INVALID. */
export function lockSettings(context: Context): Pick<BackupSettings, 'app' | 'instance'> {
  const { values, file } = context.requireConfig();
  const instance = instanceOf(values);
  return { instance, app: applicationSettings(context, { values, file, instance }) };
}

type ConfiguredCommand = ConfigFile['hooks']['restore'][number];

/** As the engine runs them. */
export function commandsOf(configured: readonly ConfiguredCommand[]): Command[] {
  return configured.map(({ run, timeout, name }) => ({ run, timeoutMs: timeout, name: name ?? null }));
}

function hookSettings({ hooks }: ConfigFile): Hooks {
  return {
    beforeLock: commandsOf(hooks.beforeLock),
    inWindow: commandsOf(hooks.inWindow),
    afterUnlock: commandsOf(hooks.afterUnlock),
  };
}

function freezeSettings({ freeze }: NonNullable<ConfigFile['home']>, file: string) {
  if (!freeze) return undefined;
  if (freeze.drop.length === 0) {
    throw engineError('CONFIG_INVALID', `Cannot take a view of the home: ${file} has no home.freeze.drop`, {
      remedy:
        'Write the commands that remove what home.freeze.take makes; else it is there when the next run begins.',
    });
  }
  return { take: commandsOf(freeze.take), mount: freeze.mount, drop: commandsOf(freeze.drop) };
}

function databaseType(values: ConfigFile): string {
  return values.database?.type ?? 'none';
}

/** How the URL of each kind begins, and one to copy. */
const urlsOf = {
  postgresql: { begins: /^postgres(ql)?:\/\//, like: 'postgresql://user@host:5432/name' },
  mysql: { begins: /^(mysql|mariadb):\/\//, like: 'mysql://user@host:3306/name' },
} as const;

/** Keys of the database that contradict each other, or the rest. A machine that only restores has no dump. CONFIG_INVALID. */
export function refuseWrongDatabase(values: ConfigFile, file: string): void {
  refuseUnusedOfDatabase(values, file);
  refuseInternalWithoutHome(values, file);
  internalDatabase(values, file);
}

function databaseSettings(
  values: ConfigFile,
  { file, instance }: { readonly file: string; readonly instance: string },
): BackupOptions['database'] {
  const { database } = values;
  if (!database || database.type === 'none' || database.type === 'internal') return null;
  const command = commandDatabase(values, { file, instance });
  if (command) {
    checkDumpable(command, file);
    return command;
  }
  const type = database.type === 'mysql' ? 'mysql' : 'postgresql'; // no other is let through
  const { begins, like } = urlsOf[type];
  if (!database.url) {
    throw engineError('CONFIG_INVALID', `Cannot back up the database: ${file} has no database.url`, {
      remedy: `Write database.url: ${like}`,
    });
  }
  const { url, passwordFile } = database;
  if (!begins.test(url)) {
    throw engineError(
      'CONFIG_INVALID',
      `Cannot back up the database: database.url in ${file} is no ${type}:// URL`,
      { remedy: `Write database.url: ${like}` },
    );
  }
  return {
    type,
    url,
    ...(passwordFile ? { password: readSecretFile(passwordFile, 'the database password') } : {}),
  };
}

/** As configured; else derived, so that the same home and database give the same instance on every run. */
export function instanceOf(values: ConfigFile): string {
  if (values.instance) return values.instance;
  const home = values.home ? basename(values.home.path) : undefined;
  const url = values.database?.url;
  const database = url && /^\w+:\/\/[^/?#]*\/([^?#]*)/.exec(url)?.[1];
  return [home, database].filter(part => part).join('-') || 'default';
}

/** As a manifest keeps it. */
export function withoutSecrets(values: ConfigFile): string {
  const copy = structuredClone(values);
  if (copy.app) delete copy.app.password;
  if (copy.app?.url) copy.app.url = withoutPassword(copy.app.url);
  if (copy.database?.url) copy.database.url = withoutPassword(copy.database.url);
  return JSON.stringify(copy);
}

function withoutPassword(url: string): string {
  // One of several hosts, which only libpq can take apart.
  if (!URL.canParse(url))
    return url.replace(/^(\w+:\/\/[^:/?#]*):[^/?#]*@/, '$1@').replace(/([?&])password=[^&#]*&?/gi, '$1');
  const parsed = new URL(url);
  parsed.password = '';
  parsed.searchParams.delete('password');
  return parsed.toString();
}
