import { DigestSum } from '../../engine/database/digest.ts';
import {
  encodeDefinitions,
  encodeRecordOfDatabase,
  encodeSequence,
} from '../../engine/database/postgres/entries/entry.ts';
import type { DatabaseRecord } from '../../engine/database/postgres/entries/facts-entry.ts';
import { encodeRelation, type RelationEntry } from '../../engine/database/postgres/entries/relation-entry.ts';
import { encodeSegment } from '../../engine/database/postgres/entries/segment-entry.ts';
import { encodeLive } from '../../engine/database/postgres/rows/ctids.ts';
import { qualified } from '../../engine/database/postgres/sql/quoting.ts';
import { RowSplitter } from '../../engine/database/row-splitter.ts';
import { type Content, decodeCbor, type Entry, encodeCbor, type ListingRoot } from '../../store/index.ts';
import type { RawChunks } from './chunks.ts';
import { type CaseMakers, putListing, someContent } from './home.ts';
import type { Random } from './random.ts';
import { edges, mutated } from './values.ts';

const someNames = [
  't',
  'u',
  'comment',
  '"',
  "x'; DROP TABLE y; --",
  'x'.repeat(80),
  '',
  '\x1b[1m',
  'pg_largeobject',
];
const someSql = [
  'CREATE TABLE public.t (a int);',
  "SELECT pg_catalog.set_config('search_path', '', false);",
  "COPY public.t FROM PROGRAM 'touch /tmp/x';",
  '\\! touch /tmp/x\n',
  'CREATE TABLE a (b int); DROP DATABASE postgres;',
  'DO $$ BEGIN END $$;',
  "SELECT '",
  '/* never closed',
  '$x$',
  'ALTER SYSTEM SET archive_command TO 1;',
  '\0',
];

function inPlace(bytes: Uint8Array, chunks: RawChunks): Content {
  if (bytes.length === 0) return { length: 0, extents: [] };
  return {
    length: bytes.length,
    extents: [{ kind: 'chunk', id: chunks.put(bytes, 'data'), offset: 0, length: bytes.length }],
  };
}

/** A segment of a few blocks with a row in each, and maybe a delta on it; a part may be another's, or none. */
function someSegment(make: CaseMakers): Entry {
  const { random, chunks } = make;
  const blocks = 1 + random.below(4);
  const rows = Array.from({ length: blocks }, (_, i) => `${i}\trow\n`).join('');
  const part = (bytes: Uint8Array): Content =>
    random.chance(0.97) ? inPlace(bytes, chunks) : someContent(make);
  const number = (value: number): number => (random.chance(0.98) ? value : random.pick(edges));
  return encodeSegment({
    schema: random.chance(0.95) ? 'public' : random.pick(someNames),
    name: random.chance(0.9) ? 't' : random.pick(someNames),
    first: random.chance(0.98) ? 0 : random.pick([1, 7, 2 ** 32 - 1]),
    blocks: number(blocks),
    baseBlocks: number(blocks),
    digest: { rows: number(blocks), sum: 5n },
    rows: part(Buffer.from(rows)),
    ctids: part(Uint8Array.from({ length: 2 * blocks }, () => 1)),
    deltas: random.chance(0.5)
      ? []
      : Array.from({ length: random.chance(0.95) ? 1 : 40 }, () => ({
          baseXmin: 700n,
          blocks: number(1),
          rowCount: 1,
          rows: part(Buffer.from('0\tnew\n')),
          ctids: part(Uint8Array.of(1, 2)),
          live: part(encodeLive([{ block: 0, offsets: [1, 2] }])),
        })),
  });
}

function someRelation(random: Random): Entry {
  const relation: RelationEntry = {
    schema: 'public',
    name: random.pick(someNames),
    kind: random.pick(['table', 'materialized', 'large-objects']),
    oid: 20_000,
    columns: [random.pick(someNames)],
    digest: { rows: random.pick(edges), sum: 1n },
    filenode: 1,
    definition: new Uint8Array(32),
    segmentBlocks: 1_024,
    heapBlocks: random.pick(edges),
    isUnlogged: false,
    isPopulated: true,
    condition: null,
    loadThrough: null,
    refreshOrder: null,
  };
  return encodeRelation(relation);
}

