import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { type BytePath, bytesOf, join } from '../paths.ts';
import { deviceNumber, major, makeDevice, minor } from './device.ts';
import { anyFolder, type Libc, type Statx } from './libc.ts';

/** What a stat call says, lean enough to make one for every file. */
export interface Stats {
  /** Which file system, while it is mounted; see `deviceNumber`. */
  readonly dev: number;
  readonly ino: bigint;
  /** Kind and permission bits, as in st_mode. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** As makedev packs it; 0 for what is no device. */
  readonly rdev: bigint;
  readonly size: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** A test seam: changes what the file system is believed to say. 'open' = asked through an open descriptor. */
export type StatSeam = (path: Buffer, stats: Stats, how: 'path' | 'open') => Stats;

export const kindMask = 0o170000;
export const kinds = {
  file: 0o100000,
  folder: 0o040000,
  link: 0o120000,
  fifo: 0o010000,
  characterDevice: 0o020000,
  blockDevice: 0o060000,
  socket: 0o140000,
} as const;

export const isFolder = (stats: Stats): boolean => (stats.mode & kindMask) === kinds.folder;
export const isFile = (stats: Stats): boolean => (stats.mode & kindMask) === kinds.file;

/** How files are asked about: by the C library, by Node, or by a test's stand-in. All throw errors as Node's calls do. */
export interface StatCalls {
  /** Never follows a link; undefined when there is nothing of this name. */
  path(path: BytePath): Stats | undefined;
  open(fd: number, path: BytePath): Stats;
  /** For questions about one folder's children. Close it before the one above it. */
  folder(path: BytePath, hints: FolderHints): FolderStat;
  /** Takes note of the newest answer: what it returns tells whether an open file still has that size, mode and times. */
  mark?(): (fd: number) => boolean;
  /** The bare call, where nothing stands between it and the answers. */
  readonly statx?: Statx | undefined;
}

export interface FolderHints {
  /** About how many there will be. */
  readonly questions: number;
  /** True: it must not be opened, unless there is no folder above it. An unchanged home is looked at from its top. */
  readonly isKnown?: boolean | undefined;
  /** The folder above it and its name there, when that is at hand. */
  readonly above?: { readonly stat: FolderStat; readonly name: BytePath } | undefined;
}

export interface FolderStat {
  /** An open descriptor and the way from it: a short way is a fast one. */
  readonly base?: { readonly fd: number; readonly way: BytePath } | undefined;
  stat(name: BytePath): Stats | undefined;
  close(): void;
}

export function statCalls({
  libc,
  seam,
}: {
  libc: Libc | undefined;
  seam?: StatSeam | undefined;
}): StatCalls {
  const calls = libc?.statx ? callsOfStatx(libc.statx) : callsOfNode;
  if (!seam) return calls;
  const path = (asked: BytePath): Stats | undefined => {
    const stats = calls.path(asked);
    return stats && seam(bytesOf(asked), stats, 'path');
  };
  return {
    path,
    open: (fd, asked) => seam(bytesOf(asked), calls.open(fd, asked), 'open'),
    folder: folder => ({ stat: name => path(join(folder, name)), close: () => {} }),
  };
}

const callsOfNode: StatCalls = {
  path(path) {
    try {
      return lean(lstatSync(bytesOf(path), { bigint: true }));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  },
  open: fd => lean(fstatSync(fd, { bigint: true })),
  folder: folder => ({ stat: name => callsOfNode.path(join(folder, name)), close: () => {} }),
};

function lean(stats: BigIntStats): Stats {
  return {
    dev: deviceNumber(major(stats.dev), minor(stats.dev)),
    ino: stats.ino,
    mode: Number(stats.mode),
    nlink: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: stats.rdev,
    size: Number(stats.size),
    blocks: Number(stats.blocks),
    mtimeNs: storable(stats.mtimeNs),
    ctimeNs: storable(stats.ctimeNs),
  };
}

export const pathOnly = 0o10000000; // O_PATH, which Node does not name
const second = 1_000_000_000n;

/** The newest time that an entry can hold: 2262-04-11. File systems know later ones. */
export const timeNsMax = 2n ** 63n - 1n;

/** A later time counts as the newest: cut to 64 bits it would be one of long ago. None is earlier than 1677. */
function storable(timeNs: bigint): bigint {
  if (timeNs > timeNsMax) return timeNsMax;
  return timeNs < -timeNsMax ? -timeNsMax : timeNs;
}

/** Fewer questions are not worth a descriptor; of a deep path not every folder gets one. */
const questionsMin = 6;
const openMax = 64;

function openFolder(path: BytePath): number | undefined {
  try {
    return openSync(bytesOf(path), pathOnly | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return undefined; // the questions themselves will meet the same error, where it can be told
  }
}

/** In words of struct statx: mode, size, seconds and nanoseconds of both times. */
const markedWords = [7, 10, 11, 24, 25, 26, 28, 29, 30] as const;

/** Half the time of Node's call, and a quarter of its garbage; a folder's descriptor saves the way down to it. */
function callsOfStatx(statx: Statx): StatCalls {
  const { ask, words, longs } = statx;
  // positions in struct statx, in words of 4 and of 8 bytes
  const answer = (): Stats => {
    const mode = words[7]! & 0xffff;
    const kind = mode & kindMask;
    const isDevice = kind === kinds.characterDevice || kind === kinds.blockDevice;
    return {
      dev: deviceNumber(words[34]!, words[35]!),
      ino: BigInt.asUintN(64, longs[4]!),
      mode,
      nlink: words[4]!,
      uid: words[5]!,
      gid: words[6]!,
      rdev: isDevice ? makeDevice({ major: words[32]!, minor: words[33]! }) : 0n,
      size: Number(longs[5]!),
      blocks: Number(longs[6]!),
      mtimeNs: storable(longs[14]! * second + BigInt(words[30]!)),
      ctimeNs: storable(longs[12]! * second + BigInt(words[26]!)),
    };
  };
  /** What changes when a file is written, from the newest answer that was marked. */
  const marked = new Float64Array(markedWords.length);
  const mark = (): void => {
    for (let i = 0; i < markedWords.length; i++) marked[i] = words[markedWords[i]!]!;
    marked[0]! &= 0xffff; // the rest of the mode's word is padding
  };
  const isMarked = (fd: number): boolean => {
    ask(fd, '' as BytePath);
    for (let i = 1; i < markedWords.length; i++) if (marked[i] !== words[markedWords[i]!]) return false;
    return marked[0] === (words[markedWords[0]!]! & 0xffff);
  };
  let open = 0;
  const at = (folder: number, name: BytePath): Stats | undefined =>
    ask(folder, name) ? answer() : undefined;
  return {
    statx,
    mark() {
      mark();
      return isMarked;
    },
    path: path => at(anyFolder, path),
    open(fd) {
      ask(fd, '' as BytePath);
      return answer();
    },
    folder(path, { questions, above, isKnown = false }) {
      const isKeptShut = questions < questionsMin || open >= openMax || (isKnown && above !== undefined);
      const fd = isKeptShut ? undefined : openFolder(path);
      if (fd === undefined) {
        const from = above?.stat.base;
        const base = from && { fd: from.fd, way: join(from.way, above.name) };
        const { fd: folder, way } = base ?? { fd: anyFolder, way: path };
        return { base, stat: name => at(folder, join(way, name)), close: () => {} };
      }
      open++;
      return {
        base: { fd, way: '' as BytePath },
        stat: name => at(fd, name),
        close() {
          open--;
          closeSync(fd);
        },
      };
    },
  };
}
