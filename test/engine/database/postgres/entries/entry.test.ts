import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DigestSum } from '../../../../../engine/database/digest.ts';
import {
  type DatabaseEntry,
  decodeEntry,
  describeDatabaseEntry,
  encodeDefinitions,
  encodeRecordOfDatabase,
  encodeSequence,
} from '../../../../../engine/database/postgres/entries/entry.ts';
import type { DatabaseRecord } from '../../../../../engine/database/postgres/entries/facts-entry.ts';
import {
  encodeRelation,
  type RelationEntry,
} from '../../../../../engine/database/postgres/entries/relation-entry.ts';
import {
  encodeSegment,
  type SegmentEntry,
} from '../../../../../engine/database/postgres/entries/segment-entry.ts';
import { CtidEncoder, encodeLive } from '../../../../../engine/database/postgres/rows/ctids.ts';
import { segmentRows } from '../../../../../engine/database/postgres/rows/reconstruct.ts';
import { type Content, type Entry, encodeCbor, fromHex, hex } from '../../../../../store/index.ts';
import { projectRoot } from '../../../../helpers/project.ts';

// The file is format v1: kept for good. STILLPOINT_UPDATE_GOLDEN=1 writes it anew, which is a change of the format.
const folder = join(projectRoot, 'test/golden/database');
const file = join(folder, 'entries.json');

const inline = (bytes: Uint8Array): Content => ({
  length: bytes.length,
  extents: [{ kind: 'inline', bytes }],
});
const digestKey = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i);

/** Places and rows of a little heap: blocks 2048–2050, the middle one empty; then two rows newer, one gone, a block more. */
const base: readonly (readonly [number, number, string])[] = [
  [2048, 1, '1\tone'],
  [2048, 2, '2\t\\N'],
  [2048, 200, '3\tback\\\\slash'],
  [2050, 7, '4\tGröße'],
];
const newer: readonly (readonly [number, number, string])[] = [
  [2048, 3, '2\ttwo'],
  [2050, 7, '5\tfive'],
  [2051, 1, '6\tsix'],
];
const live = [
  { block: 2048, offsets: [1, 3, 200] },
  { block: 2050, offsets: [7] },
  { block: 2051, offsets: [1] },
];
const now = ['1\tone', '2\ttwo', '3\tback\\\\slash', '5\tfive', '6\tsix'];

const textOf = (rows: readonly (readonly [number, number, string])[]): Uint8Array =>
  Buffer.from(rows.map(([, , text]) => `${text}\n`).join(''));

function placesOf(
  rows: readonly (readonly [number, number, string])[],
  blocks: readonly number[],
): Uint8Array {
  return Buffer.concat(
    blocks.map(block => {
      const encoder = new CtidEncoder({ first: block, blocks: 1 });
      for (const [at, offset] of rows) if (at === block) encoder.add(block, offset);
      return encoder.finish();
    }),
  );
}

function digestOf(rows: readonly string[]) {
  const digest = new DigestSum(digestKey);
  for (const row of rows) {
    const bytes = Buffer.from(row);
    digest.addRow(bytes, 0, bytes.length);
  }
  return digest.result();
}

const contents = {
  rows: textOf(base),
  ctids: placesOf(base, [2048, 2049, 2050]),
  deltaRows: textOf(newer),
  deltaCtids: placesOf(newer, [2048, 2050, 2051]),
  live: encodeLive(live),
  sql: Buffer.from('CREATE TABLE public."Größe" (id bigint, name text);\n'),
};
const segment: SegmentEntry = {
  schema: 'public',
  name: 'Größe',
  first: 2048,
  blocks: 3,
  baseBlocks: 3,
  digest: digestOf(base.map(([, , text]) => text)),
  rows: inline(contents.rows),
  ctids: inline(contents.ctids),
  deltas: [],
};
const segmentWithDelta: SegmentEntry = {
  ...segment,
  blocks: 4,
  digest: digestOf(now),
  deltas: [
    {
      baseXmin: 2n ** 40n + 7n,
      blocks: 3,
      rowCount: 3,
      rows: inline(contents.deltaRows),
      ctids: inline(contents.deltaCtids),
      live: inline(contents.live),
    },
  ],
};
const relation: RelationEntry = {
  schema: 'public',
  name: 'Größe',
  kind: 'table',
  oid: 16_400,
  columns: ['id', 'name'],
  digest: digestOf(now),
  filenode: 16_412,
  definition: new Uint8Array(32).fill(7),
  segmentBlocks: 1024,
  heapBlocks: 2051,
  isUnlogged: false,
  isPopulated: true,
  condition: null,
  loadThrough: null,
  refreshOrder: null,
};
const record: DatabaseRecord = {
  type: 'postgresql',
  serverVersion: '18.4',
  serverVersionNumber: 180_004,
  database: 'bitbucket',
  databaseOid: 16_384,
  encoding: 'UTF8',
  collation: { provider: 'i', collate: 'C', ctype: 'C', locale: 'de-DE', icuRules: null, version: '153.120' },
  systemIdentifier: 7_500_000_000_000_000_001n,
  timeline: 1,
  startedAtUs: 1_767_225_600_000_000n,
  catalogFingerprint: new Uint8Array(32).fill(9),
  ddlSource: 'pg_dump 18.4',
  settings: [['timezone', 'UTC']],
  roles: ['bitbucket'],
  comment: 'The one',
  databaseSql: [['ALTER DATABASE ', ' OWNER TO "bitbucket"']],
  largeObjectSource: 'pages',
};

