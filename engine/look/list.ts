import type { ChunkSource } from '../../store/index.ts';
import { type DatabaseItem, type DatabaseThing, kindOf } from '../database/index.ts';
import type { HomeEntry } from '../home/entries/entry.ts';
import type { BytePath } from '../home/paths.ts';
import type { OwnerNames } from '../home/system/owners.ts';
import type { Snapshot } from '../pair.ts';
import { rootsOf, type StoredRoot } from './address.ts';
import { findBelow, findPath } from './find.ts';
import { folderEntries } from './folder.ts';

/** One line of a list. */
export type Listed =
  | { readonly in: 'root'; readonly root: StoredRoot; readonly entry: HomeEntry }
  | { readonly in: 'database'; readonly item: DatabaseItem }
  | { readonly in: 'database'; readonly item?: never; readonly group: string | undefined };

export interface ListedPath {
  /** Names of owners when the snapshot was made, by number. */
  readonly owners: OwnerNames;
  readonly entries: AsyncIterable<Listed>;
}

/**
 * What lies at a path of a snapshot: a folder's entries, or the one thing that it names. Without a path the home; `/` is
 * the roots and the database. What is not asked for is not read. PATH_UNKNOWN, USAGE.
 */
export async function listPath(
  source: ChunkSource,
  options: { readonly snapshot: Snapshot; readonly path: string; readonly isDeep: boolean },
): Promise<ListedPath> {
  const { snapshot, isDeep } = options;
  const found = await findPath(source, { snapshot, text: options.path });
  if (found.in === 'snapshot') {
    return { owners: await ownersOf(source, rootsOf(snapshot)[0]), entries: everything(source, options) };
  }
  if (found.in === 'database') {
    const entries = databaseEntries(source, { snapshot, thing: found.thing, isDeep });
    return { owners: nobody, entries };
  }
  return { owners: await ownersOf(source, found.root), entries: belowRoot(source, { ...found, isDeep }) };
}

const nobody: OwnerNames = { users: new Map(), groups: new Map() };

async function ownersOf(source: ChunkSource, root: StoredRoot | undefined): Promise<OwnerNames> {
  const top = root && (await findBelow(source, { root, path: '' as BytePath }));
  return top?.owners ?? nobody;
}

async function* belowRoot(
  source: ChunkSource,
  { root, entry, isDeep }: { root: StoredRoot; entry: HomeEntry; isDeep: boolean },
): AsyncGenerator<Listed> {
  if (entry.kind !== 'folder') {
    yield { in: 'root', root, entry };
    return;
  }
  const folder = entry.path;
  for await (const one of folderEntries(source, { listing: root.listing, folder, isDeep }))
    yield { in: 'root', root, entry: one };
}

async function* everything(
  source: ChunkSource,
  { snapshot, isDeep }: { snapshot: Snapshot; isDeep: boolean },
): AsyncGenerator<Listed> {
  for (const root of rootsOf(snapshot)) {
    const entry = await findBelow(source, { root, path: '' as BytePath });
    if (entry) yield { in: 'root', root, entry };
    if (entry && isDeep) yield* belowRoot(source, { root, entry, isDeep });
  }
  if (!snapshot.database) return;
  yield { in: 'database', group: undefined };
  if (isDeep)
    yield* databaseEntries(source, { snapshot, thing: { group: undefined, schema: undefined }, isDeep });
}

async function* databaseEntries(
  source: ChunkSource,
  { snapshot, thing, isDeep }: { snapshot: Snapshot; thing: DatabaseThing; isDeep: boolean },
): AsyncGenerator<Listed> {
  if (thing.item) {
    yield { in: 'database', item: thing.item };
    return;
  }
  const { listing } = snapshot.database!;
  const { look } = kindOf(snapshot.database!);
  // A kind without folders shows what it holds at once.
  if (look.groups.length === 0)
    for await (const item of look.items(source, { listing, group: '' })) yield { in: 'database', item };
  for (const group of thing.group ? [thing.group] : look.groups) {
    if (!thing.group) yield { in: 'database', group };
    if (!thing.group && !isDeep) continue;
    for await (const item of look.items(source, { listing, group, schema: thing.schema }))
      yield { in: 'database', item };
  }
}
