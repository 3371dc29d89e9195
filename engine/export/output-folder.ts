import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Randomness, syncFolderOf } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { outputFailure } from '../output-file.ts';
import { type FileTarget, type MadeFile, textFile, type WrittenFile } from './archive.ts';
import { temporaryFor } from './output.ts';

/** A folder of files. Nothing is there under its name before `commit` has resolved; disposed before, nothing stays. */
export interface FolderOutput extends FileTarget, AsyncDisposable {
  /** How many bytes the files have. */
  commit(): Promise<number>;
}

/** In an absent or empty folder, never over something. TARGET_NOT_EMPTY, TARGET_FAILED. */
export async function openOutputFolder(
  folder: string,
  options: { readonly randomness: Randomness; readonly signal?: AbortSignal | undefined },
): Promise<FolderOutput> {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw outputFailure(error, folder);
    }
  };
  await guarded(() => refuseFull(folder));
  const temporary = temporaryFor(folder, options.randomness);
  await guarded(() => mkdir(temporary, { mode: 0o700 }));
  const folders = new Set<string>();
  let sums = '';
  let isDone = false;
  let total = 0;

  async function put(path: string, file: MadeFile): Promise<WrittenFile> {
    const place = join(temporary, path);
    if (!folders.has(dirname(place))) {
      await guarded(() => mkdir(dirname(place), { recursive: true, mode: 0o700 }));
      folders.add(dirname(place));
    }
    const handle = await guarded(() => open(place, 'wx', 0o600));
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const piece of file.parts()) {
        options.signal?.throwIfAborted();
        hash.update(piece);
        await guarded(() => writeAll(handle, piece));
        bytes += piece.length;
      }
      await guarded(() => handle.sync());
      const sha256 = hash.digest('hex');
      total += bytes;
      sums += `${sha256}  ${path}\n`;
      return { bytes, sha256 };
    } finally {
      await handle.close();
    }
  }

  return {
    put,
    async commit() {
      await put('SHA256SUMS', textFile(sums));
      for (const one of folders) await guarded(() => syncFolderOf(join(one, '.')));
      await guarded(() => rename(temporary, folder));
      isDone = true;
      await guarded(() => syncFolderOf(folder));
      return total;
    },
    async [Symbol.asyncDispose]() {
      if (!isDone) await rm(temporary, { recursive: true, force: true });
    },
  };
}

/** An empty one is replaced, in one step, by what takes its name. */
async function refuseFull(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (names.length === 0) return;
  throw engineError('TARGET_NOT_EMPTY', `Cannot export to ${folder}: it holds something`, {
    remedy: 'Name a folder that is empty or not there yet.',
  });
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
