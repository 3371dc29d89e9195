import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
} from 'node:fs';
import { engineError } from '../../errors.ts';
import { type BytePath, bytePath, bytePathOfText, bytesOf, shown } from '../paths.ts';
import { codeOf } from '../system/read.ts';

/** A thing on disk, whatever its name is by now. */
export interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

interface Level<T> {
  readonly name: BytePath;
  /** Of the path below the target. */
  readonly pathLength: number;
  readonly what: T;
  /** Below the target. */
  readonly depth: number;
  /** Undefined while too many others are open. */
  fd: number | undefined;
  /** Of one that was closed: what must be found again. */
  identity: Identity | undefined;
  /** What is not done in it; folders that wait for such are part of it. */
  holds: number;
  /** Of a folder that was left: it is finished with the last hold. */
  finish: (() => void) | undefined;
}

/** Something that is not done yet in a folder, which may be left meanwhile. */
export interface FolderHold {
  /** The folder; open until the release. */
  readonly fd: number | undefined;
}

const openMax = 64;
const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A name in an open folder, as a path that no link can lead astray. */
export const at = (folder: number, name: BytePath): Buffer =>
  bytesOf(`/proc/self/fd/${folder}/${name}` as BytePath);

/**
 * The folders from the target down to where the restore is writing, each made by it and held open, so that nobody can
 * slip a link under it. Deep ones are closed and found again through `..`, which must be what it was.
 */
export class TargetFolders<T> {
  #levels: Level<T>[] = [];
  /** Of the folder that is open: one text for all levels, since a hostile listing has 32,000 of them. */
  #path = '' as BytePath;
  /** Left, and not finished. */
  readonly #waiting = new Set<Level<T>>();
  #opened = 0;

  private constructor() {}

  /** Opens the target, making it and its parents when absent. TARGET_NOT_EMPTY, TARGET_FAILED. */
  static open<T>(
    target: string,
    { what, allowed }: { what: T; allowed: readonly string[] },
  ): TargetFolders<T> {
    const path = bytePathOfText(target);
    const folders = new TargetFolders<T>();
    onTarget(path, () => {
      mkdirSync(target, { recursive: true });
      const fd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
      folders.#push({ name: path, pathLength: 0, what, fd });
    });
    const present = readdirSync(at(folders.fd, '' as BytePath), { encoding: 'buffer' }).map(bytePath);
    const strange = present.filter(name => name !== 'lost+found' && !allowed.includes(name));
    if (strange.length > 0) {
      folders.close();
      throw engineError(
        'TARGET_NOT_EMPTY',
        `Cannot restore into ${shown(path)}: it holds ${shown(strange[0]!)}`,
        {
          remedy: 'Name an empty or absent folder.',
          context: { entries: strange.length },
        },
      );
    }
    return folders;
  }

  /** How many folders are open. */
  get opened(): number {
    return this.#opened;
  }

  get depth(): number {
    return this.#levels.length - 1;
  }

  /** Below the target. */
  get path(): BytePath {
    return this.#path;
  }

  get what(): T {
    return this.#levels.at(-1)!.what;
  }

  get fd(): number {
    const { fd } = this.#levels.at(-1)!;
    if (fd === undefined) throw new TypeError('Cannot use folder: it is closed');
    return fd;
  }

  /** Makes a folder here and goes into it. Only its owner may enter until it is finished. */
  enter(name: BytePath, what: T): void {
    const path = (this.#path === '' ? name : `${this.#path}/${name}`) as BytePath;
    onTarget(path, () => {
      makeFolder(this.fd, name, this.depth === 0);
      const fd = openSync(at(this.fd, name), folderFlags);
      this.#push({ name, pathLength: path.length, what, fd });
    });
    this.#path = path;
    const shallow = this.#levels.at(-1 - openMax);
    if (shallow) this.#closeShallow(shallow);
  }

  /** Keeps the folder that is open now from being finished. */
  hold(): FolderHold & { readonly fd: number } {
    const level = this.#levels.at(-1)!;
    level.holds++;
    if (level.fd === undefined) throw new TypeError('Cannot use folder: it is closed');
    return level as Level<T> & { readonly fd: number };
  }

  /** Call once for each hold. What finishing the folder fails with is thrown here. */
  release(hold: FolderHold): void {
    this.#release(hold as Level<T>);
  }

  /**
   * Goes one folder up. `finish` gives this one its final owner, mode and times as soon as nothing in it is held: now,
   * unless something is.
   */
  leave(finish: (fd: number, what: T) => void): void {
    const level = this.#levels.at(-1)!;
    const fd = this.fd;
    const above = this.#levels.at(-2);
    const pathAbove = this.#path.slice(0, above?.pathLength ?? 0) as BytePath;
    onTarget(this.#path, () => {
      if (above && above.fd === undefined) {
        const parent = openSync(at(fd, '..' as BytePath), folderFlags);
        above.fd = parent;
        this.#opened++;
        if (!above.identity || !isSameThing(identityOf(parent), above.identity)) throw moved(pathAbove);
      }
    });
    const path = this.#path;
    const isHeld = level.holds > 0;
    if (isHeld && above) above.holds++;
    level.finish = () => {
      onTarget(path, () => finish(fd, level.what));
      this.#waiting.delete(level);
      this.#close(level);
      if (isHeld && above) this.#release(above);
    };
    this.#levels.pop();
    this.#path = pathAbove;
    this.#waiting.add(level);
    if (!isHeld) level.finish();
  }

