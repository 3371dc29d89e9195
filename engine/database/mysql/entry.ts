import { type Content, decodeCbor, type Entry, encodeCbor, storeError } from '../../../store/index.ts';
import { bytePathOfText, shown } from '../../home/paths.ts';
import { type RowDigest, sumBytes, sumFrom } from '../digest.ts';
import { damaged, encodeFields, FieldReader, type FieldTable, textFrom } from '../fields.ts';
import { entryKinds, keyPrefix, nameFrom } from './entry-parts.ts';
import { type DatabaseObject, objectClasses } from './objects.ts';
import type { SequenceValue } from './pin.ts';
import type { StoredRange } from './ranges.ts';

/** The listing's version: what a reader must know to restore it. */
const formatVersion = 1;

export interface RangeEntry extends StoredRange {
  readonly table: string;
  /** Orders the ranges of a table; has gaps, into which a range that is split puts its parts. */
  readonly place: bigint;
}

export interface TableEntry {
  readonly name: string;
  /** What the rows hold, in order: no column that the server computes. */
  readonly columns: readonly string[];
  readonly digest: RowDigest;
  /** 32 bytes: equal for two backups means that bounds of ranges mean the same. */
  readonly definition: Uint8Array;
  readonly autoIncrement: bigint | null;
  /** CREATE TABLE. */
  readonly sql: Content;
}

export interface SequenceEntry extends SequenceValue {
  readonly sql: Content;
}

export interface ObjectEntry extends Omit<DatabaseObject, 'sql'> {
  readonly sql: Content;
}

/** What a listing says about the database that it came from. */
export interface FactsEntry {
  readonly serverVersion: string;
  readonly database: string;
  readonly characterSet: string;
  readonly collation: string;
  readonly comment: string;
  /** Statements that gave rights here, for people; without passwords. */
  readonly grants: readonly string[];
}

export type DatabaseEntry =
  | ({ readonly entry: 'range' } & RangeEntry)
  | ({ readonly entry: 'table' } & TableEntry)
  | ({ readonly entry: 'sequence' } & SequenceEntry)
  | ({ readonly entry: 'object' } & ObjectEntry)
  | ({ readonly entry: 'facts' } & FactsEntry);

const rangeFields: FieldTable<'rows' | 'sum' | 'from'> = { rows: 0, sum: 1, from: 2 };
const tableFields: FieldTable<'columns' | 'rows' | 'sum' | 'definition' | 'autoIncrement'> = {
  ...{ columns: 0, rows: 1, sum: 2, definition: 3, autoIncrement: 4 },
};
const sequenceFields: FieldTable<'next' | 'cycles'> = { next: 0, cycles: 1 };
type ObjectField = Exclude<keyof DatabaseObject, 'class' | 'name' | 'sql'>;
const objectFields: FieldTable<ObjectField> = {
  ...{
    definer: 0,
    order: 1,
    sqlMode: 2,
    characterSet: 3,
    connectionCollation: 4,
    databaseCollation: 5,
    timeZone: 6,
  },
};
const factsFields: FieldTable<keyof FactsEntry | 'version' | 'type'> = {
  ...{
    version: 0,
    type: 1,
    serverVersion: 2,
    database: 3,
    characterSet: 4,
    collation: 5,
    comment: 6,
    grants: 7,
  },
};

/** Numbers of places, in bytes: room for 2¹⁶ ranges of a table in gaps of 2³². */
const placeBytes = 6;

export function encodeRange(range: RangeEntry): Entry {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(range.place);
  return {
    key: Buffer.concat([keyPrefix('range', range.table), place.subarray(8 - placeBytes)]),
    body: encodeCbor(
      encodeFields(rangeFields, {
        rows: range.digest.rows,
        sum: sumBytes(range.digest.sum),
        from: range.from?.map(value => Uint8Array.from(value)),
      }),
    ),
    contents: [range.rows],
  };
}

export function decodeRange(entry: Entry): RangeEntry {
  const at = Math.max(1, entry.key.length - placeBytes);
  const table = nameFrom(entry.key.subarray(1, at));
  const what = `rows of ${table}`;
  const fields = new FieldReader(rangeFields, decodeCbor(entry.body, { what }), what);
  const [rows, ...rest] = entry.contents;
  if (!rows || rest.length > 0) throw damaged(what, 'contents do not match');
  const from = fields.list('from').map(value => {
    if (value instanceof Uint8Array) return value;
    throw damaged(what, 'a bound is no bytes');
  });
  return {
    table,
    place: BigInt(`0x${Buffer.from(entry.key.subarray(at)).toString('hex')}`),
    from: from.length === 0 ? null : from,
    digest: { rows: fields.number('rows'), sum: sumFrom(fields.bytes('sum'), what) },
    rows,
  };
}

export function encodeTable(table: TableEntry): Entry {
  const { name, columns, digest, definition, autoIncrement, sql } = table;
  return {
    key: keyPrefix('table', name),
    body: encodeCbor(
      encodeFields(tableFields, {
        ...{ columns: [...columns], rows: digest.rows, sum: sumBytes(digest.sum), definition },
        // Text: an unsigned one is beyond what a number of a listing can be.
        autoIncrement: autoIncrement === null ? null : String(autoIncrement),
      }),
    ),
    contents: [sql],
  };
}

