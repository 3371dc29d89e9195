import { type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hex, type Randomness, syncFolderOf } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { outputFailure } from '../output-file.ts';
import type { ByteSink } from './archive.ts';

/** Where an archive goes. Nothing is there under its name before `commit` has resolved; disposed before, nothing stays. */
export interface ArchiveOutput extends ByteSink, AsyncDisposable {
  commit(): Promise<void>;
}

export interface OutputFileOptions {
  /** Replaces a file that is there. */
  readonly force: boolean;
  readonly randomness: Randomness;
}

/**
 * A file that is there when it is whole: written under another name in its folder, readable by its owner alone.
 * TARGET_NOT_EMPTY, TARGET_FAILED.
 */
export async function openOutputFile(file: string, options: OutputFileOptions): Promise<ArchiveOutput> {
  if (!options.force) await refuseExisting(file);
  const temporary = temporaryFor(file, options.randomness);
  const handle = await guarded(file, () => open(temporary, 'wx', 0o600));
  let state: 'open' | 'closed' | 'done' = 'open';
  return {
    async write(bytes) {
      await guarded(file, () => writeAll(handle, bytes));
    },
    async commit() {
      await guarded(file, () => handle.sync());
      state = 'closed';
      await guarded(file, () => handle.close());
      await guarded(file, () => (options.force ? rename(temporary, file) : nameOnce(temporary, file)));
      state = 'done';
      await guarded(file, () => syncFolderOf(file));
    },
    async [Symbol.asyncDispose]() {
      if (state === 'open') await handle.close().catch(() => undefined); // what it held is thrown away
      if (state !== 'done') await unlink(temporary).catch(() => undefined); // or it was never named
    },
  };
}

export const temporaryFor = (path: string, randomness: Randomness): string =>
  join(dirname(path), `.${basename(path)}.${hex(randomness.bytes(6))}.part`);

async function refuseExisting(file: string): Promise<void> {
  try {
    await stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw outputFailure(error, file);
  }
  throw exists(file);
}

const exists = (file: string): Error =>
  engineError('TARGET_NOT_EMPTY', `Cannot export to ${file}: it is there already`, {
    remedy: 'Name another file, or give --force to replace it.',
  });

/** A link never replaces what came meanwhile; where there are none, a look just before has to do. */
async function nameOnce(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw exists(file);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(code ?? '')) throw error;
    await refuseExisting(file);
    await rename(temporary, file);
    return;
  }
  await unlink(temporary);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}

async function guarded<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw outputFailure(error, file);
  }
}
