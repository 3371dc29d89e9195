import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** A file system of a few megabytes that can be filled to the last byte. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  readonly freeBytes: number;
  /** Takes what is left of it, but for so many bytes. */
  fill(options?: { readonly leaveBytes?: number }): void;
  /** Takes every file that it may still hold. */
  fillInodes(): void;
  /** Gives back what was taken. */
  free(): void;
  setReadOnly(state: 'read-only' | 'writable'): void;
}

/** Why there is none here; undefined where there is. */
export const noSmallDisk: string | undefined = whyNone();

function whyNone(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root can mount a small disk';
  const { status } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', '/mnt']);
  return status === 0 ? undefined : 'nothing may be mounted here';
}

/** Mounts one at a path, which it makes. */
export function mountSmallDisk(
  path: string,
  { bytes, inodes }: { readonly bytes: number; readonly inodes?: number },
): SmallDisk {
  mkdirSync(path, { recursive: true });
  const options = [`size=${bytes}`, 'mode=0700', ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`])];
  run('mount', ['-t', 'tmpfs', '-o', options.join(','), 'none', path]);
  const ballast = join(path, '.ballast');
  return {
    path,
    get freeBytes() {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    },
    fill({ leaveBytes = 0 } = {}) {
      const fd = openSync(ballast, 'a');
      const { bavail, bsize } = statfsSync(path);
      const left = bavail * bsize - leaveBytes;
      try {
        for (let taken = 0; taken < left; )
          taken += writeSync(fd, Buffer.alloc(Math.min(65_536, left - taken)));
      } catch {
        // full: that is what was wanted
      }
      closeSync(fd);
    },
    fillInodes() {
      try {
        mkdirSync(`${ballast}s`, { recursive: true });
        for (let i = 0; ; i += 1) writeFileSync(join(`${ballast}s`, String(i)), '');
      } catch {
        // full: that is what was wanted
      }
    },
    free() {
      rmSync(ballast, { force: true });
      const folder = `${ballast}s`;
      for (const name of namesIn(folder)) unlinkSync(join(folder, name));
      rmSync(folder, { recursive: true, force: true });
    },
    setReadOnly(state) {
      run('mount', ['-o', `remount,${state === 'read-only' ? 'ro' : 'rw'}`, path]);
    },
    [Symbol.dispose]() {
      spawnSync('umount', ['-l', path]);
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not made
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
