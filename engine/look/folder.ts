import { type ChunkSource, ListingCursor, type ListingRoot } from '../../store/index.ts';
import { decodeHomeEntry, type HomeEntry, keyOf } from '../home/entries/entry.ts';
import type { BytePath } from '../home/paths.ts';

export interface FolderOptions {
  readonly listing: ListingRoot;
  /** Below the root. */
  readonly folder: BytePath;
  /** Everything below, not only what lies in the folder itself. */
  readonly isDeep?: boolean | undefined;
}

/**
 * What lies in a folder, without the folder itself, in the order of the listing: bytes, a folder's name followed by a
 * slash. What is below its subfolders is passed without being read unless it was asked for.
 */
export async function* folderEntries(
  source: ChunkSource,
  { listing, folder, isDeep = false }: FolderOptions,
): AsyncGenerator<HomeEntry> {
  const prefix = keyOf(folder, 'folder');
  const cursor = new ListingCursor(source, listing);
  await cursor.seek(prefix);
  for (let entry = await cursor.next(); entry; entry = await cursor.next()) {
    if (Buffer.compare(entry.key.subarray(0, prefix.length), prefix) !== 0) return;
    if (entry.key.length === prefix.length) continue; // the folder itself
    const decoded = decodeHomeEntry(entry);
    yield decoded;
    if (decoded.kind === 'folder' && !isDeep) await cursor.seek(behind(entry.key));
  }
}

/** The least key that is greater than all keys below a folder's: its slash becomes the next character. */
export function behind(folderKey: Uint8Array): Uint8Array {
  const key = Buffer.from(folderKey);
  key[key.length - 1] = key[key.length - 1]! + 1;
  return key;
}
