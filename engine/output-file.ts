import { dirname } from 'node:path';
import { isStoreError, StillpointError, writeDurably } from '../store/index.ts';
import { engineError } from './errors.ts';

/** Writes a file that a person named, which is no part of a store. TARGET_FAILED, with what helps for that file. */
export async function writeOutputFile(
  file: string,
  bytes: Uint8Array,
  options: { readonly overwrite: 'never' | 'replace'; readonly mode?: number },
): Promise<'created' | 'exists'> {
  try {
    return await writeDurably(file, bytes, options);
  } catch (error) {
    throw outputFailure(error, file);
  }
}

/** What the file system, or a durable write, said of such a file; any other error as it is. */
export function outputFailure(error: unknown, file: string): unknown {
  const isDurable = isStoreError(error);
  const errno = isDurable ? error.context['errno'] : (error as NodeJS.ErrnoException | undefined)?.code;
  if (!isDurable && (error instanceof StillpointError || !/^E[A-Z0-9]+$/.test(String(errno)))) return error;
  const code = String(errno ?? '');
  const message = isDurable ? error.message : `Cannot write ${file}: ${(error as Error).message}`;
  return engineError('TARGET_FAILED', message, {
    remedy: remedyOf(code, dirname(file)),
    context: { path: file, code },
    cause: error,
  });
}

function remedyOf(errno: string, folder: string): string {
  switch (errno) {
    case 'ENOENT':
      return `Make the folder ${folder}, or name a file in one that is there.`;
    case 'ENOTDIR':
      return `${folder} is no folder: name a file in one.`;
    case 'EACCES':
    case 'EPERM':
      return `Name a file in a folder that this user may write to: ${folder} is not one.`;
    case 'EROFS':
      return `${folder} is read-only: name a file elsewhere.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `Free space for ${folder}, or name a file elsewhere.`;
    default:
      return `Look at the file system of ${folder}, or name a file elsewhere.`;
  }
}