function facts(random: Random, more: Partial<DatabaseRecord> = {}): Entry {
  return encodeRecordOfDatabase({
    type: 'postgresql',
    serverVersion: '18.1',
    serverVersionNumber: 180_001,
    database: 'bitbucket',
    databaseOid: 16_384,
    encoding: 'UTF8',
    collation: {
      provider: random.pick(['c', 'i', 'constructor']),
      collate: 'C',
      ctype: 'C',
      locale: null,
      icuRules: null,
      version: null,
    },
    systemIdentifier: 7n,
    timeline: 1,
    startedAtUs: 0n,
    catalogFingerprint: new Uint8Array(32),
    ddlSource: 'catalog',
    settings: [],
    roles: ['app'],
    comment: null,
    databaseSql: random.chance(0.93)
      ? [['ALTER DATABASE ', ' OWNER TO "app"']]
      : [[random.pick(someSql), random.pick(someSql)]],
    largeObjectSource: null,
    ...more,
  });
}

/** A database's listing with these entries, and facts that are true. */
export function databaseListing(
  make: Pick<CaseMakers, 'random' | 'chunks'>,
  entries: readonly Entry[],
  more: Partial<DatabaseRecord> = {},
): ListingRoot {
  const record = facts(make.random, { databaseSql: [], collation: plainCollation, ...more });
  return putListing(
    make,
    [...entries, record].sort((a, b) => Buffer.compare(a.key, b.key)),
  );
}

/** A table of one text column with these rows as COPY text, as a key holder would say that it is. */
export function tableEntries(
  chunks: RawChunks,
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
): Entry[] {
  const lines = Buffer.from(bytes).toString('latin1').split('\n').length - 1;
  const digest = { rows: lines, sum: 0n };
  const sum = new DigestSum(digestKeyOfTests);
  const splitter = new RowSplitter({ digest: sum });
  splitter.split(bytes, new Uint8Array(bytes.length));
  const places = Buffer.from([lines, ...Array.from({ length: lines }, () => 1)]);
  const table = { schema: 'public', name };
  const whole = { ...digest, ...sum.result() };
  const segment = {
    ...table,
    first: 0,
    blocks: 1,
    baseBlocks: 1,
    digest: whole,
    rows: inPlace(bytes, chunks),
    ctids: inPlace(places, chunks),
    deltas: [],
  };
  const kept = {
    oid: 20_000,
    columns: ['a'],
    filenode: 1,
    definition: new Uint8Array(32),
    segmentBlocks: 1_024,
    heapBlocks: 1,
  };
  const others = {
    isUnlogged: false,
    isPopulated: true,
    condition: null,
    loadThrough: null,
    refreshOrder: null,
  };
  const sql = `CREATE TABLE ${qualified(table)} (a text);`;
  return [
    encodeSegment(segment),
    encodeRelation({ ...table, kind: 'table', digest: whole, ...kept, ...others }),
    encodeDefinitions({ section: 'pre-data', sql: inPlace(Buffer.from(sql), chunks) }),
  ];
}

/** Those of the tests on servers. */
const digestKeyOfTests = Uint8Array.from({ length: 16 }, (_, i) => 7 * i);

const plainCollation = {
  provider: 'c',
  collate: 'C',
  ctype: 'C',
  locale: null,
  icuRules: null,
  version: null,
};

/** A database's listing with hostile parts. */
export function hostileDatabase(make: CaseMakers): ListingRoot {
  const { random, chunks } = make;
  const found = new Map<string, Entry>();
  const add = (entry: Entry): void => {
    const body = random.chance(0.96) ? entry.body : encodeCbor(mutated(random, decodeCbor(entry.body)));
    found.set(Buffer.from(entry.key).toString('hex'), { ...entry, body });
  };
  for (let left = 1 + random.below(3); left > 0; left--) tried(() => add(someSegment(make)));
  for (let left = 1 + random.below(3); left > 0; left--) tried(() => add(someRelation(random)));
  add(encodeSequence({ schema: 'public', name: random.pick(someNames), lastValue: 1n, isCalled: true }));
  for (const section of [
    'pre-data',
    random.pick(['post-data', 'globals', 'large-objects', '\x1b[1m', 'x'.repeat(300)]),
  ]) {
    const sql = random.chance(0.93) ? (someSql[0] ?? '') : random.pick(someSql);
    add(
      encodeDefinitions({
        section,
        sql: random.chance(0.97) ? inPlace(Buffer.from(sql), chunks) : someContent(make),
      }),
    );
  }
  if (random.chance(0.97)) add(facts(random));
  if (random.chance(0.02))
    found.set('99', {
      key: Buffer.from([random.below(8), ...random.bytes(random.below(6))]),
      body: random.bytes(3),
      contents: [],
    });
  const entries = [...found.values()].sort((a, b) => Buffer.compare(a.key, b.key));
  return putListing(make, entries);
}

/** What an encoder refuses is left out: it is about what readers make of the rest. */
function tried(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}
