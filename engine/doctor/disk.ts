import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type FileSystemProbe, fileSystemOf, isRemote } from '../home/system/filesystem.ts';

/** The file system below a path. */
export interface Disk {
  readonly type: string;
  /** Another machine's. */
  readonly isRemote: boolean;
  /** Gone after a reboot. */
  readonly isInMemory: boolean;
  readonly freeBytes: number;
  /** The same number, the same file system: on this machine, now. */
  readonly device: number;
}

/** What is there of a path: itself, or the nearest folder above it. */
export async function nearestThere(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(path) === path) throw error;
    return nearestThere(dirname(path));
  }
}

export async function diskOf(path: string, seam?: FileSystemProbe | undefined): Promise<Disk> {
  const there = await nearestThere(path);
  const { dev } = await stat(there);
  const { bavail, bsize } = await statfs(there);
  const { type } = fileSystemOf(Buffer.from(there).toString('latin1') as never, {
    dev,
    libc: undefined,
    seam,
  });
  return {
    type,
    isRemote: isRemote(type) || type === 'fuse',
    isInMemory: type === 'tmpfs' || type === '0x858458f6',
    freeBytes: bavail * bsize,
    device: dev,
  };
}

/** `1.5 GiB`. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}
