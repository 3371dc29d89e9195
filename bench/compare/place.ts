import { existsSync, mkdtempSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

const memoryFolder = '/dev/shm';

/**
 * An empty folder, in memory where there is room for twice the bytes: a disk of a virtual machine may write 250 MB a second,
 * which any of the programs can do, and some file systems take ten times as long to make files for minutes after others were
 * removed (ext4 without a journal does), as every round does. The caller removes it.
 */
export function placeFor(scratch: string, bytes: number): string {
  const parent = hasRoom(memoryFolder, 2 * bytes) ? memoryFolder : scratch;
  return mkdtempSync(join(parent, 'stillpoint-place-'));
}

function hasRoom(folder: string, bytes: number): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize > bytes;
}