  /** Opens a folder that this run made, from the target down, and hands it to `use`. */
  inside<R>(path: BytePath, use: (fd: number) => R): R {
    if (path === this.path) return use(this.fd);
    const opened: number[] = [];
    try {
      let fd = this.#levels[0]!.fd!;
      for (const name of path === '' ? [] : (path.split('/') as BytePath[])) {
        fd = openSync(at(fd, name), folderFlags);
        opened.push(fd);
        if (opened.length > 1) closeSync(opened.shift()!);
      }
      return use(fd);
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  /** Idempotent. */
  close(): void {
    for (const level of [...this.#levels.splice(0), ...this.#waiting]) this.#close(level);
    this.#waiting.clear();
  }

  #push(level: Pick<Level<T>, 'name' | 'pathLength' | 'what'> & { readonly fd: number }): void {
    const depth = this.#levels.length;
    this.#opened++;
    this.#levels.push({ ...level, depth, holds: 0, finish: undefined, identity: undefined });
  }

  #release(level: Level<T>): void {
    level.holds--;
    if (level.holds > 0) return;
    if (level.finish) level.finish();
    else this.#closeShallow(level);
  }

  /** Closes a folder if there are many open below it; what is done in it needs it open. */
  #closeShallow(level: Level<T>): void {
    if (level.depth === 0 || level.depth > this.depth - openMax || level.holds > 0) return;
    if (level.fd !== undefined) level.identity = identityOf(level.fd);
    this.#close(level);
  }

  #close(level: Level<T>): void {
    if (level.fd === undefined) return;
    closeSync(level.fd);
    level.fd = undefined;
    this.#opened--;
  }
}

function makeFolder(parent: number, name: BytePath, atTop: boolean): void {
  const path = at(parent, name);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // the target may have been made with a file system: its own lost+found counts as nothing
    if (!(atTop && name === 'lost+found' && codeOf(error) === 'EEXIST')) throw error;
    rmdirSync(path);
    mkdirSync(path, { mode: 0o700 });
  }
}

export function identityOf(fd: number): Identity {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return { dev, ino };
}

export function identityOfName(folder: number, name: BytePath): Identity {
  const { dev, ino } = lstatSync(at(folder, name), { bigint: true });
  return { dev, ino };
}

export const isSameThing = (a: Identity, b: Identity): boolean => a.dev === b.dev && a.ino === b.ino;

const moved = (path: BytePath): Error =>
  engineError('TARGET_FAILED', `Cannot restore ${shown(path)}: somebody moved it meanwhile`, {
    remedy: 'Restore into a folder that nobody else writes to.',
  });

const meanings = new Map([
  ['ENOSPC', 'no space or no inodes are left (ENOSPC)'],
  ['EDQUOT', 'the disk quota is used up (EDQUOT)'],
  ['EROFS', 'the file system is read-only (EROFS)'],
  ['EACCES', 'permission denied (EACCES)'],
]);

const remedies = new Map([
  ['ENOSPC', 'Make room and run the same command again, or restore elsewhere.'],
  ['EDQUOT', 'Raise the quota and run the same command again, or restore elsewhere.'],
  ['EROFS', 'Name a folder on a file system that can be written.'],
  ['EACCES', 'Run as a user who may write there.'],
  ['EPERM', 'Run as a user who may write there.'],
  ['EEXIST', 'Restore into a folder that nobody else writes to.'],
  [
    'ENAMETOOLONG',
    'Restore into a folder with a shorter path, or onto a file system that allows longer names.',
  ],
]);

/** Runs calls on the target; what they fail with becomes TARGET_FAILED and names the path. */
export function onTarget<R>(path: BytePath, calls: () => R): R {
  try {
    return calls();
  } catch (error) {
    if (codeOf(error) === undefined || !(error instanceof Error && 'syscall' in error)) throw error;
    throw targetError(path === '' ? 'the home folder' : shown(path), error);
  }
}

/** What a call on the target failed with: TARGET_FAILED, with what can be done about it. */
export function targetError(what: string, cause: unknown): Error {
  const code = codeOf(cause) ?? (cause instanceof Error ? cause.message : String(cause));
  return engineError('TARGET_FAILED', `Cannot restore ${what}: ${meanings.get(code) ?? code}`, {
    remedy: remedies.get(code) ?? 'Check the target’s file system.',
    context: { path: what, code },
    cause,
  });
}
