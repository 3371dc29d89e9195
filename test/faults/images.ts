import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export type ImageKind = 'ext4' | 'xfs';

/** Small, and what the maker of the file system accepts. */
const imageBytes: Readonly<Record<ImageKind, number>> = { ext4: 48 * 2 ** 20, xfs: 300 * 2 ** 20 };

/** A file system in a file, mounted. */
export interface MountedImage extends Disposable {
  readonly path: string;
  /** The image as it is: what a power cut would leave now. False: the kernel wrote to it meanwhile, so the copy is no instant. */
  copyTo(file: string): boolean;
}

export function makeImage(file: string, kind: ImageKind): void {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, imageBytes[kind]);
  closeSync(fd);
  run(`mkfs.${kind}`, kind === 'ext4' ? ['-q', '-F', file] : ['-q', '-f', file]);
}

/** Who interrupts this must not have to look for what is still mounted. */
const held = new Set<() => void>();
process.once('exit', () => {
  for (const free of held) free();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Mounts an image; what its journal holds is played. */
export function mountImage(
  file: string,
  { kind, path }: { readonly kind: ImageKind; readonly path: string },
): MountedImage {
  mkdirSync(path, { recursive: true });
  const device = run('losetup', ['--find', '--show', file]).trim();
  const free = () => {
    spawnSync('umount', [path]);
    spawnSync('losetup', ['--detach', device]);
    held.delete(free);
  };
  held.add(free);
  try {
    // Copies of an image share its identity, which xfs would refuse to see twice.
    run('mount', ['-t', kind, ...(kind === 'xfs' ? ['-o', 'nouuid'] : []), device, path]);
  } catch (error) {
    free();
    throw error;
  }
  const written = () =>
    readFileSync(join('/sys/block', device.slice('/dev/'.length), 'stat'), 'utf8')
      .trim()
      .split(/\s+/)[4];
  return {
    path,
    copyTo(copy) {
      const before = written();
      run('cp', ['--sparse=always', file, copy]);
      return before === written();
    },
    [Symbol.dispose]: free,
  };
}

/** Why no image can be mounted here. */
export function whyNoImages(kind: ImageKind, folder: string): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount images';
  const file = join(folder, `try.${kind}`);
  try {
    makeImage(file, kind);
    mountImage(file, { kind, path: join(folder, 'try') })[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(file, { force: true });
  }
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
