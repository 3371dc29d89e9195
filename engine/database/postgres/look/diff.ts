import { type ChunkSource, diffListings, findEntry, sameContent } from '../../../../store/index.ts';
import { equalDigests } from '../../digest.ts';
import type { DatabaseDifference, DatabaseDiffOptions, SequenceChange, TableChange } from '../../kind.ts';
import { type DatabaseEntry, decodeEntry } from '../entries/entry.ts';
import { keyPrefix, type RelationName } from '../entries/entry-parts.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { type RowCounts, RowDifference } from './row-diff.ts';

/** Compares two database listings of one store. Rows of tables whose digests are equal are not read. */
export async function diffDatabases(
  source: ChunkSource,
  options: DatabaseDiffOptions,
): Promise<DatabaseDifference> {
  const tables: TableChange[] = [];
  const sequences: SequenceChange[] = [];
  const definitions: string[] = [];
  const rows = new ChangedRows(source, options);
  for await (const pair of diffListings(source, options)) {
    options.signal?.throwIfAborted();
    const before = pair.before && decodeEntry(pair.before);
    const after = pair.after && decodeEntry(pair.after);
    const one = (after ?? before)!;
    switch (one.entry) {
      case 'segment':
        await rows.add(one, { before, after });
        break;
      case 'relation':
        await rows.end();
        tables.push(...tableChange(one, { before, after, rows }));
        break;
      case 'sequence':
        sequences.push(...sequenceChange(one, { before, after }));
        break;
      case 'definitions':
        if (!isSameSql(before, after)) definitions.push(one.section);
        break;
      case 'facts':
        break; // of the server and the pin: no content
      default:
        one satisfies never;
    }
  }
  return { tables, sequences, definitions };
}

type Pair = { readonly before: DatabaseEntry | undefined; readonly after: DatabaseEntry | undefined };

/** What it has given out; a sequence that was never called has given nothing. */
const nextOf = (sequence: { readonly lastValue: bigint; readonly isCalled: boolean }): bigint =>
  sequence.isCalled ? sequence.lastValue : sequence.lastValue - 1n;

function sequenceChange({ schema, name }: RelationName, pair: Pair): SequenceChange[] {
  const before = pair.before?.entry === 'sequence' ? nextOf(pair.before) : null;
  const after = pair.after?.entry === 'sequence' ? nextOf(pair.after) : null;
  return before === after ? [] : [{ schema, name, before, after }];
}

function isSameSql(before: DatabaseEntry | undefined, after: DatabaseEntry | undefined): boolean {
  return (
    before?.entry === 'definitions' && after?.entry === 'definitions' && sameContent(before.sql, after.sql)
  );
}

function tableChange(
  { schema, name }: RelationName,
  pair: Pair & { readonly rows: ChangedRows },
): TableChange[] {
  const before = pair.before?.entry === 'relation' ? pair.before : undefined;
  const after = pair.after?.entry === 'relation' ? pair.after : undefined;
  const how = !before ? 'added' : !after ? 'removed' : 'changed';
  const isDefinitionChanged = before !== undefined && after !== undefined && !isSameDefinition(before, after);
  const isSame = before !== undefined && after !== undefined && equalDigests(before.digest, after.digest);
  if (isSame && !isDefinitionChanged) return []; // only its place on the server is another
  const kind = (after ?? before)!.kind;
  const rowsBefore = before ? before.digest.rows : null;
  const rowsAfter = after ? after.digest.rows : null;
  const counts =
    before && after
      ? isSame
        ? { added: 0, removed: 0 }
        : pair.rows.countsOf({ schema, name })
      : { added: rowsAfter ?? 0, removed: rowsBefore ?? 0 };
  const { added, removed } = counts ?? { added: null, removed: null };
  return [{ schema, name, how, kind, rowsBefore, rowsAfter, added, removed, isDefinitionChanged }];
}

function isSameDefinition(a: RelationEntry, b: RelationEntry): boolean {
  return (
    a.kind === b.kind &&
    a.isUnlogged === b.isUnlogged &&
    a.condition === b.condition &&
    a.columns.length === b.columns.length &&
    a.columns.every((column, i) => column === b.columns[i])
  );
}

/** Counts rows table by table: the segments of a table come one after the other, before its own entry. */
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

  async add(table: RelationName, { before, after }: Pair): Promise<void> {
    if (nameOf(table) !== this.#name) {
      await this.end();
      this.#name = nameOf(table);
      if (await this.#isWanted(table)) this.#difference = new RowDifference(this.#source, this.#options.key);
    }
    await this.#difference?.add({
      before: before?.entry === 'segment' ? before : undefined,
      after: after?.entry === 'segment' ? after : undefined,
    });
  }

  async end(): Promise<void> {
    if (this.#difference) this.#counts.set(this.#name, await this.#difference.counts());
    this.#difference = undefined;
    this.#name = '';
  }

  /** Undefined: not counted. */
  countsOf(table: RelationName): RowCounts | undefined {
    return this.#counts.get(nameOf(table));
  }

  async #isWanted(table: RelationName): Promise<boolean> {
    const key = keyPrefix('relation', table);
    const [before, after] = [
      await findEntry(this.#source, this.#options.before, key),
      await findEntry(this.#source, this.#options.after, key),
    ];
    const [a, b] = [before && decodeEntry(before), after && decodeEntry(after)];
    return a?.entry === 'relation' && b?.entry === 'relation' && !equalDigests(a.digest, b.digest);
  }
}

const nameOf = ({ schema, name }: RelationName): string => `${schema}\0${name}`;
