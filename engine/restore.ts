import { mkdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, StillpointError, type Store } from '../store/index.ts';
import { afterwards, databaseOf } from './afterwards.ts';
import { checkDatabaseTarget, restoreDatabase } from './database/index.ts';
import { engineError } from './errors.ts';
import { restoreHome, spaceOf } from './home/index.ts';
import type { PairedHome, Snapshot } from './pair.ts';
import type { OnProgress } from './progress.ts';
import {
  type EarlierRun,
  markUnfinished,
  prepareHomeTarget,
  removeMarker,
  restoreMarkerName,
} from './restore-marker.ts';
import { together } from './together.ts';
import { abortOf, pending } from './waiting.ts';

export interface RestoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly snapshot: Snapshot;
  /** The folder to restore the home into; absent: the home is not restored. */
  readonly home?: string | undefined;
  /** The database to restore into; absent: it is not restored. */
  readonly database?: { readonly url: string; readonly password?: string | undefined } | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface RestoreResult {
  readonly home: { readonly files: number; readonly bytes: number } | null;
  readonly database: { readonly tables: number; readonly rows: number } | null;
  readonly warnings: readonly string[];
  readonly afterwards: readonly string[];
  readonly durationMs: number;
}

/**
 * Restores the pair, or one half. Both targets are checked before anything is written; what a killed run of the same
 * restore left is cleared and begun again. Errors: TARGET_NOT_EMPTY, TARGET_FAILED, RESTORE_MISMATCH, DATABASE_…, the
 * store's.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { snapshot, clock, signal } = options;
  const startedMs = clock.monotonicMs();
  const { home, database } = halvesOf(options);
  const earlier = home ? await prepareHomeTarget(home.target, snapshot.id) : undefined;
  if (home) await checkSpace(home.target, await spaceOfHome(options.store, home.paired));
  const isWhole = database ? await isWholeAlready(database, { ...options, earlier }) : true;

  // Neither half loses its mark before both are there, so that whatever moment ends this run, the next one knows.
  const [homeFilled, databaseWhole] = [pending<void>(), pending<void>()];
  if (!home) homeFilled.resolve();
  if (isWhole) databaseWhole.resolve();
  const [homeResult, restoredDatabase] = await together(
    [
      async s => {
        if (!home) return null;
        const onFilled = () => {
          homeFilled.resolve();
          return Promise.race([databaseWhole.promise, abortOf(s)]);
        };
        const wholeDatabase = isWhole ? earlier?.wholeDatabase : undefined;
        return restoreMarkedHome(home, { ...options, signal: s, wholeDatabase, onFilled });
      },
      async s => {
        if (!database || isWhole) return null;
        const onFilled = async () => {
          await Promise.race([homeFilled.promise, abortOf(s)]);
          if (!home) return;
          await markUnfinished(home.target, { snapshot: snapshot.id, wholeDatabase: database.name });
        };
        const result = await restoreOneDatabase(database, { ...options, signal: s, onFilled });
        databaseWhole.resolve();
        return result;
      },
    ],
    { signal },
  );
  const databaseResult = restoredDatabase ?? (options.database ? snapshot.database : null);
  return {
    home: homeResult && { files: homeResult.files, bytes: homeResult.bytes },
    database: databaseResult && { tables: databaseResult.tables, rows: databaseResult.rows },
    warnings: [...(homeResult?.warnings ?? []), ...(restoredDatabase?.warnings ?? [])],
    afterwards: await afterwards(snapshot, { home: options.home, databaseUrl: options.database?.url }),
    durationMs: Math.round(clock.monotonicMs() - startedMs),
  };
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
    home:
      options.home !== undefined && snapshot.home ? { target: options.home, paired: snapshot.home } : null,
    database:
      options.database && snapshot.database
        ? {
            address: { type: 'postgresql' as const, ...options.database },
            /** For people and for the marker: without user and password. */
            name: databaseOf(options.database.url) ?? '',
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
    await checkDatabaseTarget({ ...address, snapshot: snapshot.id, clock, source: store, root });
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
    source: store,
    root,
    snapshot: snapshot.id,
    digestKey: store.rowDigestKey,
    clock,
    signal,
    onFilled,
    onProgress: ({ rows, bytes }) => options.onProgress?.({ phase: 'restore-database', rows, bytes }),
  });
}

async function restoreMarkedHome(
  home: { target: string; paired: PairedHome },
  {
    wholeDatabase,
    onFilled,
    ...options
  }: RestoreOptions & EarlierRun & { readonly onFilled: () => Promise<void> },
) {
  const [root, ...others] = home.paired.roots;
  if (!root) {
    throw engineError('USAGE', 'Cannot restore the home: the snapshot holds none', {
      remedy: 'Restore the database with --only database.',
    });
  }
  await mkdir(home.target, { recursive: true });
  await markUnfinished(home.target, { snapshot: options.snapshot.id, wholeDatabase });
  const result = await restoreHome({
    source: options.store,
    root,
    target: home.target,
    allowed: [restoreMarkerName],
    onFilled: async () => {
      await onFilled();
      await removeMarker(home.target); // later it would change the folder's time
    },
    owner: 'keep',
    signal: options.signal,
    onProgress: progress => options.onProgress?.({ phase: 'restore-home', ...progress }),
  });
  const left = others.map(
    ({ path }) =>
      `Data store ${Buffer.from(path).toString('utf8')} was NOT restored: it needs a place of its own`,
  );
  return { ...result, warnings: [...result.warnings, ...left] };
}

async function spaceOfHome(store: Store, { roots }: PairedHome): Promise<number> {
  let bytes = 0;
  for (const { listing } of roots) bytes += await spaceOf(store, listing);
  return bytes;
}

/** Refuses before the first byte is written when the file system cannot hold the home. */
async function checkSpace(target: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(await nearestFolder(target));
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw engineError(
    'TARGET_FAILED',
    `Cannot restore into ${target}: ${freeBytes} bytes are free, the home needs ${neededBytes}`,
    {
      remedy: 'Make room there or name a folder on a larger file system.',
    },
  );
}

async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      await statfs(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || folder === dirname(folder)) throw error;
    }
  }
}
