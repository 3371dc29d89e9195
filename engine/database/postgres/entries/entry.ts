import { type Content, decodeCbor, type Entry, encodeCbor, storeError } from '../../../../store/index.ts';
import { bytePathOfText, shown } from '../../../home/paths.ts';
import { damaged, encodeFields, FieldReader, type FieldTable, textFrom } from '../../fields.ts';
import { entryKinds, keyPrefix, nameFrom } from './entry-parts.ts';
import { type DatabaseRecord, decodeFacts, encodeFacts } from './facts-entry.ts';
import { decodeRelation, type RelationEntry } from './relation-entry.ts';
import { decodeSegment, type SegmentEntry } from './segment-entry.ts';

/**
 * SQL: `pre-data` makes what the rows go into, `post-data` what follows them; `large-objects` and `large-objects-owners`
 * likewise, as groups that end in a NUL but the last, each a transaction; `globals` makes the roles, for people.
 */
export interface DefinitionsEntry {
  readonly section: string;
  readonly sql: Content;
}

export interface SequenceValue {
  readonly schema: string;
  readonly name: string;
  readonly lastValue: bigint;
  /** False: the next value is lastValue itself. */
  readonly isCalled: boolean;
}

export type DatabaseEntry =
  | ({ readonly entry: 'segment' } & SegmentEntry)
  | ({ readonly entry: 'relation' } & RelationEntry)
  | ({ readonly entry: 'sequence' } & SequenceValue)
  | ({ readonly entry: 'definitions' } & DefinitionsEntry)
  | ({ readonly entry: 'facts' } & DatabaseRecord);

const sequenceFields: FieldTable<'lastValue' | 'isCalled'> = { lastValue: 0, isCalled: 1 };

export function encodeSequence(sequence: SequenceValue): Entry {
  const { lastValue, isCalled } = sequence;
  return {
    key: keyPrefix('sequence', sequence),
    body: encodeCbor(encodeFields(sequenceFields, { lastValue, isCalled })),
    contents: [],
  };
}

function decodeSequence(entry: Entry): SequenceValue {
  const name = nameFrom(entry.key.subarray(1));
  const what = `sequence ${name.schema}.${name.name}`;
  const fields = new FieldReader(sequenceFields, decodeCbor(entry.body, { what }), what);
  return { ...name, lastValue: fields.bigint('lastValue'), isCalled: fields.boolean('isCalled') };
}

export function encodeDefinitions({ section, sql }: DefinitionsEntry): Entry {
  const key = Buffer.concat([keyPrefix('definitions'), Buffer.from(section, 'utf8')]);
  return { key, body: encodeCbor(new Map()), contents: [sql] };
}

function decodeDefinitions(entry: Entry): DefinitionsEntry {
  const section = textFrom(entry.key.subarray(1));
  const [sql] = entry.contents;
  if (!sql) throw damaged(`definitions ${section}`, 'there is no content');
  return { section, sql };
}

export function encodeRecordOfDatabase(record: DatabaseRecord): Entry {
  return { key: keyPrefix('facts'), body: encodeCbor(encodeFacts(record)), contents: [] };
}

/** Reads an entry of a database's listing. STORE_DAMAGED; STORE_NEWER for a kind that this program does not know. */
export function decodeEntry(entry: Entry): DatabaseEntry {
  switch (entry.key[0]) {
    case entryKinds.segment:
      return { entry: 'segment', ...decodeSegment(entry) };
    case entryKinds.relation:
      return { entry: 'relation', ...decodeRelation(entry) };
    case entryKinds.sequence:
      return { entry: 'sequence', ...decodeSequence(entry) };
    case entryKinds.definitions:
      return { entry: 'definitions', ...decodeDefinitions(entry) };
    case entryKinds.facts:
      return { entry: 'facts', ...decodeFacts(decodeCbor(entry.body, { what: 'facts of the database' })) };
    default:
      throw storeError(
        'STORE_NEWER',
        `Cannot read the database's listing: entry kind ${entry.key[0]} is unknown`,
        {
          remedy: 'Use a newer version of this program.',
        },
      );
  }
}

const shownText = (text: string): string => shown(bytePathOfText(text));
const shownName = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  shownText(`${schema}.${name}`);

/** What an entry is, for a person: `table public.comment, blocks 0–1023 (3120 rows)`. */
export function describeDatabaseEntry(entry: Entry): string {
  const one = decodeEntry(entry);
  switch (one.entry) {
    case 'segment':
      return one.schema === 'pg_catalog' && one.name === 'pg_largeobject'
        ? 'large objects'
        : `table ${shownName(one)}, ${blocksOf(one)} (${one.digest.rows} rows)`;
    case 'relation':
      return describeRelation(one);
    case 'sequence':
      return `sequence ${shownName(one)}`;
    case 'definitions':
      return `definitions (${shownText(one.section)})`;
    case 'facts':
      return 'facts of the database';
    default:
      return one satisfies never;
  }
}

/** What an entry of this key is, where the entry itself cannot be read. */
export function describeDatabaseKey(key: Uint8Array): string {
  const rest = key.subarray(1);
  const relation = (bytes: Uint8Array): string => {
    return shownName(nameFrom(bytes));
  };
  switch (key[0]) {
    case entryKinds.segment: {
      if (rest.length < 4) throw damaged('an entry of the database', 'its key is no segment’s');
      const first = Buffer.from(rest.subarray(-4)).readUInt32BE();
      return `table ${relation(rest.subarray(0, -4))}, block ${first}`;
    }
    case entryKinds.relation:
      return `the columns of table ${relation(rest)}`;
    case entryKinds.sequence:
      return `sequence ${relation(rest)}`;
    case entryKinds.definitions:
      return `definitions (${shownText(textFrom(rest))})`;
    default:
      return 'facts of the database';
  }
}

/** A table whose rows have no places is one segment of no blocks. */
function blocksOf({ first, blocks }: SegmentEntry): string {
  return blocks === 0 ? 'all of it' : `blocks ${first}–${first + blocks - 1}`;
}

function describeRelation(relation: RelationEntry): string {
  const name = shownName(relation);
  switch (relation.kind) {
    case 'materialized':
      return `materialized view ${name}`;
    case 'foreign':
      return `foreign table ${name}`;
    case 'large-objects':
      return 'large objects';
    case 'table':
    case 'partitioned':
      return `table ${name}`;
    default:
      return relation.kind satisfies never;
  }
}
