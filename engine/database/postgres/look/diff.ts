import { type ChunkSource, diffListings, findEntry, sameContent } from '../../../../store/index.ts';
import { ChangedRows, tableChange } from '../../changed-tables.ts';
import { equalDigests } from '../../digest.ts';
import type { DatabaseDifference, DatabaseDiffOptions, SequenceChange, TableChange } from '../../kind.ts';
import { type DatabaseEntry, decodeEntry } from '../entries/entry.ts';
import { keyPrefix, type RelationName } from '../entries/entry-parts.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';
import { SegmentDifference } from './segment-difference.ts';

/** Compares two database listings of one store. Rows of tables whose digests are equal are not read. */
export async function diffDatabases(
  source: ChunkSource,
  options: DatabaseDiffOptions,
): Promise<DatabaseDifference> {
  const tables: TableChange[] = [];
  const sequences: SequenceChange[] = [];
  const definitions: string[] = [];
  const rows = new ChangedRows<SegmentEntry>(async table =>
    (await isToCount(source, { ...options, table })) ? new SegmentDifference(source, options.key) : undefined,
  );
  for await (const pair of diffListings(source, options)) {
    options.signal?.throwIfAborted();
    const before = pair.before && decodeEntry(pair.before);
    const after = pair.after && decodeEntry(pair.after);
    const one = (after ?? before)!;
    switch (one.entry) {
      case 'segment':
        await rows.add(nameOf(one), { before: segmentIn(before), after: segmentIn(after) });
        break;
      case 'relation':
        await rows.end();
        tables.push(...relationChange(one, { before, after, rows }));
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

function relationChange(
  { schema, name }: RelationName,
  pair: Pair & { readonly rows: ChangedRows<SegmentEntry> },
): TableChange[] {
  const before = pair.before?.entry === 'relation' ? pair.before : undefined;
  const after = pair.after?.entry === 'relation' ? pair.after : undefined;
  return tableChange(
    { schema, name },
    {
      ...{ before, after },
      isDefinitionChanged: () => !isSameDefinition(before!, after!),
      counts: () => pair.rows.countsOf(nameOf({ schema, name })),
    },
  );
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

const segmentIn = (one: DatabaseEntry | undefined): SegmentEntry | undefined =>
  one?.entry === 'segment' ? one : undefined;

/** Whether both sides have the table (`nameOf`), with other rows. */
async function isToCount(
  source: ChunkSource,
  { before, after, table }: DatabaseDiffOptions & { readonly table: string },
): Promise<boolean> {
  const [schema = '', name = ''] = table.split('\0');
  const key = keyPrefix('relation', { schema, name });
  const entries = [await findEntry(source, before, key), await findEntry(source, after, key)];
  const [a, b] = entries.map(entry => entry && decodeEntry(entry));
  return a?.entry === 'relation' && b?.entry === 'relation' && !equalDigests(a.digest, b.digest);
}

const nameOf = ({ schema, name }: RelationName): string => `${schema}\0${name}`;
