import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNamed, type SnapshotId, type Store } from '../store/index.ts';

/** What this host committed into a store where it is; a copy elsewhere goes its own way. */
export interface CommittedPlace {
  readonly stateDir: string;
  readonly store: Store;
}

interface OfInstance extends CommittedPlace {
  readonly instance: string;
}

/**
 * Says where the snapshot that this host committed last is gone from the store, and nobody forgot it: of a newest snapshot the
 * store itself may have nothing else that would tell. Empty: it is there, or this host remembers none.
 */
export async function missedLast(
  place: OfInstance,
  { parent, signal }: { readonly parent: SnapshotId | undefined; readonly signal: AbortSignal },
): Promise<string[]> {
  const ids = (await readIds(fileOf(place))).filter(id => id !== parent);
  const missed = await gone(place.store, ids, signal);
  const { location } = place.store;
  return missed.map(
    id =>
      `Snapshot ${id.slice(0, 8)}, committed from here, is gone from ${location}, and nobody forgot it: the store is an older copy, or has lost it. Bring it back, or run \`stillpoint repair --forget-lost\`; until then no prune goes on`,
  );
}

/** Remembers what this host committed, and what it misses. Where it cannot, the next run knows less, and nothing fails. */
export async function rememberLast(
  place: OfInstance,
  { snapshot, parent }: { readonly snapshot: SnapshotId; readonly parent: SnapshotId | undefined },
): Promise<void> {
  const file = fileOf(place);
  try {
    const earlier = (await readIds(file)).filter(id => id !== parent);
    const missed = await gone(place.store, earlier, undefined);
    await mkdir(folderOf(place), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, [snapshot, ...missed, ''].join('\n'), { mode: 0o600 });
    await rename(`${file}.new`, file);
  } catch {
    // as above
  }
}

/** The last snapshot of each instance that this host committed, and earlier ones that it missed already. */
export async function committedHere(place: CommittedPlace): Promise<SnapshotId[]> {
  const names = await readdir(folderOf(place)).catch(() => []);
  const lists = await Promise.all(names.map(name => readIds(join(folderOf(place), name))));
  return lists.flat();
}

async function gone(
  store: Store,
  ids: readonly SnapshotId[],
  signal: AbortSignal | undefined,
): Promise<SnapshotId[]> {
  const missed: SnapshotId[] = [];
  for (const id of ids) if (!(await isNamed(store, id, signal ? { signal } : {}))) missed.push(id);
  return missed;
}

async function readIds(file: string): Promise<SnapshotId[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line): line is SnapshotId => /^[0-9a-f]{64}$/.test(line));
}

function folderOf({ stateDir, store }: CommittedPlace): string {
  return join(stateDir, 'committed', hashOf(`${store.id}\n${store.location}`));
}

function fileOf(place: OfInstance): string {
  return join(folderOf(place), hashOf(place.instance));
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