export function decodeTable(entry: Entry): TableEntry {
  const name = nameFrom(entry.key.subarray(1));
  const what = `table ${name}`;
  const fields = new FieldReader(tableFields, decodeCbor(entry.body, { what }), what);
  return {
    name,
    columns: fields.texts('columns'),
    digest: { rows: fields.number('rows'), sum: sumFrom(fields.bytes('sum'), what) },
    definition: fields.bytes('definition'),
    autoIncrement: numberFrom(fields.textOrNull('autoIncrement'), what),
    sql: onlyContent(entry, what),
  };
}

function numberFrom(text: string | null, what: string): bigint | null {
  if (text === null) return null;
  if (/^-?\d{1,20}$/.test(text)) return BigInt(text);
  throw damaged(what, 'its next number is none');
}

export function encodeSequence({ name, next, cycles, sql }: SequenceEntry): Entry {
  return {
    key: keyPrefix('sequence', name),
    body: encodeCbor(encodeFields(sequenceFields, { next: String(next), cycles: String(cycles) })),
    contents: [sql],
  };
}

function decodeSequence(entry: Entry): SequenceEntry {
  const name = nameFrom(entry.key.subarray(1));
  const what = `sequence ${name}`;
  const fields = new FieldReader(sequenceFields, decodeCbor(entry.body, { what }), what);
  return {
    name,
    next: numberFrom(fields.text('next'), what)!,
    cycles: numberFrom(fields.text('cycles'), what)!,
    sql: onlyContent(entry, what),
  };
}

export function encodeObject({ class: kind, name, sql, ...rest }: ObjectEntry): Entry {
  const { definer, order, sqlMode, characterSet, connectionCollation, databaseCollation, timeZone } = rest;
  return {
    key: Buffer.concat([keyPrefix('object', kind), Buffer.from(`${name}\0`, 'utf8')]),
    body: encodeCbor(
      encodeFields(objectFields, {
        ...{ definer, order, sqlMode, characterSet, connectionCollation, databaseCollation, timeZone },
      }),
    ),
    contents: [sql],
  };
}

function decodeObject(entry: Entry): ObjectEntry {
  const [kind, name, rest, ...more] = textFrom(entry.key.subarray(1)).split('\0');
  const found = objectClasses.find(one => one === kind);
  if (!found || name === undefined || rest !== '' || more.length > 0)
    throw damaged('an entry of the database', 'its key is no name of an object');
  const what = `${found} ${name}`;
  const fields = new FieldReader(objectFields, decodeCbor(entry.body, { what }), what);
  return {
    ...{ class: found, name, definer: fields.text('definer'), order: fields.number('order') },
    sqlMode: fields.textOrNull('sqlMode'),
    characterSet: fields.textOrNull('characterSet'),
    connectionCollation: fields.textOrNull('connectionCollation'),
    databaseCollation: fields.textOrNull('databaseCollation'),
    timeZone: fields.textOrNull('timeZone'),
    sql: onlyContent(entry, what),
  };
}

export function encodeFacts(facts: FactsEntry): Entry {
  const body = encodeFields(factsFields, {
    ...facts,
    grants: [...facts.grants],
    version: formatVersion,
    type: 'mysql',
  });
  return { key: keyPrefix('facts'), body: encodeCbor(body), contents: [] };
}

/** STORE_NEWER where a later version wrote it. */
function decodeFacts(entry: Entry): FactsEntry {
  const what = 'facts of the database';
  const fields = new FieldReader(factsFields, decodeCbor(entry.body, { what }), what);
  const version = fields.number('version');
  const type = fields.text('type');
  if (version !== formatVersion || type !== 'mysql')
    throw storeError('STORE_NEWER', `Cannot read the database: it is ${type}, format ${version}`, {
      remedy: 'Use a newer version of this program.',
    });
  return {
    serverVersion: fields.text('serverVersion'),
    database: fields.text('database'),
    characterSet: fields.text('characterSet'),
    collation: fields.text('collation'),
    comment: fields.text('comment'),
    grants: fields.texts('grants'),
  };
}

function onlyContent(entry: Entry, what: string): Content {
  const [sql, ...rest] = entry.contents;
  if (sql && rest.length === 0) return sql;
  throw damaged(what, 'contents do not match');
}

/** Reads an entry of a database's listing. STORE_DAMAGED; STORE_NEWER for a kind that this program does not know. */
export function decodeEntry(entry: Entry): DatabaseEntry {
  switch (entry.key[0]) {
    case entryKinds.range:
      return { entry: 'range', ...decodeRange(entry) };
    case entryKinds.table:
      return { entry: 'table', ...decodeTable(entry) };
    case entryKinds.sequence:
      return { entry: 'sequence', ...decodeSequence(entry) };
    case entryKinds.object:
      return { entry: 'object', ...decodeObject(entry) };
    case entryKinds.facts:
      return { entry: 'facts', ...decodeFacts(entry) };
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

/** What an entry is, for a person: `table comment, 3120 rows from 17 on`. */
export function describeEntry(entry: Entry): string {
  const one = decodeEntry(entry);
  switch (one.entry) {
    case 'range':
      return `rows of table ${shownText(one.table)} (${one.digest.rows}${one.from ? ` from ${shownKey(one.from)} on` : ''})`;
    case 'table':
      return `table ${shownText(one.name)}`;
    case 'sequence':
      return `sequence ${shownText(one.name)}`;
    case 'object':
      return `${one.class} ${shownText(one.name)}`;
    case 'facts':
      return 'facts of the database';
    default:
      return one satisfies never;
  }
}

const shownText = (text: string): string => shown(bytePathOfText(text));
const shownKey = (key: readonly Uint8Array[]): string =>
  key.map(value => shownText(Buffer.from(value).toString('latin1').slice(0, 40))).join(', ');
