import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNamed, type SnapshotId, type Store } from '../store/index.ts';

/** Whose last snapshot: of an instance, from this host, in a store where it is; a copy elsewhere goes its own way. */
export interface LastPlace {
  readonly stateDir: string;
  readonly store: Store;
  readonly instance: string;
}

/**
 * Says where the snapshot that this host committed last is gone from the store, and nobody forgot it: of a newest snapshot the
 * store itself has nothing else that would tell. Empty: it is there, or this host remembers none.
 */
export async function missedLast(
  place: LastPlace,
  { parent, signal }: { readonly parent: SnapshotId | undefined; readonly signal: AbortSignal },
): Promise<string[]> {
  const last = await readLast(place);
  if (last === undefined || last === parent || (await isNamed(place.store, last, { signal }))) return [];
  const { location } = place.store;
  return [
    `Snapshot ${last.slice(0, 8)}, the last one from here, is gone from ${location}, and nobody forgot it: the store is an older copy, or has lost it. Run \`stillpoint verify\``,
  ];
}

/** Remembers what this host committed. Where it cannot, the next run knows less, and nothing fails. */
export async function rememberLast(place: LastPlace, snapshot: SnapshotId): Promise<void> {
  const file = fileOf(place);
  try {
    await mkdir(join(place.stateDir, 'last'), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, `${snapshot}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  } catch {
    // as above
  }
}

async function readLast(place: LastPlace): Promise<SnapshotId | undefined> {
  const text = await readFile(fileOf(place), 'utf8').catch(() => '');
  return /^[0-9a-f]{64}\n$/.test(text) ? (text.trim() as SnapshotId) : undefined;
}

function fileOf({ stateDir, store, instance }: LastPlace): string {
  const name = createHash('sha256')
    .update(`${store.id}\n${store.location}\n${instance}`)
    .digest('hex')
    .slice(0, 32);
  return join(stateDir, 'last', name);
}
