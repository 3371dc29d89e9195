import type { BigIntStats } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { engineError } from '../errors.ts';
import type { HomeSettings } from '../home/index.ts';
import {
  type BytePath,
  bytePathOfText,
  bytesOf,
  compileExcludes,
  expandDataStores,
  shown,
} from '../home/index.ts';

/** Which folder it is; another one in its place has another. */
export interface FolderIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

const identityOf = ({ dev, ino }: BigIntStats): FolderIdentity => ({ device: dev, inode: ino });
const isSameFolder = (a: FolderIdentity, b: FolderIdentity): boolean =>
  a.device === b.device && a.inode === b.inode;

/**
 * Before anything is locked: nothing may be where the view will be, for what is there now is no view of the window that
 * is to come. HOME_UNREADABLE.
 */
export async function checkMountFree(mount: string, drop: readonly string[]): Promise<void> {
  const found = await lookAt(mount);
  if (found === undefined) return;
  const state = !found.isDirectory()
    ? 'no folder is there'
    : (await isEmpty(mount))
      ? undefined
      : 'it is not empty, perhaps a view that an earlier run left';
  if (state === undefined) return;
  throw engineError('HOME_UNREADABLE', `Cannot take a view of the home at ${mount}: ${state}`, {
    remedy: `See what is there and drop it (${drop.join('; ')}); it must be absent or an empty folder before home.freeze.take runs. The application was not locked.`,
  });
}

/** After `take`: a folder that holds the home, and is not the home. HOME_UNREADABLE. */
export async function checkTaken(mount: string, home: string): Promise<FolderIdentity> {
  const found = await lookAt(mount);
  const live = await stat(home, { bigint: true });
  const problem =
    found === undefined
      ? 'there is nothing'
      : !found.isDirectory()
        ? 'it is no folder'
        : isSameFolder(identityOf(found), identityOf(live)) ||
            (await realpath(mount)) === (await realpath(home))
          ? `it is the home itself, ${home}, which goes on changing`
          : (await isEmpty(mount)) && !(await isEmpty(home))
            ? 'it is empty, and the home is not'
            : undefined;
  if (found && problem === undefined) return identityOf(found);
  throw engineError(
    'HOME_UNREADABLE',
    `Cannot read the home from its view at ${mount} once home.freeze.take has run: ${problem}`,
    {
      remedy:
        'Let home.freeze.take make a read-only view of the volume, and home.freeze.mount name the folder in it that is the home.',
    },
  );
}

/** Another folder in its place is not what was frozen: a view that was unmounted shows an empty one. HOME_UNREADABLE. */
export async function checkStillThere(mount: string, taken: FolderIdentity): Promise<void> {
  const found = await lookAt(mount);
  if (found && isSameFolder(identityOf(found), taken)) return;
  throw engineError('HOME_UNREADABLE', `Cannot read the view of the home at ${mount}: it is gone`, {
    remedy: 'See what unmounted it during the run: only home.freeze.drop may.',
  });
}

/** A data store in another place would be read live, at another moment. CONFIG_INVALID, HOME_UNREADABLE. */
export async function checkDataStores({ root, dataStores = [] }: HomeSettings): Promise<void> {
  const home = await realpath(root);
  for (const found of await expandDataStores(dataStores)) {
    const real = await realpath(bytesOf(found)).catch((cause: unknown) => {
      throw engineError('HOME_UNREADABLE', `Cannot read data store ${shown(found)}: it is not there`, {
        remedy: 'Check home.dataStores, and that their volumes are mounted.',
        cause,
      });
    });
    if (`${real}/`.startsWith(`${home}/`)) continue;
    throw engineError(
      'CONFIG_INVALID',
      `Cannot take a view of data store ${shown(found)}: it does not lie in the home, and home.freeze is about the home`,
      {
        remedy:
          'Back it up as an instance of its own, or leave home.freeze out, so that all of it is read inside the window.',
      },
    );
  }
}

/**
 * A volume that is mounted below the home is not in a view of the home's own volume: its folder there is empty. Unless it is
 * left out, or the view has it too. HOME_UNREADABLE.
 */
export async function checkVolumesBelow(mount: string, settings: HomeSettings): Promise<void> {
  const home = await realpath(settings.root);
  const isExcluded = await compileExcludes({
    rules: [...(settings.appExcludes ?? []), ...(settings.exclude ?? [])],
    repositories: settings.excludeRepositories ?? [],
    isHome: true,
  });
  const view = await realpath(mount);
  for (const place of await mountPoints()) {
    if (!place.startsWith(`${home}/`) || isViewItself(place, view)) continue;
    const relative = place.slice(home.length + 1);
    if (isLeftOut(relative, isExcluded) || (await isEmpty(place)) || !(await isEmpty(`${mount}/${relative}`)))
      continue;
    throw engineError(
      'HOME_UNREADABLE',
      `Cannot read ${place} from the view of the home: a volume of its own is mounted there, and ${mount}/${relative} is empty`,
      {
        remedy: `Let home.freeze.take freeze that volume, too, and mount it there, or exclude /${relative}.`,
      },
    );
  }
}

/** A view may be mounted below the home, as ZFS shows its snapshots, and others beside it. */
const isViewItself = (place: string, view: string): boolean =>
  place.includes('/.zfs/') || `${place}/`.startsWith(`${view}/`) || `${view}/`.startsWith(`${place}/`);

function isLeftOut(relative: string, isExcluded: (path: BytePath, folder: boolean) => boolean): boolean {
  const names = relative.split('/');
  return names.some((_name, i) => isExcluded(bytePathOfText(names.slice(0, i + 1).join('/')), true));
}

/** Folders at which something is mounted. */
async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''); // no /proc: nothing is known
  return text
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
    .map(field =>
      field.replace(/\\([0-7]{3})/g, (_all, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
    );
}

async function lookAt(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw engineError('HOME_UNREADABLE', `Cannot look at home.freeze.mount ${path}: ${message}`, {
      remedy: 'Check the path, and that this user may look there.',
      cause: error,
    });
  }
}

/** What is no folder, or is not there, holds nothing. */
async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).every(name => name === 'lost+found');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return true;
    if (code === 'EACCES') return false; // it is not for us to see: the walk will say so
    throw error;
  }
}
