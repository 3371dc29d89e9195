import { isBeyondUs, isStoreError, StillpointError, type StoreErrorCode, storeError } from './errors.ts';

/** The code of a file system error, such as ENOSPC. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What the medium answered, as a store error; errors that have a code of ours already pass unchanged. */
export function mediumError(
  verb: 'read' | 'list' | 'write' | 'delete',
  what: string,
  error: unknown,
): unknown {
  if (error instanceof StillpointError) return error;
  const errno = errnoOf(error);
  const known = errno === undefined ? undefined : answers[errno];
  const code = verb === 'read' || verb === 'list' ? 'STORE_READ_FAILED' : 'STORE_WRITE_FAILED';
  const reason = known?.state ?? (error instanceof Error ? error.message : String(error));
  return storeError(code, `Cannot ${verb} ${what}: ${reason}`, {
    remedy: known?.remedy ?? 'Look at the system log, mend the medium, then run it again.',
    context: { path: what, errno },
    cause: error,
  });
}

/** True where the medium had no room for what was to be written. */
export function isFull(error: unknown): error is StillpointError {
  return error instanceof StillpointError && ['ENOSPC', 'EDQUOT'].includes(String(error.context['errno']));
}

/** True where who asks has no right to it: that says nothing of what is there. */
export function isForbidden(error: unknown): boolean {
  return error instanceof StillpointError && ['EACCES', 'EPERM'].includes(String(error.context['errno']));
}

/**
 * True for what a look at a store finds of an object, and goes on. Where the format is newer, or the one who looks has no right
 * to read, there is nothing to be found: it ends.
 */
export function isFinding(error: unknown): error is StillpointError<StoreErrorCode> {
  return isStoreError(error) && !isBeyondUs(error) && !isForbidden(error);
}

const pruneHelps = '`stillpoint prune` can do so: it has room set aside';

const answers: Readonly<Record<string, { readonly state: string; readonly remedy: string }>> = {
  ENOSPC: {
    state: 'no space is left',
    remedy: `Free space or inodes on the file system of the store, then run it again; ${pruneHelps}.`,
  },
  EDQUOT: { state: 'the disk quota is used up', remedy: `Raise the quota or free space; ${pruneHelps}.` },
  EROFS: {
    state: 'the file system is read-only',
    remedy: 'Mount it writable; look in the system log for why it is not.',
  },
  EACCES: {
    state: 'permission denied',
    remedy: 'Run as the user that owns the store, or give this one access.',
  },
  EPERM: {
    state: 'the operation is not permitted',
    remedy: 'Check owner and attributes of the store (lsattr).',
  },
  EIO: {
    state: 'the medium failed',
    remedy: 'Check the disk (system log, smartctl); do not trust it until then.',
  },
  ENOENT: { state: 'a folder is missing', remedy: 'Check that the file system of the store is mounted.' },
  ENOTDIR: { state: 'a file is where a folder should be', remedy: 'Check the path of the store.' },
  EISDIR: {
    state: 'a folder is in its place',
    remedy: 'Nothing of the store is a folder there: look at what is in it, and move it out of the store.',
  },
  EMFILE: { state: 'too many files are open', remedy: 'Raise the limit (ulimit -n).' },
  ENFILE: { state: 'too many files are open on this machine', remedy: 'Raise fs.file-max.' },
  ESTALE: { state: 'the network file system lost it', remedy: 'Mount the file system of the store anew.' },
  ETIMEDOUT: {
    state: 'the medium did not answer',
    remedy: 'Check the network file system, then run it again.',
  },
};
