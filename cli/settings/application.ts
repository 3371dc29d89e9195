import { dirname } from 'node:path';
import {
  type Application,
  type BackupSeams,
  bitbucket,
  commandApplication,
  engineError,
  noApplication,
  stoppedApplication,
} from '../../engine/index.ts';
import type { ConfigFile } from '../config/schema.ts';
import type { Context } from '../context.ts';
import { readSecretFile } from './secrets.ts';

type AppConfig = NonNullable<ConfigFile['app']>;
type Key = Exclude<keyof AppConfig, 'type'>;
type CommandConfig = NonNullable<AppConfig['lock']>;

/** What each type has a use for; anything else that is given is a mistake that would go unnoticed. */
const usedBy: Readonly<Record<AppConfig['type'], readonly Key[]>> = {
  bitbucket: ['url', 'user', 'password', 'passwordFile'],
  command: ['lock', 'wait', 'check', 'unlock'],
  stopped: ['url'],
  none: [],
};

/** The application as it is configured, its secrets read. CONFIG_INVALID for what its type lacks or has no use for. */
export function applicationSettings(
  { env, seams, backupSeams }: Pick<Context, 'env' | 'seams' | 'backupSeams'>,
  given: { readonly values: ConfigFile; readonly file: string; readonly instance: string },
): Application {
  const { values, file } = given;
  const app = values.app ?? { type: 'none' as const };
  refuseUnused(app, file);
  switch (app.type) {
    case 'none':
      return noApplication();
    case 'bitbucket':
      return bitbucketSettings(app, { file, timeouts: backupSeams?.timeouts });
    case 'stopped':
      return stoppedApplication({
        home: values.home ? { root: values.home.path, dataStores: values.home.dataStores } : null,
        url: app.url ?? null,
      });
    case 'command':
      return commandApplication(
        {
          type: 'command',
          instance: given.instance,
          home: values.home?.path ?? null,
          folder: dirname(file),
          env: withoutPassphrase(env),
          lock: commandOf(required(app, { key: 'lock', file })),
          wait: app.wait ? commandOf(app.wait) : null,
          check: app.check ? commandOf(app.check) : null,
          unlock: commandOf(required(app, { key: 'unlock', file })),
        },
        seams,
      );
    default:
      return app.type satisfies never;
  }
}

function bitbucketSettings(
  app: AppConfig,
  { file, timeouts }: { readonly file: string } & Pick<BackupSeams, 'timeouts'>,
): Application {
  const url = required(app, { key: 'url', file });
  const user = required(app, { key: 'user', file });
  const password = app.passwordFile
    ? readSecretFile(app.passwordFile, 'the application password')
    : app.password;
  if (!password) throw lacks('passwordFile', file);
  return bitbucket({ type: 'bitbucket', url, user, password, ...(timeouts ? { timeouts } : {}) });
}

function required<K extends Key>(
  app: AppConfig,
  { key, file }: { readonly key: K; readonly file: string },
): NonNullable<AppConfig[K]> {
  const value = app[key];
  if (!value) throw lacks(key, file);
  return value;
}

function lacks(key: Key, file: string): Error {
  return engineError('CONFIG_INVALID', `Cannot lock the application: ${file} has no app.${key}`, {
    remedy: `Write app.${key}, or app.type: none to back up without a lock.`,
  });
}

function refuseUnused(app: AppConfig, file: string): void {
  const used: readonly string[] = ['type', ...usedBy[app.type]];
  const unused = Object.keys(app).filter(key => app[key as Key] !== undefined && !used.includes(key));
  if (unused.length === 0) return;
  const names = unused.map(key => `app.${key}`).join(', ');
  const types = (Object.keys(usedBy) as AppConfig['type'][]).filter(type =>
    unused.every(key => (usedBy[type] as readonly string[]).includes(key)),
  );
  throw engineError('CONFIG_INVALID', `Cannot use ${file}: app.type ${app.type} has no use for ${names}`, {
    remedy: `Take ${unused.length > 1 ? 'them' : 'it'} out${types.length > 0 ? `, or write app.type: ${types.join(' or ')}` : ''}.`,
  });
}

function commandOf({ run, timeout, name }: CommandConfig) {
  return { run, timeoutMs: timeout, name: name ?? null };
}

function withoutPassphrase(env: NodeJS.ProcessEnv): Record<string, string> {
  const { STILLPOINT_PASSPHRASE: _, ...rest } = env;
  return Object.fromEntries(
    Object.entries(rest).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
