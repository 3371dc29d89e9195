import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, SnapshotId, Store } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { type OwnerRule, restoreHome, spaceOf } from '../home/index.ts';
import type { OnProgress } from '../progress.ts';
import {
  type EarlierRun,
  markUnfinished,
  prepareHomeTarget,
  type RestoreMark,
  removeMarker,
  restoreMarkerName,
  takeHomeTarget,
} from './marker.ts';
import type { HomePart, HomeParts } from './parts.ts';

interface CheckedPart extends HomePart {
  /** What an earlier run left of it; undefined where the folder is empty. */
  readonly earlier: EarlierRun | undefined;
}

/** Parts whose places may be restored into. */
export interface CheckedHome {
  readonly parts: readonly CheckedPart[];
  /** What an earlier run of the whole restore left. */
  readonly earlier: EarlierRun | undefined;
  readonly mark: Pick<RestoreMark, 'snapshot' | 'selection' | 'options'>;
  /** Says in the first part's mark that the database is whole, and that every part is. */
  markWhole(database: string | undefined): Promise<void>;
}

/**
 * Checks that every place is empty, or holds what the same restore left, and that there is room for what is restored.
 * The first part's mark stands for all: it is taken off last. TARGET_NOT_EMPTY, TARGET_FAILED.
 */
export async function checkHome(
  store: Store,
  {
    parts,
    selection,
    snapshot,
    wish,
    ...options
  }: Pick<HomeParts, 'parts' | 'selection'> & {
    readonly snapshot: SnapshotId;
    /** Options as a person gave them: only the same ones go on with what an earlier run left. */
    readonly wish?: RestoreMark['options'];
    readonly clock: Clock;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<CheckedHome> {
  const mark = { snapshot, selection, options: wish };
  const checked: CheckedPart[] = [];
  let first: EarlierRun | undefined;
  for (const [i, part] of parts.entries()) {
    if (i > 0 && first?.wholeFolders?.includes(part.target) && !(await isMarked(part.target))) continue;
    const earlier = await prepareHomeTarget(part.target, mark);
    if (i === 0) first = earlier;
    checked.push({ ...part, earlier });
  }
  await checkSpace(store, checked, options);
  let wholeDatabase = first?.wholeDatabase;
  return {
    parts: checked,
    earlier: first,
    mark,
    async markWhole(database) {
      wholeDatabase = database ?? wholeDatabase;
      const wholeFolders = parts.slice(1).map(({ target }) => target);
      if (wholeDatabase === undefined && wholeFolders.length === 0) return;
      await markUnfinished(parts[0]!.target, { ...mark, wholeDatabase, wholeFolders });
    },
  };
}

async function isMarked(target: string): Promise<boolean> {
  try {
    await stat(`${target}/${restoreMarkerName}`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

export interface RestorePartsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly owner?: OwnerRule | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly wholeDatabase: string | undefined;
  /** Called when all is in place but the marks. */
  readonly onFilled: () => Promise<void>;
}

export interface RestoredParts {
  readonly files: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
}

/** Restores one part within the other, so that none loses its mark before all are there. */
export async function restoreParts(home: CheckedHome, options: RestorePartsOptions): Promise<RestoredParts> {
  const { parts, mark } = home;
  for (const { target, earlier } of parts) {
    if (earlier) await markUnfinished(target, { ...mark, wholeDatabase: options.wholeDatabase });
    else await takeHomeTarget(target, mark);
  }
  const progress: { readonly files: number; readonly bytes: number }[] = parts.map(() => ({
    files: 0,
    bytes: 0,
  }));
  const sum = { files: 0, bytes: 0, warnings: [] as string[] };
  const restoreFrom = async (index: number): Promise<void> => {
    const part = parts[index];
    if (!part) {
      await options.onFilled();
      await home.markWhole(undefined);
      return;
    }
    const { files, bytes, warnings } = await restoreHome({
      source: options.store,
      root: part.root,
      selected: part.selected,
      target: part.target,
      allowed: [restoreMarkerName],
      onFilled: async () => {
        await restoreFrom(index + 1);
        await removeMarker(part.target); // later it would change the folder's time
      },
      owner: options.owner ?? 'keep',
      clock: options.clock,
      signal: options.signal,
      onProgress: done => {
        progress[index] = done;
        const total = (of: 'files' | 'bytes') => progress.reduce((all, one) => all + one[of], 0);
        options.onProgress?.({ phase: 'restore-home', files: total('files'), bytes: total('bytes') });
      },
    });
    sum.files += files;
    sum.bytes += bytes;
    sum.warnings.push(...warnings);
  };
  await restoreFrom(0);
  return sum;
}

/** Refuses before the first byte is written when a file system cannot hold what goes there. */
async function checkSpace(
  store: Store,
  parts: readonly HomePart[],
  options: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const needs = new Map<number, { readonly target: string; readonly freeBytes: number; bytes: number }>();
  for (const { root, target, selected } of parts) {
    const folder = await nearestFolder(target);
    const { dev } = await stat(folder);
    const { bavail, bsize } = await statfs(folder);
    const need = needs.get(dev) ?? { target, freeBytes: bavail * bsize, bytes: 0 };
    need.bytes += await spaceOf(store, { listing: root.listing, selected, ...options });
    needs.set(dev, need);
  }
  for (const { target, freeBytes, bytes } of needs.values()) {
    if (freeBytes >= bytes) continue;
    throw engineError(
      'TARGET_FAILED',
      `Cannot restore into ${target}: ${mebibytes(freeBytes)} are free, ${mebibytes(bytes)} are needed`,
      {
        remedy: 'Make room there or name a folder on a larger file system.',
        context: { freeBytes, neededBytes: bytes },
      },
    );
  }
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

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
