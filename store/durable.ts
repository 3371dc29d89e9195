import { dirname, join } from 'node:path';
import { storeError } from './errors.ts';
import { type FileSystem, nodeFileSystem, type OpenFile } from './file-system.ts';
import { hex } from './ids.ts';
import { errnoOf, mediumError } from './medium-error.ts';
import { type Randomness, systemSeams } from './seams.ts';

export interface WriteDurablyOptions {
  /**
   * 'never': the name is created or left alone, in one step, whoever else tries. 'replace': readers see the old bytes or
   * the new.
   */
  readonly overwrite: 'never' | 'replace';
  /** Default 0o600. */
  readonly mode?: number;
  /** 'deferred': the caller makes the folder durable later, with `syncFolder`. Default 'now'. */
  readonly folder?: 'now' | 'deferred';
  readonly signal?: AbortSignal;
  readonly fileSystem?: FileSystem;
  readonly randomness?: Randomness;
}

/** Names of temporary files begin so; what a dead run left of them is never mistaken for anything. */
export const temporaryPrefix = '.tmp-';

const writeAttempts = 3;

/**
 * The one way to write a file that must be there, whole, after a power cut: temporary file in the same folder, write,
 * fsync, link (or rename) to its name, fsync of the folder, unlink of the temporary. The folder exists.
 * STORE_WRITE_FAILED; STORE_UNPROVEN where the file system has no links. 'exists' only with overwrite 'never'.
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array | readonly Uint8Array[],
  options: WriteDurablyOptions,
): Promise<'created' | 'exists'> {
  const { overwrite, fileSystem = nodeFileSystem, signal } = options;
  signal?.throwIfAborted();
  const temporary = await writeTemporary(path, bytes instanceof Uint8Array ? [bytes] : bytes, options);
  let outcome: 'created' | 'exists' = 'created';
  try {
    if (overwrite === 'never') outcome = await linkOnce(fileSystem, temporary, path);
    else await fileSystem.rename(temporary, path);
  } catch (error) {
    await discard(fileSystem, temporary);
    throw mediumError('write', path, error);
  }
  if (options.folder !== 'deferred') {
    try {
      // On 'exists' too: the other writer may not have come this far, and the caller acts on what it saw.
      await syncFolderOf(path, fileSystem);
    } catch (error) {
      // As if the power had failed before the name was durable: nobody may count on it.
      if (overwrite === 'never' && outcome === 'created') await discard(fileSystem, path);
      await discard(fileSystem, temporary);
      throw error;
    }
  }
  if (overwrite === 'never') await discard(fileSystem, temporary);
  return outcome;
}

/** Makes the names in the folder of a path durable. A failure must end the run: a second fsync would prove nothing. */
export async function syncFolderOf(path: string, fileSystem: FileSystem = nodeFileSystem): Promise<void> {
  const folder = dirname(path);
  try {
    await fileSystem.syncFolder(folder);
  } catch (error) {
    if (unsupported.has(errnoOf(error) ?? '')) throw unproven(folder, 'fsync of a folder', error);
    throw mediumError('write', folder, error);
  }
}

/** A fsync that failed may have dropped the pages: the file is thrown away and written anew, a bounded number of times. */
async function writeTemporary(
  path: string,
  parts: readonly Uint8Array[],
  {
    fileSystem = nodeFileSystem,
    randomness = systemSeams.randomness,
    mode = 0o600,
    signal,
  }: WriteDurablyOptions,
): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    const temporary = join(dirname(path), `${temporaryPrefix}${hex(randomness.bytes(12))}`);
    let file: OpenFile;
    try {
      file = await fileSystem.create(temporary, mode);
    } catch (error) {
      throw mediumError('write', path, error);
    }
    const failure = await fill(file, parts);
    if (failure === undefined) return temporary;
    await discard(fileSystem, temporary);
    if (!failure.again || attempt === writeAttempts) throw mediumError('write', path, failure.error);
  }
}

/** Writes, syncs and closes. `again`: the bytes may be lost without a trace, so that writing them anew may help. */
async function fill(
  file: OpenFile,
  parts: readonly Uint8Array[],
): Promise<{ readonly again: boolean; readonly error: unknown } | undefined> {
  let failure: { again: boolean; error: unknown } | undefined;
  try {
    let position = 0;
    for (const part of parts) position = await writeAll(file, part, position);
  } catch (error) {
    failure = { again: false, error };
  }
  if (failure === undefined) {
    try {
      await file.sync();
    } catch (error) {
      failure = { again: true, error };
    }
  }
  try {
    await file.close();
  } catch (error) {
    failure ??= { again: true, error }; // network file systems report late writes here
  }
  return failure;
}

async function writeAll(file: OpenFile, bytes: Uint8Array, start: number): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const count = await file.write(bytes.subarray(done), start + done);
    if (count === 0) throw Object.assign(new Error('the medium took no bytes'), { code: 'ENOSPC' });
    done += count;
  }
  return start + done;
}

/**
 * A lost acknowledgement makes a network file system answer EEXIST, or an error, to a link that succeeded: then the
 * temporary, which nobody else can know, has two names.
 */
async function linkOnce(
  fileSystem: FileSystem,
  temporary: string,
  path: string,
): Promise<'created' | 'exists'> {
  try {
    await fileSystem.link(temporary, path);
    return 'created';
  } catch (error) {
    const { links } = await fileSystem.stat(temporary);
    if (links === 2) return 'created';
    const errno = errnoOf(error) ?? '';
    if (errno === 'EEXIST') return 'exists';
    if (unsupported.has(errno)) throw unproven(path, 'hard links', error);
    throw error;
  }
}

const unsupported = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EMLINK', 'EINVAL']);

function unproven(path: string, what: string, cause: unknown): Error {
  return storeError('STORE_UNPROVEN', `Cannot write ${path}: its file system does not support ${what}`, {
    remedy: 'Put the store on a file system that does (ext4, xfs, btrfs, zfs, NFS).',
    cause,
  });
}

async function discard(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.unlink(path);
  } catch {
    // Clearing up after the fact: a temporary left behind does no harm, and the error that led here says more.
  }
}
