import { readFileSync } from 'node:fs';
import {
  type DoctorOptions,
  examine,
  type Finding,
  failed,
  good,
  type SecretFile,
} from '../../engine/index.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ConfigFile } from '../config/schema.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore, storePlace } from '../open-store.ts';
import { type BackupSettings, backupSettings, instanceOf } from '../settings/backup.ts';
import { cacheDir, stateDir } from '../settings/folders.ts';

interface DoctorWishes {
  readonly mend?: true;
}

/** Checks the set-up before it is needed, and mends what it safely can. All of it is looked at, whatever fails. */
export const doctor: Command<DoctorWishes> = async (context, { mend }) => {
  const own = lookAtConfiguration(context);
  const { seams, signal, env } = context;
  const findings = await examine({
    ...seams,
    signal,
    isMending: mend ?? false,
    stateDir: stateDir(env),
    cacheDir: cacheDir(env),
    ...own.settings,
    seams: context.doctorSeams,
  });
  const all = [
    ...own.findings,
    ...findings.filter(one => !own.findings.some(({ found }) => found === one.found)),
  ];
  const ok = all.every(finding => finding.state !== 'failed');
  context.output.result({ messageType: 'summary', ok, findings: all }, all.map(describe).join('\n'));
  return ok ? exitCodes.done : exitCodes.failed;
};

type Settings = Pick<
  DoctorOptions,
  | 'secrets'
  | 'instance'
  | 'store'
  | 'witness'
  | 'home'
  | 'isBitbucket'
  | 'database'
  | 'openApp'
  | 'applicationUrl'
>;

const nothing: Settings = {
  ...{ secrets: [], instance: null, store: null, witness: null, home: null, database: null },
  ...{ openApp: null, applicationUrl: null, isBitbucket: false },
};

/** What of the configuration can be used, each half for itself, and what is wrong with it. */
function lookAtConfiguration(context: Context): { settings: Settings; findings: readonly Finding[] } {
  const check = 'configuration';
  let config: LoadedConfig;
  try {
    config = context.requireConfig();
  } catch (error) {
    return { settings: { ...nothing, ...storeOf(context) }, findings: [failed(check, error)] };
  }
  const findings: Finding[] = [];
  try {
    void backupSettings(context).app.close();
    findings.push(good(check, `${config.file} names all that a backup needs`));
  } catch (error) {
    findings.push(failed(check, error));
  }
  const { values } = config;
  const part = (more: Partial<ConfigFile>) => partOf(context, { config, more });
  const { home, database, app } = values;
  return {
    settings: {
      ...storeOf(context),
      secrets: secretsOf(context, config),
      instance: instanceOf(values),
      witness: values.witness ?? null,
      home: part({ home })?.home ?? null,
      isBitbucket: app?.type === 'bitbucket',
      database: part({ database })?.database ?? null,
      openApp: home || database ? () => appOf(context, config) : null,
      applicationUrl: app?.type === 'bitbucket' && app.url ? app.url.replace(/\/+$/, '') : null,
    },
    findings,
  };
}

function storeOf(context: Context): Pick<Settings, 'store'> {
  const open = () => openConfiguredStore(context);
  try {
    return { store: { place: storePlace(context), open } };
  } catch {
    return { store: { place: '://', open } }; // opening it says why there is none
  }
}

/** Settings of one half alone; undefined where it is wrong, as the whole has said. */
function partOf(
  context: Context,
  { config, more }: { readonly config: LoadedConfig; readonly more: Partial<ConfigFile> },
): BackupSettings | undefined {
  const { home: _home, database: _database, app: _app, ...rest } = config.values;
  try {
    return backupSettings({ ...context, requireConfig: () => ({ ...config, values: { ...rest, ...more } }) });
  } catch {
    return undefined;
  }
}

/** The application, also where the password of the database is missing. */
function appOf(context: Context, config: LoadedConfig): BackupSettings['app'] {
  const { home, database } = config.values;
  const { passwordFile: _file, ...open } = database ?? {};
  const values = { ...config.values, home, database: database && ({ ...open } as typeof database) };
  return backupSettings({ ...context, requireConfig: () => ({ ...config, values }) }).app;
}

function secretsOf({ env }: Context, { file, values }: LoadedConfig): SecretFile[] {
  const named: readonly (readonly [string, string | undefined])[] = [
    ['the passphrase', env['STILLPOINT_PASSPHRASE_FILE'] || values.passphraseFile],
    ['the key of this host', env['STILLPOINT_KEY_FILE'] || values.keyFile],
    ['the database password', values.database?.passwordFile],
    ['the application password', values.app?.passwordFile],
    ['passwords of databases', env['PGPASSFILE']],
    ['the configuration, which holds a password', holdsPassword(file) ? file : undefined],
  ];
  return named.flatMap(([what, path]) => (path ? [{ what, path }] : []));
}

/** In the text itself, not by way of a variable. */
function holdsPassword(file: string): boolean {
  const text = readFileSync(file, 'utf8').replace(/^\s*#.*$/gm, '');
  return (
    /\bpassword:\s*["']?(?!\$\{)[^\s"',}]/.test(text) || /:\/\/[^\s:@/"']+:(?!\$\{)[^\s@/"']+@/.test(text)
  );
}

function describe({ check, state, found, remedy, mended }: Finding): string {
  const mark = mended ? 'MENDED ' : { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[state];
  return `${mark}  ${check.padEnd(15)} ${found}${remedy ? `\n${' '.repeat(25)}${remedy}` : ''}`;
}
