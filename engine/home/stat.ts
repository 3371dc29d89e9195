import { type BigIntStats, fstatSync, lstatSync } from 'node:fs';
import { type BytePath, bytesOf } from './paths.ts';

/** What a stat call says, lean enough to make one for every file. */
export interface Stats {
  readonly dev: bigint;
  readonly ino: bigint;
  /** Kind and permission bits, as in st_mode. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
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

/** The two questions, asked of the file system or of a test's stand-in. Both throw Node's errors. */
export interface StatCalls {
  /** Never follows a link; undefined when there is nothing of this name. */
  path(path: BytePath): Stats | undefined;
  open(fd: number, path: BytePath): Stats;
}

export function statCalls(seam?: StatSeam): StatCalls {
  const seen = (path: BytePath, stats: Stats, how: 'path' | 'open'): Stats =>
    seam ? seam(bytesOf(path), stats, how) : stats;
  return {
    path(path) {
      const stats = lstatSync(bytesOf(path), { bigint: true, throwIfNoEntry: false });
      return stats && seen(path, lean(stats), 'path');
    },
    open: (fd, path) => seen(path, lean(fstatSync(fd, { bigint: true })), 'open'),
  };
}

function lean(stats: BigIntStats): Stats {
  return {
    dev: stats.dev,
    ino: stats.ino,
    mode: Number(stats.mode),
    nlink: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: stats.rdev,
    size: Number(stats.size),
    blocks: Number(stats.blocks),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
  };
}
