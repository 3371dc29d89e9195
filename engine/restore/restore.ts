import { type Clock, StillpointError, type Store } from '../../store/index.ts';
import type { Command, CommandRecord } from '../command/index.ts';
import {
  checkDatabaseTarget,
  checkWish,
  type DatabaseAddress,
  type DatabaseWish,
  nameOfDatabase,
  restoreDatabase,
  urlOf,
} from '../database/index.ts';
import { engineError } from '../errors.ts';
import type { OwnerRule } from '../home/index.ts';
import { inSnapshot } from '../naming.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { together } from '../together.ts';
import { abortOf, pending } from '../waiting.ts';
import { afterwards } from './afterwards.ts';
import { checkHome, restoreParts } from './home.ts';
import { aboutHooks, noHooksRan, runRestoreHooks } from './hooks.ts';
import type { EarlierRun } from './marker.ts';
import { type HomeWish, homeParts } from './parts.ts';
import { setJdbc } from './set-jdbc.ts';

export interface RestoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** This machine's name: whoever prunes meanwhile is told. */
  readonly host: string;
  readonly snapshot: Snapshot;
  /** The folder to restore the home into; absent: the home is not restored. */
  readonly home?: string | undefined;
  /** Only a part of the home, and where its data stores go. A part goes without the database. */
  readonly part?: Omit<HomeWish, 'home'> | undefined;
  /** Whose the restored files are; 'keep' unless given: owners by number. */
  readonly owner?: OwnerRule | undefined;
  /** Points the application's jdbc.url to the database that is restored with the home. */
  readonly setJdbc?: boolean | undefined;
  /** The database to restore into; absent: it is not restored. */
  readonly database?: DatabaseAddress | undefined;
  /** Only a part of it, or to other owners. A part goes without the home. */
  readonly databaseWish?: DatabaseWish | undefined;
  /** Run in turn once the restore is whole; not where only a part of the home was asked for. */
  readonly hooks?: readonly Command[] | undefined;
  /** Where they run; else where this process does. */
  readonly hooksFolder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface RestoreResult {
  readonly home: { readonly files: number; readonly bytes: number } | null;
  /** Data stores that were not restored: they had no place. */
  readonly notRestored: readonly string[];
  readonly database: { readonly tables: number; readonly rows: number } | null;
  /** What the snapshot lacks of the halves that were restored: a repair had found it lost. */
  readonly lost: readonly string[];
  readonly warnings: readonly string[];
  readonly afterwards: readonly string[];
  /** Hooks that ended well. */
  readonly commands: readonly CommandRecord[];
  /** What ended the hooks early. What was restored is whole all the same. */
  readonly hookFailure: unknown;
  readonly durationMs: number;
}

/**
 * Restores the pair, or one half. Both targets are checked before anything is written; what a killed run of the same
 * restore left is cleared and begun again. Errors: TARGET_NOT_EMPTY, TARGET_FAILED, RESTORE_MISMATCH, DATABASE_…, the
 * store's.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  try {
    return await restorePair(options);
  } catch (error) {
    throw inSnapshot(error, options.snapshot.id);
  }
}

async function restorePair(options: RestoreOptions): Promise<RestoreResult> {
  const { snapshot, clock, host, signal } = options;
  const startedMs = clock.monotonicMs();
  await using _reading = await options.store.beginReading({ host, snapshots: [snapshot.id], signal });
  const { home: target, database } = halvesOf(options);
  const wish = { home: target ?? '', ...options.part };
  const home = target === null ? null : await homeParts(options.store, { snapshot, wish });
  const isPartOfHome = home !== null && home.selection !== '';
  const { tables, schemas } = options.databaseWish ?? {};
  const isPart = isPartOfHome || Boolean(tables ?? schemas);
  if (database) checkWish(database.address, options.databaseWish);
  if (isPartOfHome && database) {
    throw engineError('USAGE', 'Cannot restore the database: only a part of the home was asked for', {
      remedy: 'Restore the database on its own, with --only database.',
    });
  }
  const mine = { snapshot: snapshot.id, wish: wishOf(options), clock, signal };
  const checked = home && (await checkHome(options.store, { ...home, ...mine }));
  const earlier = checked?.earlier;
  const isWhole = database ? await isWholeAlready(database, { ...options, earlier }) : true;

  // Neither half loses its mark before both are there, so that whatever moment ends this run, the next one knows.
  const [homeFilled, databaseWhole] = [pending<void>(), pending<void>()];
  if (!home) homeFilled.resolve();
  if (isWhole) databaseWhole.resolve();
  const jdbc: string[] = [];
  const [homeResult, restoredDatabase] = await together(
    [
      async s => {
        if (!checked) return null;
        const onFilled = () => {
          const url = urlOf(options.database);
          if (options.setJdbc && target !== null && url !== null) jdbc.push(...setJdbc(target, url));
          homeFilled.resolve();
          return Promise.race([databaseWhole.promise, abortOf(s)]);
        };
        const wholeDatabase = isWhole ? earlier?.wholeDatabase : undefined;
        return restoreParts(checked, { ...options, signal: s, wholeDatabase, onFilled });
      },
      async s => {
        if (!database || isWhole) return null;
        const onFilled = async () => {
          await Promise.race([homeFilled.promise, abortOf(s)]);
          await checked?.markWhole(database.name);
        };
        const result = await restoreOneDatabase(database, { ...options, signal: s, onFilled });
        databaseWhole.resolve();
        return result;
      },
    ],
    { signal },
  );
  const hooks = isPart ? noHooksRan : await runRestoreHooks(options.hooks ?? [], options);
  const databaseResult = restoredDatabase ?? (options.database ? snapshot.database : null);
  return {
    home: homeResult && { files: homeResult.files, bytes: homeResult.bytes },
    database: databaseResult && { tables: databaseResult.tables, rows: databaseResult.rows },
    notRestored: home?.left ?? [],
    lost: lostOf(snapshot, options),
    warnings: [
      ...(homeResult?.warnings ?? []),
      ...(home?.left.map(
        root => `Data store ${root} was NOT restored: give it a place with --map ${root}=NEW`,
      ) ?? []),
      ...(restoredDatabase?.warnings ?? []),
      ...hooks.warnings,
    ],
    afterwards: [
      ...(isPart
        ? []
        : afterwards(snapshot, {
            home: options.home,
            databaseUrl: options.database && (urlOf(options.database) ?? nameOfDatabase(options.database)),
            jdbc,
          })),
      ...(home?.notes ?? []),
      ...(isPart ? [] : aboutHooks(snapshot, options.hooks ?? [])),
    ],
    commands: hooks.records,
    hookFailure: hooks.failure,
    durationMs: Math.round(clock.monotonicMs() - startedMs),
  };
}

/** As the command line has them; a URL without user and password. */
function wishOf({
  owner = 'keep',
  setJdbc,
  database,
  databaseWish = {},
  part,
}: RestoreOptions): Record<string, string> {
  return {
    '--owner': typeof owner === 'string' ? owner : `${owner.uid}:${owner.gid}`,
    ...(setJdbc && { '--set-jdbc': 'given' }),
    ...(database && { '--database': nameOfDatabase(database) }),
    ...databaseWishOf(databaseWish),
    ...(part?.map?.length && { '--map': [...part.map].sort().join(' ') }),
  };
}

