import { type ChunkSource, diffListings, findEntry, sameContent } from '../../../store/index.ts';
import { contentParts } from '../../ingest/index.ts';
import { ChangedRows, type CountsRows, tableChange } from '../changed-tables.ts';
import { equalDigests, type RowDigest } from '../digest.ts';
import type { DatabaseDifference, DatabaseDiffOptions, SequenceChange, TableChange } from '../kind.ts';
import { RowDifference } from '../row-difference.ts';
import { type DatabaseEntry, decodeEntry, type RangeEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import { databaseNameOf } from './things.ts';

/** Compares two database listings of one store. Rows of tables whose digests are equal are not read. */
export async function diffDatabases(
  source: ChunkSource,
  options: DatabaseDiffOptions,
): Promise<DatabaseDifference> {
  const schema = await databaseNameOf(source, options.after);
  const tables: TableChange[] = [];
  const sequences: SequenceChange[] = [];
  const definitions: string[] = [];
  const rows = new ChangedRows<RangeEntry>(async table =>
    (await isToCount(source, { ...options, table })) ? rangeDifference(source, options.key) : undefined,
  );
  for await (const pair of diffListings(source, options)) {
    options.signal?.throwIfAborted();
    const before = pair.before && decodeEntry(pair.before);
    const after = pair.after && decodeEntry(pair.after);
    const one = (after ?? before)!;
    if (one.entry === 'range') await rows.add(one.table, { before: rangeIn(before), after: rangeIn(after) });
    else if (one.entry === 'table') {
      await rows.end();
      tables.push(
        ...tableChange(
          { schema, name: one.name },
          {
            ...{ before: tableIn(before), after: tableIn(after) },
            isDefinitionChanged: () => !isSameSql(before, after),
            counts: () => rows.countsOf(one.name),
          },
        ),
      );
    } else if (one.entry === 'sequence') {
      const values = [before, after].map(side => (side?.entry === 'sequence' ? side.next : null));
      if (values[0] !== values[1])
        sequences.push({ schema, name: one.name, before: values[0] ?? null, after: values[1] ?? null });
      if (!isSameSql(before, after)) definitions.push(`sequence/${one.name}`);
    } else if (one.entry === 'object' && !isSameSql(before, after))
      definitions.push(`${one.class}/${one.name}`);
  }
  return { tables, sequences, definitions };
}

function isSameSql(before: DatabaseEntry | undefined, after: DatabaseEntry | undefined): boolean {
  const sql = [before, after].map(one => (one && 'sql' in one ? one.sql : undefined));
  return sql[0] !== undefined && sql[1] !== undefined && sameContent(sql[0], sql[1]);
}

function tableIn(one: DatabaseEntry | undefined): { kind: string; digest: RowDigest } | undefined {
  return one?.entry === 'table' ? { kind: 'table', digest: one.digest } : undefined;
}

const rangeIn = (one: DatabaseEntry | undefined): RangeEntry | undefined =>
  one?.entry === 'range' ? one : undefined;

/** Whether both sides have the table, with other rows. */
async function isToCount(
  source: ChunkSource,
  { before, after, table }: DatabaseDiffOptions & { readonly table: string },
): Promise<boolean> {
  const key = keyPrefix('table', table);
  const entries = [await findEntry(source, before, key), await findEntry(source, after, key)];
  const [a, b] = entries.map(entry => entry && decodeEntry(entry));
  return a?.entry === 'table' && b?.entry === 'table' && !equalDigests(a.digest, b.digest);
}

/** Counts the rows that differ between the ranges of a table that are not the same. */
function rangeDifference(source: ChunkSource, key: Uint8Array): CountsRows<RangeEntry> {
  const difference = new RowDifference(source, key);
  return {
    async add({ before, after }) {
      if (before) await difference.addContent('before', before.rows, () => contentParts(source, before.rows));
      if (after) await difference.addContent('after', after.rows, () => contentParts(source, after.rows));
    },
    counts: () => difference.counts(),
  };
}
