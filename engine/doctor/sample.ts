import { constants, type Dirent } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { HomeSettings } from '../home/index.ts';
import { bytePathOfText } from '../home/paths.ts';
import { compileExcludes } from '../home/rules/exclude.ts';

/** Enough to meet what a wrong owner or a wrong umask left, and quick on a cold disk. */
const namesMax = 4_000;
/** Of one folder, so that a large one does not take the place of all others. */
const namesOfFolderMax = 60;

export interface Sample {
  readonly looked: number;
  readonly isWhole: boolean;
  readonly unreadable: readonly { readonly path: string; readonly code: string }[];
}

/** Names below a root that a backup would read, each folder in its turn; refs and what is shared come first. */
export async function sampleTree(
  root: string,
  options: { readonly home: HomeSettings; readonly isHome: boolean; readonly signal: AbortSignal },
): Promise<Sample> {
  const { home, isHome, signal } = options;
  const isExcluded = await compileExcludes({
    rules: [...(home.appExcludes ?? []), ...(home.exclude ?? [])],
    repositories: home.excludeRepositories ?? [],
    isHome,
  });
  const unreadable: { path: string; code: string }[] = [];
  const folders = [root];
  let looked = 0;
  let isWhole = true;
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    signal.throwIfAborted();
    if (looked >= namesMax) return { looked, isWhole: false, unreadable };
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      unreadable.push({ path: folder as string, code: error.code ?? 'unknown' });
      return [] as Dirent[];
    });
    if (entries.length > namesOfFolderMax) isWhole = false;
    for (const entry of spread(entries)) {
      const path = join(folder, entry.name);
      if (isExcluded(bytePathOfText(relative(root, path)), entry.isDirectory())) continue;
      looked += 1;
      if (entry.isDirectory()) isUrgent(entry.name) ? folders.unshift(path) : folders.push(path);
      else if (entry.isFile()) {
        // A file that went meanwhile is no matter: people work.
        await access(path, constants.R_OK).catch(({ code }: NodeJS.ErrnoException) => {
          if (code !== 'ENOENT') unreadable.push({ path, code: code ?? 'unknown' });
        });
      }
    }
  }
  return { looked, isWhole, unreadable };
}

/** The urgent ones of a folder, and others from all over it; the same ones on every run. */
function spread(entries: readonly Dirent[]): Dirent[] {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (sorted.length <= namesOfFolderMax) return sorted;
  const step = sorted.length / namesOfFolderMax;
  const some = Array.from({ length: namesOfFolderMax }, (_, i) => sorted[Math.floor(i * step)]!);
  return [...new Set([...sorted.filter(entry => isUrgent(entry.name)), ...some])];
}

const urgent = new Set(['shared', 'data', 'repositories', 'refs', 'heads', 'config']);
const isUrgent = (name: string): boolean => urgent.has(name);
