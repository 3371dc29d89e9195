import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type StillpointError, syncFolderOf } from '../../store/index.ts';
import { engineError } from '../errors.ts';

/** Makes a folder of the state directory for this user alone; on return it and its parents are on the medium. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = path.dirname(made)) await syncFolderOf(made);
}

/** What is asked of the state directory and it does not give, but for what is not there. */
export function stateUnreadable(folder: string, cause: unknown): StillpointError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return engineError('CONFIG_INVALID', `Cannot read ${folder}: ${why}`, {
    remedy: 'Set STILLPOINT_STATE_DIR to the folder that the backups use, and run as their user.',
    cause,
  });
}

/** Without its state directory the program must not lock anything: nobody could unlock it after a crash. */
export function stateUnwritable(file: string, cause: unknown): StillpointError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return engineError('CONFIG_INVALID', `Cannot keep ${file}: ${why}`, {
    remedy: 'Set STILLPOINT_STATE_DIR to a folder on a local disk that this user can write.',
    cause,
  });
}