const cases: readonly { readonly name: string; readonly entry: Entry; readonly value: DatabaseEntry }[] = [
  { name: 'segment', entry: encodeSegment(segment), value: { entry: 'segment', ...segment } },
  {
    name: 'segment with a delta',
    entry: encodeSegment(segmentWithDelta),
    value: { entry: 'segment', ...segmentWithDelta },
  },
  { name: 'table', entry: encodeRelation(relation), value: { entry: 'relation', ...relation } },
  ...(
    [
      ['extension table', { ...relation, condition: 'WHERE custom' }],
      ['partition', { ...relation, loadThrough: { schema: 'public', name: 'whole' } }],
      ['materialized view', { ...relation, kind: 'materialized', refreshOrder: 3 }],
      ['foreign table', { ...relation, kind: 'foreign' }],
      ['partitioned table', { ...relation, kind: 'partitioned', isUnlogged: true }],
      ['large objects', { ...relation, kind: 'large-objects', schema: 'pg_catalog', name: 'pg_largeobject' }],
    ] as const
  ).map(([name, value]) => ({
    name,
    entry: encodeRelation(value),
    value: { entry: 'relation', ...value } as const,
  })),
  ...[
    { schema: 'public', name: 'called', lastValue: 2n ** 63n - 1n, isCalled: true },
    { schema: 'public', name: 'fresh', lastValue: -1n, isCalled: false },
  ].map(value => ({
    name: `sequence ${value.name}`,
    entry: encodeSequence(value),
    value: { entry: 'sequence', ...value } as const,
  })),
  {
    name: 'definitions',
    entry: encodeDefinitions({ section: 'pre-data', sql: inline(contents.sql) }),
    value: { entry: 'definitions', section: 'pre-data', sql: inline(contents.sql) },
  },
  { name: 'facts', entry: encodeRecordOfDatabase(record), value: { entry: 'facts', ...record } },
];

const golden = {
  digestKey: hex(digestKey),
  contents: Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [name, hex(bytes)])),
  rowsOfTheSegmentWithADelta: now,
  entries: cases.map(({ name, entry }) => ({
    name,
    key: hex(entry.key),
    body: hex(entry.body),
    contents: entry.contents.map(content => hexOf(content)),
  })),
};

function hexOf(content: Content): string {
  if ('list' in content) throw new Error('contents here are in place');
  return content.extents.map(extent => (extent.kind === 'inline' ? hex(extent.bytes) : '?')).join('');
}

if (process.env['STILLPOINT_UPDATE_GOLDEN'] === '1') {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(golden, null, 1)}\n`);
}

test('entries are written as format v1 has them', () => {
  assert.deepEqual(golden, JSON.parse(readFileSync(file, 'utf8')));
});

for (const { name, value } of cases)
  test(`a golden ${name} is read`, () => {
    const { entries } = JSON.parse(readFileSync(file, 'utf8')) as typeof golden;
    const stored = entries.find(one => one.name === name)!;
    const decoded = decodeEntry({
      key: fromHex(stored.key),
      body: fromHex(stored.body),
      contents: stored.contents.map(content => inline(fromHex(content))),
    });
    assert.deepEqual(plain(decoded), plain(value));
  });

/** Node's buffers and plain arrays of bytes are the same to us. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => {
      if (typeof item === 'bigint') return `${item}n`;
      const bytes = item as { type?: unknown; data?: unknown } | null;
      if (bytes?.type === 'Buffer') return hex(Uint8Array.from(bytes.data as number[]));
      return item instanceof Uint8Array ? hex(item) : item;
    }),
  );
}

test('the golden segment with a delta gives the rows that it stands for', async () => {
  const entry = decodeEntry(cases[1]!.entry);
  assert.equal(entry.entry, 'segment');
  const parts: Uint8Array[] = [];
  const none = { get: () => Promise.reject(new Error('everything is in place')) };
  for await (const bytes of segmentRows(none, entry as SegmentEntry)) parts.push(bytes);
  assert.equal(Buffer.concat(parts).toString(), now.map(row => `${row}\n`).join(''));
});

test('entries are named for people', () => {
  assert.deepEqual(
    cases.map(({ entry }) => describeDatabaseEntry(entry)),
    [
      ...[
        'table public.Größe, blocks 2048–2050 (4 rows)',
        'table public.Größe, blocks 2048–2051 (5 rows)',
        'table public.Größe',
      ],
      ...['table public.Größe', 'table public.Größe', 'materialized view public.Größe'],
      ...['foreign table public.Größe', 'table public.Größe', 'large objects'],
      ...[
        'sequence public.called',
        'sequence public.fresh',
        'definitions (pre-data)',
        'facts of the database',
      ],
    ],
  );
});

test('what is no entry is damage; what a later version wrote is newer', () => {
  const [{ entry }] = [cases[2]!];
  const damaged: Entry[] = [
    { ...cases[0]!.entry, contents: [] },
    { ...cases[1]!.entry, contents: cases[1]!.entry.contents.slice(0, 4) },
    { ...entry, key: Buffer.concat([entry.key, Buffer.from('x')]) },
    { ...entry, key: Uint8Array.of(2, 0xff, 0, 0) },
    { ...entry, body: encodeCbor(new Map([[0, 99]])) },
    { ...entry, body: encodeCbor([]) },
    { ...entry, body: Uint8Array.of(0xff) },
    { ...cases.at(-2)!.entry, contents: [] },
  ];
  for (const one of damaged) assert.throws(() => decodeEntry(one), { code: 'STORE_DAMAGED' });
  const newer: Entry[] = [
    { ...entry, key: Uint8Array.of(77) },
    {
      ...cases.at(-1)!.entry,
      body: encodeCbor(
        new Map<number, number | string>([
          [0, 2],
          [1, 'postgresql'],
        ]),
      ),
    },
  ];
  for (const one of newer) assert.throws(() => decodeEntry(one), { code: 'STORE_NEWER' });
});
