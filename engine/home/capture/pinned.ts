import { closeSync, readSync } from 'node:fs';
import { engineError } from '../../errors.ts';
import type { Pace } from '../pace.ts';
import { type BytePath, shown } from '../paths.ts';
import { isObjectFolder } from '../rules/git-places.ts';
import { type FileReader, isFileError, openForReading } from '../system/read.ts';
import { isFile, type StatCalls, type Stats } from '../system/stat.ts';
import { readXattrs, type Xattr } from '../system/xattrs.ts';
import type { Found } from '../walk/index.ts';

/** A file that is held open until the window is over: its name may go, its bytes stay. */
export interface PinnedFile {
  readonly path: BytePath;
  readonly fd: number;
  readonly stats: Stats;
}

/** Below it a file is read at once: no dearer than opening it. */
const pinnedBytesMin = 64 * 1024;
/** Far below what a process may open. */
const pinnedFilesMax = 128;
const readBytes = 1 << 20;

interface ReadOptions {
  readonly pace: Pace;
  /** Bytes are valid until it has resolved. */
  readonly take: (bytes: Uint8Array) => Promise<void> | undefined;
}

/** Files whose bytes are read after the window. Only what is never written again under its name may be held so. */
export class Pins implements Disposable {
  readonly #stat: StatCalls;
  readonly #open = new Set<number>();

  constructor(stat: StatCalls) {
    this.#stat = stat;
  }

  /**
   * Holds an object or a pack of Git's open, which it wrote elsewhere and gave its name when it was whole; undefined for
   * any other file, for a small one, where too many are held, and where it cannot be opened.
   */
  hold(
    { path, place, stats }: Found,
    { libc, onXattrUnreadable }: Pick<FileReader, 'libc' | 'onXattrUnreadable'>,
  ): (PinnedFile & { readonly xattrs: readonly Xattr[] }) | undefined {
    const isFinal = place === 'objects' && isObjectFolder(path.split('/').at(-2) ?? '');
    if (!isFinal || !isLarge(stats) || this.#open.size >= pinnedFilesMax) return undefined;
    let fd: number | undefined;
    try {
      fd = openForReading(path);
      const opened = this.#stat.open(fd, path);
      const xattrs = readXattrs(fd, { libc, onUnreadable: name => onXattrUnreadable(path, name) });
      if (isLarge(opened)) {
        this.#open.add(fd);
        return { path, fd, stats: opened, xattrs };
      }
    } catch (error) {
      if (!isFileError(error)) throw error; // whoever reads it says what is wrong
    }
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }

  /** Gives the bytes of a held file in order and lets go of it. HOME_UNREADABLE when it is not what it was. */
  async read({ path, fd, stats }: PinnedFile, { pace, take }: ReadOptions): Promise<void> {
    const buffer = new Uint8Array(readBytes);
    for (let at = 0; at < stats.size; ) {
      const read = readFrom(path, () =>
        readSync(fd, buffer, 0, Math.min(buffer.length, stats.size - at), at),
      );
      if (read === 0) throw changed(path, 'it ends sooner');
      at += read;
      await take(buffer.subarray(0, read));
      await pace.rest();
    }
    const now = this.#stat.open(fd, path);
    if (now.size !== stats.size || now.mtimeNs !== stats.mtimeNs) throw changed(path, 'it was written to');
    this.#open.delete(fd);
    closeSync(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open) closeSync(fd);
    this.#open.clear();
  }
}

const isLarge = (stats: Stats): boolean => isFile(stats) && stats.size >= pinnedBytesMin;

function readFrom(path: BytePath, read: () => number): number {
  try {
    return read();
  } catch (error) {
    throw isFileError(error) ? changed(path, `it cannot be read (${error.code})`) : error;
  }
}

function changed(path: BytePath, state: string): Error {
  return engineError('HOME_UNREADABLE', `Cannot read ${shown(path)} as it was inside the window: ${state}`, {
    remedy: 'Run the backup again. Git never writes to its objects: find out who does.',
  });
}
