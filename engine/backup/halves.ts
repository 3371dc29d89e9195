import type { DatabaseResult, DatabaseSource, FinishOptions } from '../database/index.ts';
import { engineError } from '../errors.ts';
import { bytesOf, type Home, type HomeResult } from '../home/index.ts';
import type { InternalFile, PairedDatabase, PairedHome, Snapshot } from '../pair.ts';
import type { BackupOptions } from './options.ts';

/** What the window will look at again, and how long a look takes. */
export async function prescan(
  home: Pick<Home, 'prescan'> | null,
  { signal, onProgress }: BackupOptions,
): Promise<{ entries: number; walkMs: number }> {
  if (!home) return { entries: 0, walkMs: 0 };
  const { files, folders, walkMs } = await home.prescan({
    signal,
    onProgress: progress => onProgress({ phase: 'pre-scan', ...progress }),
  });
  return { entries: files + folders, walkMs };
}

export type CopyOptions = Omit<FinishOptions, 'signal' | 'onProgress'>;

/**
 * Copies live what has no base, and everything where the application stays locked until all is durable. Returns how
 * long the rest will take from the pin, as far as the window will last so long: one pass over what is then nearly
 * unchanged, taken now to know.
 */
export async function precopy(
  database: DatabaseSource,
  copy: CopyOptions,
  { holdUntil, signal, seams, onProgress }: BackupOptions,
): Promise<number> {
  const isDurable = holdUntil === 'durable';
  await database.precopy({
    ...copy,
    mode: isDurable ? 'all' : 'new',
    signal,
    onProgress: progress => onProgress({ phase: 'pre-scan', rows: progress.rows }),
  });
  if (!isDurable) return 0;
  const startedMs = seams.clock.monotonicMs();
  await database.estimate({ source: copy.source, signal });
  return seams.clock.monotonicMs() - startedMs;
}

export async function finishDatabase(
  database: DatabaseSource,
  copy: CopyOptions,
  { signal, onProgress }: BackupOptions,
): Promise<DatabaseResult> {
  return database.finish({
    ...copy,
    signal,
    onProgress: ({ rows, bytes, bytesTotal }) => onProgress({ phase: 'finish', rows, bytes, bytesTotal }),
  });
}

export function pairHome(result: HomeResult): PairedHome {
  const { files, folders, bytes, changed, changedInLatch, unreadable } = result;
  const roots = result.roots.map(({ path, listing }) => ({ path, listing }));
  return { roots, files, folders, bytes, changed, changedInLatch, unreadable };
}

/** Null where no database lies in the home. DATABASE_FAILED where it should and does not. */
export function internalFiles(
  { home }: BackupOptions,
  result: HomeResult | null,
): readonly InternalFile[] | undefined {
  const rules = home?.readInWindow ?? [];
  if (rules.length === 0 || !result) return undefined;
  if (result.inWindow.length > 0)
    return result.inWindow.map(({ path, bytes }) => ({ path: bytesOf(path), bytes }));
  throw engineError(
    'DATABASE_FAILED',
    `Cannot back up the database: the home has no file like ${rules.join(' or ')}`,
    {
      remedy: 'Write which files it is as database.files, as rules of .gitignore, and check home.exclude.',
    },
  );
}

export function pairDatabase(result: DatabaseResult): PairedDatabase {
  return { ...result, name: result.database, listing: result.root };
}

export function entriesOf({ home }: Snapshot): number {
  return home ? home.files + home.folders : 0;
}
