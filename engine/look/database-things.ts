import { type ChunkSource, findEntry, type ListingRoot, readListing } from '../../store/index.ts';
import { type DatabaseEntry, decodeEntry } from '../database/postgres/entry.ts';
import { keyPrefix, type RelationName } from '../database/postgres/entry-parts.ts';
import { engineError } from '../errors.ts';
import { nearestFew } from '../nearest.ts';
import { printableText } from './names.ts';

/** A database is shown as three folders. */
export const databaseGroups = ['definitions', 'sequences', 'tables'] as const;
export type DatabaseGroup = (typeof databaseGroups)[number];

const kindOf = { definitions: 'definitions', sequences: 'sequence', tables: 'relation' } as const;

/** Definitions, a sequence, or a table, a view or whatever else is a relation. */
export type DatabaseItem = Extract<DatabaseEntry, { entry: 'definitions' | 'sequence' | 'relation' }>;

/** What a path behind `database:` names: all, a group, a schema of a group, or one thing. */
export type DatabaseThing =
  | { readonly group: DatabaseGroup | undefined; readonly schema: string | undefined; readonly item?: never }
  | { readonly group: DatabaseGroup; readonly schema?: never; readonly item: DatabaseItem };

export const groupOf = ({ entry }: DatabaseItem): DatabaseGroup =>
  entry === 'definitions' ? 'definitions' : entry === 'sequence' ? 'sequences' : 'tables';

/** `public/comment`, `pre-data`. */
export const nameOfItem = (item: DatabaseItem): string =>
  item.entry === 'definitions' ? item.section : `${item.schema}/${item.name}`;

/** PATH_UNKNOWN. */
export async function findInDatabase(
  source: ChunkSource,
  { listing, path }: { readonly listing: ListingRoot; readonly path: string },
): Promise<DatabaseThing> {
  if (path === '') return { group: undefined, schema: undefined };
  const slash = path.indexOf('/');
  const [first, name] = slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)];
  const group = databaseGroups.find(one => one === first);
  if (!group) throw unknown(path, nearestFew(first, { known: databaseGroups, most: 1 }));
  if (name === '') return { group, schema: undefined };
  for (const key of keysOf(group, name)) {
    const entry = await findEntry(source, listing, key);
    if (entry) return { group, item: decodeEntry(entry) as DatabaseItem };
  }
  const known: string[] = [];
  for await (const item of databaseItems(source, { listing, group })) {
    if (item.entry !== 'definitions' && item.schema === name) return { group, schema: name };
    known.push(nameOfItem(item));
  }
  throw unknown(
    path,
    nearestFew(name, { known, most: 3 }).map(near => `${group}/${near}`),
  );
}

/** A schema and a name may hold slashes, so each may be where one ends. */
function keysOf(group: DatabaseGroup, name: string): Uint8Array[] {
  if (group === 'definitions')
    return [Buffer.concat([keyPrefix('definitions'), Buffer.from(name.replace(/\.sql$/, ''), 'utf8')])];
  const kind = kindOf[group];
  return [...name.matchAll(/\//g)].map(({ index }) => {
    const relation: RelationName = { schema: name.slice(0, index), name: name.slice(index + 1) };
    return keyPrefix(kind, relation);
  });
}

function unknown(path: string, near: readonly string[]): Error {
  return engineError('PATH_UNKNOWN', `Cannot find database:${path}: the database holds no such thing`, {
    remedy:
      near.length > 0
        ? `Did you mean ${near.map(one => `database:${printableText(one)}`).join(' or ')}?`
        : 'See what there is with `stillpoint ls SNAPSHOT database: -r`.',
    context: { near },
  });
}

/** What a group holds, in the order of schema and name. Segments are not read. */
export async function* databaseItems(
  source: ChunkSource,
  { listing, group, schema }: { listing: ListingRoot; group: DatabaseGroup; schema?: string | undefined },
): AsyncGenerator<DatabaseItem> {
  const kind = keyPrefix(kindOf[group]);
  const prefix = schema === undefined ? kind : Buffer.concat([kind, Buffer.from(`${schema}\0`, 'utf8')]);
  for await (const entry of readListing(source, listing, { prefix }))
    yield decodeEntry(entry) as DatabaseItem;
}
