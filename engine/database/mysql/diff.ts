import { type ChunkSource, diffListings, findEntry, sameContent } from '../../../store/index.ts';
import { equalDigests } from '../digest.ts';
import type { DatabaseDifference, DatabaseDiffOptions, SequenceChange, TableChange } from '../kind.ts';
import type { SegmentEntry } from '../postgres/entries/segment-entry.ts';
import { type RowCounts, RowDifference } from '../postgres/look/row-diff.ts';
import { type DatabaseEntry, decodeEntry, type RangeEntry, type TableEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import { databaseNameOf } from './things.ts';

interface Pair {
  readonly before: DatabaseEntry | undefined;
  readonly after: DatabaseEntry | undefined;
}

/** Compares two database listings of one store. Rows of tables whose digests are equal are not read. */
export async function diffDatabases(
  source: ChunkSource,
  options: DatabaseDiffOptions,
): Promise<DatabaseDifference> {
  const schema = await databaseNameOf(source, options.after);
  const tables: TableChange[] = [];
  const sequences: SequenceChange[] = [];
  const definitions: string[] = [];
  const rows = new ChangedRows(source, options);
  for await (const pair of diffListings(source, options)) {
    options.signal?.throwIfAborted();
    const before = pair.before && decodeEntry(pair.before);
    const after = pair.after && decodeEntry(pair.after);
    const one = (after ?? before)!;
    if (one.entry === 'range') await rows.add(one.table, { before, after });
    else if (one.entry === 'table') {
      await rows.end();
      tables.push(...tableChange(schema, one.name, { before, after, rows }));
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

function tableChange(
  schema: string,
  name: string,
  pair: Pair & { readonly rows: ChangedRows },
): TableChange[] {
  const before = pair.before?.entry === 'table' ? pair.before : undefined;
  const after = pair.after?.entry === 'table' ? pair.after : undefined;
  const how = !before ? 'added' : !after ? 'removed' : 'changed';
  const isDefinitionChanged =
    before !== undefined && after !== undefined && !isSameSql(pair.before, pair.after);
  const isSame = before !== undefined && after !== undefined && equalDigests(before.digest, after.digest);
  if (isSame && !isDefinitionChanged) return []; // only the next number is another
  const rowsBefore = before ? before.digest.rows : null;
  const rowsAfter = after ? after.digest.rows : null;
  const counts = countsOf(pair.rows, { name, before, after, isSame });
  const { added, removed } = counts ?? { added: null, removed: null };
  return [{ schema, name, how, kind: 'table', rowsBefore, rowsAfter, added, removed, isDefinitionChanged }];
}

function countsOf(
  rows: ChangedRows,
  table: {
    readonly name: string;
    readonly before: TableEntry | undefined;
    readonly after: TableEntry | undefined;
    readonly isSame: boolean;
  },
): RowCounts | undefined {
  const { name, before, after, isSame } = table;
  if (!before || !after) return { added: after?.digest.rows ?? 0, removed: before?.digest.rows ?? 0 };
  return isSame ? { added: 0, removed: 0 } : rows.countsOf(name);
}

/** Counts rows table by table: the ranges of a table come one after the other, before its own entry. */
class ChangedRows {
  readonly #source: ChunkSource;
  readonly #options: DatabaseDiffOptions;
  readonly #counts = new Map<string, RowCounts | undefined>();
  #name = '';
  /** Of the table under way; undefined where its rows need not be read. */
  #difference: RowDifference | undefined;

  constructor(source: ChunkSource, options: DatabaseDiffOptions) {
    this.#source = source;
    this.#options = options;
  }

  async add(table: string, { before, after }: Pair): Promise<void> {
    if (table !== this.#name) {
      await this.end();
      this.#name = table;
      if (await this.#isWanted(table)) this.#difference = new RowDifference(this.#source, this.#options.key);
    }
    await this.#difference?.add({
      before: before?.entry === 'range' ? asSegment(before) : undefined,
      after: after?.entry === 'range' ? asSegment(after) : undefined,
    });
  }

  async end(): Promise<void> {
    if (this.#difference) this.#counts.set(this.#name, await this.#difference.counts());
    this.#difference = undefined;
    this.#name = '';
  }

  /** Undefined: not counted. */
  countsOf(table: string): RowCounts | undefined {
    return this.#counts.get(table);
  }

  async #isWanted(table: string): Promise<boolean> {
    const key = keyPrefix('table', table);
    const sides = [
      await findEntry(this.#source, this.#options.before, key),
      await findEntry(this.#source, this.#options.after, key),
    ].map(entry => entry && decodeEntry(entry));
    const [a, b] = sides;
    return a?.entry === 'table' && b?.entry === 'table' && !equalDigests(a.digest, b.digest);
  }
}

/** Rows without places: what a table is elsewhere that is no heap. */
function asSegment({ table, digest, rows }: RangeEntry): SegmentEntry {
  const ctids = { length: 0, extents: [] };
  return { schema: '', name: table, first: 0, blocks: 0, baseBlocks: 0, digest, rows, ctids, deltas: [] };
}