function databaseWishOf({ owners, tablespaces }: DatabaseWish): Record<string, string> {
  const { owner = 'keep', grants = true } = owners ?? {};
  return {
    ...(owner !== 'keep' && { '--database-owner': owner === 'restorer' ? 'no' : owner.role }),
    ...(!grants && { '--no-grants': 'given' }),
    ...(tablespaces?.size && { '--tablespace': [...tablespaces].map(pair => pair.join('=')).join(' ') }),
  };
}

function lostOf({ degraded }: Snapshot, { home, database }: RestoreOptions): string[] {
  if (degraded === undefined) return [];
  const isMeant = (half: 'home' | 'database') => (half === 'home' ? home : database) !== undefined;
  const lost = degraded.losses
    .filter(({ half }) => isMeant(half))
    .map(({ half, text }) => `${half}: ${text}`);
  return degraded.more > 0 ? [...lost, `and ${degraded.more} more`] : lost;
}

function halvesOf(options: RestoreOptions) {
  const { snapshot } = options;
  const lacks = (half: string) =>
    engineError('USAGE', `Cannot restore the ${half}: snapshot ${snapshot.id.slice(0, 8)} holds none`, {
      remedy: `Restore the other half with --only.`,
    });
  if (options.home !== undefined && !snapshot.home) throw lacks('home');
  if (options.database && !snapshot.database) throw lacks('database');
  return {
    home: options.home ?? null,
    database:
      options.database && snapshot.database
        ? {
            address: options.database,
            /** For people and for the marker: without user and password. */
            name: nameOfDatabase(options.database),
            root: snapshot.database.listing,
          }
        : null,
  };
}

type DatabaseHalf = NonNullable<ReturnType<typeof halvesOf>['database']>;

/**
 * Checks that the database may be restored into. True when there is nothing to do: an earlier run of this restore had
 * come so far that it was whole, and not to the end of the home. TARGET_NOT_EMPTY.
 */
async function isWholeAlready(
  { address, name, root }: DatabaseHalf,
  { earlier, ...options }: RestoreOptions & { readonly earlier: EarlierRun | undefined },
): Promise<boolean> {
  const { store, snapshot, clock } = options;
  try {
    await checkDatabaseTarget({
      ...address,
      wish: options.databaseWish,
      snapshot: snapshot.id,
      clock,
      source: store,
      root,
    });
    return false;
  } catch (error) {
    const isNamed = name !== '' && earlier?.wholeDatabase === name;
    if (isNamed && error instanceof StillpointError && error.code === 'TARGET_NOT_EMPTY') return true;
    throw error;
  }
}

function restoreOneDatabase(
  { address, root }: DatabaseHalf,
  { onFilled, ...options }: RestoreOptions & { readonly onFilled: () => Promise<void> },
) {
  const { store, snapshot, clock, signal } = options;
  return restoreDatabase({
    ...address,
    wish: options.databaseWish,
    source: store,
    root,
    snapshot: snapshot.id,
    digestKey: store.rowDigestKey,
    stored: snapshot.database ?? undefined,
    clock,
    signal,
    lacksRows: snapshot.degraded !== undefined,
    onFilled,
    onProgress: ({ rows, bytes }) => options.onProgress?.({ phase: 'restore-database', rows, bytes }),
  });
}
