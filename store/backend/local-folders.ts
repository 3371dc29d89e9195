import { dirname } from 'node:path';
import { syncFolderOf, temporaryPrefix } from '../durable.ts';
import { storeError } from '../errors.ts';
import type { FileSystem } from '../file-system.ts';
import { errnoOf, mediumError } from '../medium-error.ts';

const folderMode = 0o700;

/** Tells the store's folder from another that takes its place. STORE_MISSING. */
export async function rootIdentity(fileSystem: FileSystem, root: string): Promise<string> {
  let facts: Awaited<ReturnType<FileSystem['stat']>>;
  try {
    facts = await fileSystem.stat(root);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw mediumError('read', root, error);
    throw storeMissing(root, 'there is no such folder', error);
  }
  if (facts.kind !== 'folder') throw storeMissing(root, 'it is no folder');
  return facts.identity;
}

function storeMissing(root: string, state: string, cause?: unknown): Error {
  return storeError('STORE_MISSING', `Cannot open a store in ${root}: ${state}`, {
    remedy: 'Check the path and that its file system is mounted, or make a store with `stillpoint init`.',
    cause,
  });
}

/** Makes the folder of a new store. STORE_NOT_EMPTY. */
export async function makeRoot(fileSystem: FileSystem, root: string): Promise<void> {
  try {
    await makeFolders(fileSystem, root);
    const names = (await fileSystem.readFolder(root)).map(entry => entry.name);
    const foreign = names.find(name => name !== 'lost+found' && !name.startsWith(temporaryPrefix));
    if (foreign === undefined || names.includes('config')) return;
    throw storeError(
      'STORE_NOT_EMPTY',
      `Cannot make a store in ${root}: it holds ${JSON.stringify(foreign)}`,
      {
        remedy: 'Choose an empty folder, or one that is not there yet.',
      },
    );
  } catch (error) {
    throw mediumError('write', root, error);
  }
}

async function makeFolders(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.stat(path);
    return;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
  }
  await makeFolders(fileSystem, dirname(path));
  await makeFolder(fileSystem, path);
  await syncFolderOf(path, fileSystem);
}

/** Content when it is there. */
export async function makeFolder(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.makeFolder(path, folderMode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}
