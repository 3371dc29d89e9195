import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainRows } from '../../../engine/export/plain-rows.ts';
import { type ColumnWriter, type CsvCounts, csvOf } from '../../../engine/export/portable/csv.ts';
import { inUtf8 } from '../../../engine/export/portable/encodings.ts';
import { neutralType } from '../../../engine/export/portable/types.ts';
import { valueWriter } from '../../../engine/export/portable/values.ts';
import { collect } from '../../helpers/collect.ts';

const name = { schema: 's', name: 't' };

/** Bytes in pieces of a length. */
async function* pieces(text: string, length = 1): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const textOf = async (parts: AsyncIterable<Uint8Array>): Promise<string> =>
  Buffer.concat(await collect(parts)).toString('utf8');

test('rows that would end psql’s data are refused wherever the pieces part', async () => {
  for (const text of ['\\.\n\\! id\n', 'a\n\\.\n', 'a\n\\.x\n', 'a\tb', 'a\nb']) {
    for (let length = 1; length <= text.length; length += 1)
      await assert.rejects(collect(plainRows(name, pieces(text, length))), { code: 'STORE_DAMAGED' }, text);
  }
  for (const text of ['', '\n', '\\\\.\n', 'a\\\\.\n\\\\.\n', 'a.\n\\N\n']) {
    for (let length = 1; length <= text.length + 1; length += 1)
      assert.equal(await textOf(plainRows(name, pieces(text, length))), text);
  }
});

interface Csv extends CsvCounts {
  readonly text: string;
}

async function csv(rows: string, types: readonly string[], length = 7): Promise<Csv> {
  const columns = types.map((type, i) => {
    const neutral = neutralType(type, new Map());
    const write: ColumnWriter = neutral.type === 'binary' ? 'binary' : (valueWriter(neutral) ?? 'text');
    return { name: `c"${i}`, write };
  });
  const made = csvOf(pieces(rows, length), { columns, table: 'table s.t' });
  let text = '';
  for (;;) {
    const { done, value } = await made.next();
    if (done) return { text, ...value };
    text += Buffer.from(value).toString('latin1');
  }
}

test('CSV tells NULL, an empty text and the text NULL apart', async () => {
  const found = await csv('\\N\t\tNULL\n"a"\tb,c\td\\ne\\\\\n', ['text', 'text', 'text']);
  assert.equal(found.text, '"c""0","c""1","c""2"\r\nNULL,"","NULL"\r\n"""a""","b,c","d\ne\\"\r\n');
  assert.deepEqual([found.rows, found.nulls], [2, [1, 0, 0]]);
  assert.equal((await csv('\n\n', [])).text, '\r\n\r\n\r\n');
});

test('values are what any reader of RFC 4180 takes them for', async () => {
  const value = fc.option(fc.string({ unit: fc.constantFrom(...'a"\\,\r\n\t\bN.x\x7f') }), { nil: null });
  const seed = Number(process.hrtime.bigint() % 1_000_000n);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(value, value), { maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      async (rows, length) => {
        const copy = rows.map(row => `${row.map(copyText).join('\t')}\n`).join('');
        const { text } = await csv(copy, ['text', 'text'], length);
        assert.deepEqual(parsed(text).slice(1), rows);
      },
    ),
    { seed, numRuns: 200 },
  );
});

const controls: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b' };
const copyText = (value: string | null): string =>
  value === null ? '\\N' : value.replace(/[\n\r\t\b\\]/g, c => `\\${controls[c] ?? c}`);

function parsed(csvText: string): (string | null)[][] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  for (const [, quoted, bare, end] of csvText.matchAll(/(?:"((?:[^"]|"")*)"|(NULL))(,|\r\n)/g)) {
    row.push(bare === undefined ? quoted!.replaceAll('""', '"') : null);
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

test('rows that no server writes are no CSV', async () => {
  for (const [rows, types] of [
    ['a\tb\n', ['text']],
    ['a\n', ['text', 'text']],
    ['a', ['text']],
    ['\\q\n', ['text']],
    ['\\Nx\n', ['text']],
    ['xff\n', ['bytea']],
    ['x\n', []],
    [`${'1'.repeat(300)}\n`, ['date']],
  ] as const)
    await assert.rejects(csv(rows, types), { code: 'STORE_DAMAGED' }, rows);
});

test('times are ISO 8601, binary values hexadecimal, booleans words', async () => {
  for (const [type, value, expected] of [
    ['timestamp with time zone', '2026-01-31 23:59:59.5+00', '2026-01-31T23:59:59.5Z'],
    ['timestamp(3) without time zone', '0044-03-15 12:00:00 BC', '-0043-03-15T12:00:00'],
    ['timestamp with time zone', 'infinity', 'infinity'],
    ['date', '0001-12-31 BC', '0000-12-31'],
    ['date', '12026-02-03', '+12026-02-03'],
    ['time with time zone', '10:11:12+02', '10:11:12+02:00'],
    ['time with time zone', '10:11:12+05:30', '10:11:12+05:30'],
    ['boolean', 't', 'true'],
    ['bytea', '\\\\x00ff', '00ff'],
    ['bytea', '\\\\x', ''],
    ['interval', '1 day', '1 day'],
  ] as const)
    assert.equal((await csv(`${value}\n`, [type])).text, `"c""0"\r\n"${expected}"\r\n`, `${type} ${value}`);
});

test('other encodings become UTF-8, whatever pieces they come in', async () => {
  for (const [encoding, bytes, expected] of [
    ['LATIN1', '\x80\xe9', '\u0080é'],
    ['LATIN5', '\x80\xf0', '\u0080ğ'],
    ['WIN1252', '\x80', '€'],
    ['KOI8R', '\xc1', 'а'],
    ['EUC_JP', '\xc6\xfc\xcb\xdc', '日本'],
    ['UTF8', '\xc3\xa9', 'é'],
    ['SQL_ASCII', '\xc3\xa9', 'é'],
  ] as const)
    assert.equal(await textOf(inUtf8(pieces(bytes), encoding)), expected, encoding);
  for (const [encoding, bytes] of [
    ['SQL_ASCII', '\xff'],
    ['EUC_JP', '\xc6'],
    ['MULE_INTERNAL', 'a'],
  ] as const)
    await assert.rejects(textOf(inUtf8(pieces(bytes), encoding)), { code: 'DATABASE_UNSUPPORTED' }, encoding);
});
