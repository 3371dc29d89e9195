import { type ChunkSource, findEntry, type ListingRoot, readListing } from '../../../store/index.ts';
import { contentParts } from '../../ingest/index.ts';
import { nearestFew } from '../../nearest.ts';
import { damaged } from '../fields.ts';
import type { DatabaseItem, DatabaseThing } from '../kind.ts';
import { type DatabaseGroup, databaseGroups, said, unknownThing } from '../shown.ts';
import { type DatabaseEntry, decodeEntry } from './entry.ts';
import { type EntryKind, keyPrefix } from './entry-parts.ts';
import { storedRows } from './load.ts';

interface Place {
  readonly listing: ListingRoot;
  readonly group: string;
  /** Of tables and sequences: the database; of definitions: their class. */
  readonly schema?: string | undefined;
}

const kindsOf: Readonly<Record<DatabaseGroup, readonly EntryKind[]>> = {
  definitions: ['table', 'sequence', 'object'],
  sequences: ['sequence'],
  tables: ['table'],
};

/** The name that a database had where it was backed up. */
export async function databaseNameOf(source: ChunkSource, listing: ListingRoot): Promise<string> {
  const entry = await findEntry(source, listing, keyPrefix('facts'));
  const facts = entry && decodeEntry(entry);
  if (facts?.entry === 'facts') return facts.database;
  throw damaged('the database', 'it has no facts');
}

/** PATH_UNKNOWN. */
export async function findInDatabase(
  source: ChunkSource,
  { listing, path }: { readonly listing: ListingRoot; readonly path: string },
): Promise<DatabaseThing> {
  if (path === '') return { group: undefined, schema: undefined };
  const [first, schema, ...rest] = path.split('/');
  const group = databaseGroups.find(one => one === first);
  if (!group) throw unknownThing(path, nearestFew(first ?? '', { known: databaseGroups, most: 1 }));
  if (!schema) return { group, schema: undefined };
  const known: string[] = [];
  let hasSchema = false;
  for await (const item of databaseItems(source, { listing, group })) {
    if (item.path === path || `${item.path}.sql` === path) return { item };
    if (item.path.startsWith(`${group}/${schema}/`)) hasSchema = true;
    known.push(item.path);
  }
  if (hasSchema && rest.every(one => one === '')) return { group, schema };
  throw unknownThing(path, nearestFew(path, { known, most: 3 }));
}

/** What a group holds, in order. Rows are not read. */
export async function* databaseItems(source: ChunkSource, place: Place): AsyncGenerator<DatabaseItem> {
  const group = databaseGroups.find(one => one === place.group);
  if (!group) return;
  const database = await databaseNameOf(source, place.listing);
  for (const kind of kindsOf[group])
    for await (const entry of readListing(source, place.listing, { prefix: keyPrefix(kind) })) {
      const item = itemOf(source, { one: decodeEntry(entry), group, database, listing: place.listing });
      if (item && (place.schema === undefined || item.path.startsWith(`${group}/${place.schema}/`)))
        yield item;
    }
}

function itemOf(
  source: ChunkSource,
  shown: {
    readonly one: DatabaseEntry;
    readonly group: DatabaseGroup;
    readonly database: string;
    readonly listing: ListingRoot;
  },
): DatabaseItem | undefined {
  const { one, group, database, listing } = shown;
  if (one.entry === 'facts' || one.entry === 'range') return undefined;
  if (group === 'definitions') {
    const kind = one.entry === 'object' ? one.class : one.entry;
    const { sql, name } = one;
    return {
      path: `definitions/${kind}/${name}`,
      type: 'definitions',
      size: sql.length,
      read: () => statement(source, sql),
    };
  }
  if (one.entry === 'sequence') {
    const { next, cycles } = one;
    return {
      path: `sequences/${database}/${one.name}`,
      type: 'sequence',
      sequence: { lastValue: next, isCalled: false },
      read: () => said(`${next}\t${cycles}\n`),
    };
  }
  if (one.entry !== 'table') return undefined;
  const read = () => storedRows({ source, root: listing, table: one });
  return { path: `tables/${database}/${one.name}`, type: 'table', rows: one.digest.rows, read };
}

async function* statement(
  source: ChunkSource,
  sql: Parameters<typeof contentParts>[1],
): AsyncGenerator<Uint8Array> {
  yield* contentParts(source, sql);
  yield Buffer.from(';\n');
}
