import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import {
  type DatabaseWish,
  databaseTarget,
  engineError,
  hasNoPort,
  type OwnerRule,
  restore as restorePair,
  type Snapshot,
} from '../../engine/index.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Command } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore, storePlace } from '../open-store.ts';
import { describeCommands } from '../render/pair.ts';
import { counted, duration, size } from '../render/quantities.ts';
import { commandsOf } from '../settings/backup.ts';
import { commandDatabase } from '../settings/command-database.ts';
import { type DatabaseWishOptions, databaseWish } from '../settings/database-wish.ts';
import { refuseTargetInside } from '../settings/places.ts';
import { refusePasswordInArgument } from '../settings/secrets.ts';
import { type SnapshotWish, snapshotNamed, warnOfProblems } from '../snapshot-named.ts';
import { writeSql } from '../write-sql.ts';

interface RestoreOptions extends SnapshotWish, DatabaseWishOptions {
  readonly home?: string;
  readonly database?: string;
  readonly only?: 'home' | 'database';
  readonly path: readonly string[];
  readonly repository: readonly string[];
  readonly map: readonly string[];
  readonly owner?: string;
  readonly setJdbc?: true;
  readonly sql?: string;
}

/** Restores the pair, one half with --only, or a part of a half. */
export const restore: Command<RestoreOptions> = async (context, options) => {
  const wish = databaseWish(options);
  if (options.sql !== undefined) return writeSql(context, { ...options, sql: options.sql, wish });
  const asked = checkTargets({ ...options, wish }, context.cwd);
  const liveHome = context.config()?.values.home?.path;
  if (asked.home !== undefined) {
    refuseTargetInside(asked.home, { store: storePlace(context), home: liveHome });
  }
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  const { lacksDatabase, ...targets } = asked;
  // One that lies in the home comes with it, and one that the snapshot does not have is none.
  if (lacksDatabase && snapshot.database && !snapshot.internal) throw notGiven('--database');
  const config = context.config();
  const database =
    asked.database === undefined ? undefined : addressIn(snapshot, { text: asked.database, config });
  if (database?.type === 'command' && asked.setJdbc) throw noJdbcOfCommands();
  const result = await restorePair({
    store,
    clock: context.seams.clock,
    host: hostname(),
    snapshot,
    ...targets,
    database,
    hooks: commandsOf(config?.values.hooks.restore ?? []),
    hooksFolder: config && dirname(config.file),
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
  warnOfProblems(context, store);
  for (const name of snapshot.home?.unreadable ?? []) context.output.warning(`Not in the snapshot: ${name}`);
  for (const warning of result.warnings) context.output.warning(warning);
  for (const loss of result.lost) context.output.warning(`Lost, and not restored: ${loss}`);
  const { home, database: restored } = result;
  context.output.result(
    {
      messageType: 'summary',
      snapshot: snapshot.id,
      home,
      database: restored,
      notRestored: result.notRestored,
      lost: result.lost,
      verified: true,
      durationMs: result.durationMs,
      afterwards: result.afterwards,
      commands: result.commands,
    },
    [
      `Restored snapshot ${snapshot.id.slice(0, 8)} in ${duration(result.durationMs)}; every byte was checked.`,
      ...(home ? [`home       ${counted(home.files, 'file')}, ${size(home.bytes)}`] : []),
      ...(restored ? [`database   ${restoredText(snapshot, restored)}`] : []),
      ...describeCommands(result.commands),
      ...(result.afterwards.length > 0 ? ['', 'Before you start the application:'] : []),
      ...result.afterwards.map(note => `- ${note}`),
    ].join('\n'),
  );
  if (result.hookFailure !== undefined) throw result.hookFailure; // said last: what was restored is whole
  return result.lost.length > 0 ? exitCodes.incomplete : exitCodes.done;
};

/** What a target may be called depends on the kind of the database. USAGE. */
function addressIn(
  { id, database, instance, internal }: Snapshot,
  { text, config }: { readonly text: string; readonly config: LoadedConfig | undefined },
) {
  const configured = config ? commandDatabase(config.values, { file: config.file, instance }) : null;
  if (database) return databaseTarget(database, { text, configured });
  throw engineError('USAGE', `Cannot restore the database: snapshot ${id.slice(0, 8)} holds none`, {
    remedy: internal
      ? 'Its database lies in the home: leave --database out.'
      : 'Restore the other half with --only.',
  });
}

const noJdbcOfCommands = (): Error =>
  engineError(
    'USAGE',
    'Cannot restore: --set-jdbc needs the URL of the database, which only a command knows',
    {
      remedy:
        'Leave it out, and set jdbc.url in bitbucket.properties by hand before you start the application.',
    },
  );

const notGiven = (option: string): Error =>
  engineError('USAGE', `Cannot restore: ${option} was not given`, {
    remedy: 'Give --home FOLDER and --database URL, or restore one half with --only home or --only database.',
  });

function restoredText(
  { database }: Snapshot,
  { tables, rows }: { readonly tables: number; readonly rows: number },
): string {
  if (database?.type === 'command') return `${size(database.bytes)}, by the command of database.restore`;
  return `${counted(tables, 'table')}, ${counted(rows, 'row')}`;
}

function checkTargets(options: RestoreOptions & { readonly wish: DatabaseWish }, cwd: string) {
  const { home, database, only, wish } = options;
  const isPart = options.path.length + options.repository.length > 0;
  const isPartOfDatabase = wish.tables !== undefined || wish.schemas !== undefined;
  if (isPartOfDatabase && (home || only === 'home' || isPart)) {
    throw engineError('USAGE', 'Cannot restore: --table and --schema are parts of the database', {
      remedy: 'Leave the home out; restore it on its own, with --only home.',
    });
  }
  if (wish.isAlongside && !isPartOfDatabase) {
    throw engineError('USAGE', 'Cannot restore: --alongside is for single tables and schemas', {
      remedy: 'Name them with --table or --schema, or leave --alongside out.',
    });
  }
  const wantsHome = only !== 'database' && !isPartOfDatabase;
  const wantsDatabase = only !== 'home' && !isPart;
  if (database) {
    refusePasswordInArgument(database, '--database');
  }
  if (isPart && (database || only === 'database')) {
    throw engineError('USAGE', 'Cannot restore: --path and --repository are parts of the home', {
      remedy: 'Leave --database out; restore the database on its own, with --only database.',
    });
  }
  if (wantsHome && !home) throw notGiven('--home');
  if ((only === 'database' || isPartOfDatabase) && !database) throw notGiven('--database');
  if (options.setJdbc && !(wantsHome && wantsDatabase && database)) {
    throw engineError('USAGE', 'Cannot restore: --set-jdbc needs the home and the database', {
      remedy: 'Leave --set-jdbc out, or restore both.',
    });
  }
  if (options.setJdbc && database && hasNoPort(database)) {
    throw engineError(
      'USAGE',
      'Cannot restore: --set-jdbc needs the port of the server, and a socket has none',
      {
        remedy:
          'Write it beside the socket: mysql://user@127.0.0.1:3306/name?socket=/run/mysqld/mysqld.sock.',
      },
    );
  }
  return {
    lacksDatabase: wantsDatabase && !database,
    setJdbc: options.setJdbc,
    home: wantsHome && home ? resolve(cwd, home) : undefined,
    database: wantsDatabase && database ? database : undefined,
    databaseWish: wish,
    owner: ownerRule(options.owner),
    part: {
      paths: options.path,
      repositories: options.repository,
      map: options.map,
      cwd,
    },
  };
}

function ownerRule(text: string | undefined): OwnerRule | undefined {
  if (text === undefined || text === 'keep' || text === 'by-name') return text;
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  const [user, group] = [Number(uid), Number(gid)];
  if (user <= idMax && group <= idMax) return { uid: user, gid: group };
  throw engineError('USAGE', `Cannot restore: --owner ${text} is no rule`, {
    remedy: 'Give keep, by-name, or two numbers as 1000:1000.',
  });
}

/** The last number stands for none. */
const idMax = 0xfffffffe;
