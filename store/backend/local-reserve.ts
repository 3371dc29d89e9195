import { join } from 'node:path';
import { temporaryPrefix } from '../durable.ts';
import type { FileSystem } from '../file-system.ts';
import type { Randomness } from '../seams.ts';

/** Several, since a disk may lack inodes as well as bytes. */
const files = 16;
const bytesEach = 256 * 1024;

const reservePath = (root: string, at: number): string => join(root, `${temporaryPrefix}reserve-${at}`);

/**
 * Sets room aside, so that a prune can begin on a disk that is full: each of its steps creates an object before it
 * deletes one. They are temporary files by name, so they are no objects, and whoever clears away old ones may take them.
 */
export async function keepReserve(
  root: string,
  { fileSystem, randomness }: { readonly fileSystem: FileSystem; readonly randomness: Randomness },
): Promise<void> {
  const bytes = randomness.bytes(bytesEach); // a file system that compresses gives room for nothing else
  for (let at = 0; at < files; at += 1) {
    const path = reservePath(root, at);
    try {
      const { bytes: there } = await fileSystem.stat(path).catch(() => ({ bytes: 0 }));
      if (there === bytesEach) continue;
      await fileSystem.unlink(path).catch(() => undefined); // there is none
      const file = await fileSystem.create(path, 0o600);
      try {
        for (let done = 0; done < bytes.length; ) done += await file.write(bytes.subarray(done), done);
      } finally {
        await file.close();
      }
    } catch {
      await fileSystem.unlink(path).catch(() => undefined); // half of it is no use
      return; // no room, or not ours to write: the next prune tries again
    }
  }
}

/** Gives the room back. False: none was set aside. */
export async function giveReserve(root: string, fileSystem: FileSystem): Promise<boolean> {
  let given = false;
  for (let at = 0; at < files; at += 1) {
    await fileSystem.unlink(reservePath(root, at)).then(
      () => {
        given = true;
      },
      () => undefined, // not there
    );
  }
  return given;
}
