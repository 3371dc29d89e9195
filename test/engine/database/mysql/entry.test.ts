import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { readAddress } from '../../../../engine/database/mysql/address.ts';
import {
  type DatabaseEntry,
  decodeEntry,
  describeEntry,
  encodeFacts,
  encodeObject,
  encodeRange,
  encodeSequence,
  encodeTable,
} from '../../../../engine/database/mysql/entry.ts';
import { assignPlaces } from '../../../../engine/database/mysql/places.ts';
import { RowSum, rowHashing } from '../../../../engine/database/mysql/row-hash.ts';
import { RowText } from '../../../../engine/database/mysql/row-text.ts';
import { type Entry, hex, StillpointError } from '../../../../store/index.ts';
import { projectRoot } from '../../../helpers/project.ts';

const sql = (text: string) => ({
  length: text.length,
  extents: [{ kind: 'inline' as const, bytes: new Uint8Array(Buffer.from(text)) }],
});
const kinds = ['plain', 'text', 'large', 'ordinal', 'float', 'address'] as const;
const rows = [
  ['1', "it's\\\n\0", 'é', '3', '0.1', '::1'],
  ['-2', '', null, '0', '-0', null],
].map(row => row.map(cell => (cell === null ? null : Buffer.from(cell))));
const digest = { rows: 2, sum: 0x0123456789abcdefn };

const entries: readonly Entry[] = [
  encodeRange({ table: 'tä', place: 1n << 32n, from: null, digest, rows: sql('(1)\n') }),
  encodeRange({
    table: 'tä',
    place: 3n << 32n,
    from: [Buffer.from('17'), Buffer.from([0, 255])],
    digest,
    rows: sql('(17)\n'),
  }),
  encodeTable({
    name: 'tä',
    columns: ['id', 'v'],
    digest,
    definition: new Uint8Array(32).fill(5),
    autoIncrement: (1n << 64n) - 1n,
    sql: sql('CREATE TABLE'),
  }),
  encodeSequence({ name: 's', next: -7n, cycles: 2n, sql: sql('CREATE SEQUENCE') }),
  encodeObject({
    ...{
      class: 'trigger',
      name: 'g',
      definer: 'root@localhost',
      order: 2,
      sqlMode: 'ANSI',
      characterSet: 'latin1',
    },
    ...{
      connectionCollation: 'latin1_swedish_ci',
      databaseCollation: 'utf8mb4_bin',
      timeZone: null,
      sql: sql('CREATE TRIGGER'),
    },
  }),
  encodeFacts({
    serverVersion: '10.11.19-MariaDB',
    database: 'shop',
    characterSet: 'utf8mb4',
    collation: 'utf8mb4_bin',
    comment: '',
    grants: ['GRANT SELECT'],
  }),
];

test('entries, rows and digests of the kind mysql are what they were in every version', () => {
  const text = new RowText(kinds);
  const sum = new RowSum(kinds, rowHashing(new Uint8Array(16).fill(7)));
  for (const row of rows) {
    text.add(row);
    sum.add(row);
  }
  const now = {
    entries: entries.map(({ key, body }) => ({ key: hex(key), body: hex(body) })),
    rows: Buffer.from(text.take()).toString('utf8'),
    digest: String(sum.result().sum),
  };
  const file = `${projectRoot}/test/golden/database/mysql-entries.json`;
  if (!existsSync(file) && process.env['STILLPOINT_UPDATE_GOLDEN'])
    writeFileSync(file, `${JSON.stringify(now, null, 2)}\n`);
  assert.deepEqual(now, JSON.parse(readFileSync(file, 'utf8')));
});

test('entries are read back, and described for people', () => {
  const read = entries.map(entry => decodeEntry(entry)) as DatabaseEntry[];
  assert.deepEqual(
    read.map(one => one.entry),
    ['range', 'range', 'table', 'sequence', 'object', 'facts'],
  );
  assert.equal(read[2]!.entry === 'table' && read[2]!.autoIncrement, (1n << 64n) - 1n);
  assert.equal(read[3]!.entry === 'sequence' && read[3]!.next, -7n);
  assert.deepEqual(entries.map(describeEntry).slice(2), [
    'table tä',
    'sequence s',
    'trigger g',
    'facts of the database',
  ]);
  const later = { ...entries[0]!, key: Uint8Array.of(9) };
  assert.throws(
    () => decodeEntry(later),
    (error: unknown) => error instanceof StillpointError && error.code === 'STORE_NEWER',
  );
});

test('places of ranges stay, and new ones fit between them', () => {
  assert.deepEqual(assignPlaces([10n, null, 20n]), [10n, 15n, 20n]);
  const packed = assignPlaces([1n, null, 2n]);
  assert.ok(packed.every((place, i) => i === 0 || place > packed[i - 1]!));
  assert.equal(assignPlaces(new Array<null>(1_000).fill(null)).length, 1_000);
});

test('a URL says where, and a password in it is in no message', () => {
  const at = (url: string, password?: string) =>
    readAddress({ url, ...(password !== undefined && { password }) });
  assert.equal(at('mysql://u:p%40@[::1]:3307/a%20b').shown, '::1:3307/a b');
  assert.equal(at('mysql://u:p%40@h/x').password, 'p@');
  assert.equal(at('mariadb://u:p@h/x', 'q').password, 'q');
  assert.equal(at('mysql://u@h/x?socket=/run/s').shown, '/run/s/x');
  for (const url of [
    'mysql://u:secret@h',
    'mysql://u:secret@h/x?ssl=1',
    'mysql://u:secret@h/x?socket=s',
    'http://u:secret@h/x',
    'mysql://u:secret%@h/x',
  ])
    assert.throws(
      () => at(url),
      (error: Error) =>
        !error.message.includes('secret') && (error as StillpointError).code === 'CONFIG_INVALID',
    );
});
