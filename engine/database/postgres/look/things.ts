import { type ChunkSource, findEntry, type ListingRoot, readListing } from '../../../../store/index.ts';
import { contentParts } from '../../../ingest/index.ts';
import { nearestFew } from '../../../nearest.ts';
import type { DatabaseItem, DatabaseThing } from '../../kind.ts';
import { type DatabaseGroup, databaseGroups, said, unknownThing } from '../../shown.ts';
import { type DatabaseEntry, decodeEntry } from '../entries/entry.ts';
import { keyPrefix, type RelationName } from '../entries/entry-parts.ts';
import { tableRows } from '../rows/table-rows.ts';

const kindOf = { definitions: 'definitions', sequences: 'sequence', tables: 'relation' } as const;

/** Definitions, a sequence, or a table, a view or whatever else is a relation. */
type ShownEntry = Extract<DatabaseEntry, { entry: 'definitions' | 'sequence' | 'relation' }>;

/** `public/comment`, `pre-data`. */
const nameOfEntry = (one: ShownEntry): string =>
  one.entry === 'definitions' ? one.section : `${one.schema}/${one.name}`;

/** PATH_UNKNOWN. */
export async function findInDatabase(
  source: ChunkSource,
  { listing, path }: { readonly listing: ListingRoot; readonly path: string },
): Promise<DatabaseThing> {
  if (path === '') return { group: undefined, schema: undefined };
  const slash = path.indexOf('/');
  const [first, name] = slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)];
  const group = databaseGroups.find(one => one === first);
  if (!group) throw unknownThing(path, nearestFew(first, { known: databaseGroups, most: 1 }));
  if (name === '') return { group, schema: undefined };
  for (const key of keysOf(group, name)) {
    const entry = await findEntry(source, listing, key);
    if (entry) return { item: itemOf(source, { one: decodeEntry(entry) as ShownEntry, listing }) };
  }
  const known: string[] = [];
  for await (const one of shownEntries(source, { listing, group })) {
    if (one.entry !== 'definitions' && one.schema === name) return { group, schema: name };
    known.push(nameOfEntry(one));
  }
  throw unknownThing(
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

/** What a group holds, in the order of schema and name. Segments are not read. */
export async function* databaseItems(
  source: ChunkSource,
  place: { readonly listing: ListingRoot; readonly group: string; readonly schema?: string | undefined },
): AsyncGenerator<DatabaseItem> {
  const group = databaseGroups.find(one => one === place.group);
  if (!group) return;
  for await (const one of shownEntries(source, { ...place, group }))
    yield itemOf(source, { one, listing: place.listing });
}

async function* shownEntries(
  source: ChunkSource,
  { listing, group, schema }: { listing: ListingRoot; group: DatabaseGroup; schema?: string | undefined },
): AsyncGenerator<ShownEntry> {
  const kind = keyPrefix(kindOf[group]);
  const prefix = schema === undefined ? kind : Buffer.concat([kind, Buffer.from(`${schema}\0`, 'utf8')]);
  for await (const entry of readListing(source, listing, { prefix })) yield decodeEntry(entry) as ShownEntry;
}

function itemOf(
  source: ChunkSource,
  { one, listing }: { readonly one: ShownEntry; readonly listing: ListingRoot },
): DatabaseItem {
  const name = nameOfEntry(one);
  switch (one.entry) {
    case 'definitions': {
      const { sql } = one;
      const read = () => contentParts(source, sql);
      return { path: `definitions/${name}`, type: 'definitions', size: sql.length, read };
    }
    case 'sequence': {
      const { lastValue, isCalled } = one;
      const read = () => said(`${lastValue}\t${isCalled ? 't' : 'f'}\n`);
      return { path: `sequences/${name}`, type: 'sequence', sequence: { lastValue, isCalled }, read };
    }
    case 'relation': {
      const read = () => tableRows(source, { root: listing, relation: one });
      return { path: `tables/${name}`, type: one.kind, rows: one.digest.rows, read };
    }
    default:
      return one satisfies never;
  }
}
