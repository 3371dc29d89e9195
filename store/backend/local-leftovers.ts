import { join } from 'node:path';
import { temporaryPrefix } from '../durable.ts';
import type { FileSystem, FolderEntry } from '../file-system.ts';
import { errnoOf, mediumError } from '../medium-error.ts';
import { isObjectName } from './backend.ts';

/** No object takes so long to write; if one does, its put fails and says so. */
export const leftoverAgeMs = 24 * 60 * 60 * 1000;
/** `packs/<2>/` is the deepest folder that objects lie in. */
const depthMax = 2;

/** Removes temporary files below a folder that have not changed since; files that go meanwhile are no matter. */
export async function removeTemporaries(
  fileSystem: FileSystem,
  root: string,
  { before, signal, depth = 0 }: { before: number; signal?: AbortSignal; depth?: number },
): Promise<number> {
  let removed = 0;
  for (const { name, kind } of await entriesOf(fileSystem, root, { mayBeGone: depth > 0 })) {
    signal?.throwIfAborted();
    const path = join(root, name);
    try {
      if (kind === 'folder') {
        const options = { before, depth: depth + 1, ...(signal && { signal }) };
        // Other folders, such as lost+found, are not the store's.
        if (depth < depthMax && isObjectName(name))
          removed += await removeTemporaries(fileSystem, path, options);
      } else if (name.startsWith(temporaryPrefix)) {
        const facts = await fileSystem.stat(path);
        if (facts.kind !== 'file' || facts.mtimeMs >= before) continue;
        await fileSystem.unlink(path);
        removed += 1;
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw mediumError('delete', path, error);
    }
  }
  return removed;
}

async function entriesOf(
  fileSystem: FileSystem,
  folder: string,
  { mayBeGone }: { readonly mayBeGone: boolean },
): Promise<readonly FolderEntry[]> {
  try {
    return await fileSystem.readFolder(folder);
  } catch (error) {
    if (mayBeGone && errnoOf(error) === 'ENOENT') return [];
    throw mediumError('list', folder, error);
  }
}
