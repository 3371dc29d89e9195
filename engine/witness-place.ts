import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';

/** Whether a file is, or would be, part of a store in a folder: whoever changes the store could change it as well. */
export async function isInStore(file: string, location: string): Promise<boolean> {
  if (!isAbsolute(location)) return false; // no folder of this machine
  const way = relative(await realPath(location), await realPath(file));
  return !(way === '..' || way.startsWith('../') || isAbsolute(way));
}

/** Without links, also where the last parts of a path are not there yet. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPath(parent), basename(path));
  }
}
