import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashedPieceBytes } from '../../../../../chunker/index.ts';
import {
  plainRowTaker,
  type RowTaker,
  type RowTakerOptions,
  rowTaker,
} from '../../../../../engine/database/postgres/rows/row-taker.ts';

const key = Uint8Array.from({ length: 16 }, (_, i) => 17 * i);

type Make = (options: RowTakerOptions) => RowTaker;

interface Input {
  readonly bytes: Uint8Array;
  /** Sizes of the pieces that it comes in. */
  readonly pieces: readonly number[];
  readonly hasPlaces: boolean;
  readonly as: 'text' | 'messages';
}

/** All that a taker says. */
function take(make: Make, { bytes, pieces, hasPlaces, as }: Input) {
  const told: (readonly number[])[] = [];
  const taker = make({ key, hasPlaces, onRow: (...row) => void told.push(row) });
  const out: Uint8Array[] = [];
  let left = 0;
  for (let at = 0, i = 0; at < bytes.length && left === 0; i += 1) {
    const piece = bytes.subarray(at, at + pieces[i % pieces.length]!);
    at += piece.length;
    if (as === 'text') {
      for (const rows of taker.text(piece)) out.push(rows.slice());
      continue;
    }
    const taking = taker.messages(piece);
    let step = taking.next();
    for (; !step.done; step = taking.next()) out.push(step.value.slice());
    left = step.value === 0 ? 0 : step.value + bytes.length - at;
  }
  const { result, isBetweenRows } = taker;
  taker.release();
  return { told, out: Buffer.concat(out).toString('latin1'), left, result, isBetweenRows };
}

function assertAlike(input: Input): ReturnType<typeof take> {
  const found = take(rowTaker, input);
  const expected = take(plainRowTaker, input);
  // Of a row that broke off, one gives what came of it and the other nothing.
  if (!found.isBetweenRows) {
    assert.ok(expected.out.startsWith(found.out));
    assert.deepEqual({ ...found, out: '' }, { ...expected, out: '' });
  } else assert.deepEqual(found, expected);
  return found;
}

const message = (code: string, bytes: Uint8Array): Buffer => {
  const head = Buffer.from(`${code}....`);
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
};

const row = fc
  .uint8Array({ maxLength: 130 })
  .map(bytes => Buffer.from(bytes.map(byte => (byte === 10 ? 11 : byte))));
const rows = fc.array(row, { maxLength: 60 });
const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 });

const placed = (list: readonly Buffer[], hasPlaces: boolean): Buffer[] =>
  list.map((bytes, i) =>
    Buffer.concat([
      Buffer.from(hasPlaces ? `(${i * 99_991},${1 + (i % 291)})\t` : ''),
      bytes,
      Buffer.from('\n'),
    ]),
  );

test('rows are taken alike by vectors and one by one, wherever messages and buffers end', () => {
  fc.assert(
    fc.property(
      rows,
      pieces,
      fc.boolean(),
      fc.constantFrom('text', 'messages'),
      (list, sizes, hasPlaces, as) => {
        const lines = placed(list, hasPlaces);
        const bytes = Buffer.concat(as === 'text' ? lines : lines.map(line => message('d', line)));
        const found = assertAlike({ bytes, pieces: sizes, hasPlaces, as });
        assert.equal(found.result.rows, list.length);
        assert.equal(found.out, Buffer.concat(placed(list, false)).toString('latin1'));
        assert.equal(found.isBetweenRows, true);
      },
    ),
    { numRuns: 200 },
  );
});

test('messages that hold parts of rows, or several, or nothing, are the same stream', () => {
  fc.assert(
    fc.property(rows, pieces, pieces, (list, cuts, sizes) => {
      const text = Buffer.concat(placed(list, true));
      const messages: Buffer[] = [message('d', Buffer.alloc(0))];
      for (let at = 0, i = 0; at < text.length; at += cuts[i++ % cuts.length]!)
        messages.push(message('d', text.subarray(at, at + cuts[i % cuts.length]!)));
      const found = assertAlike({
        bytes: Buffer.concat(messages),
        pieces: sizes,
        hasPlaces: true,
        as: 'messages',
      });
      assert.equal(found.result.rows, list.length);
    }),
    { numRuns: 100 },
  );
});

test('rows break off anywhere, and that is seen', () => {
  fc.assert(
    fc.property(rows, pieces, fc.nat(), (list, sizes, at) => {
      const text = Buffer.concat(placed(list, true));
      const bytes = text.subarray(0, at % (text.length + 1));
      const found = assertAlike({ bytes, pieces: sizes, hasPlaces: true, as: 'text' });
      assert.equal(found.isBetweenRows, bytes.length === 0 || bytes.at(-1) === 10);
    }),
    { numRuns: 100 },
  );
});

test('another message ends the taking, and all of it is left, with what follows', () => {
  const lines = placed([Buffer.from('one'), Buffer.from('two')], true).map(line => message('d', line));
  const rest = Buffer.concat([message('c', Buffer.alloc(0)), message('C', Buffer.from('COPY 2\0'))]);
  for (let size = 1; size < 60; size += 1) {
    const bytes = Buffer.concat([...lines, rest]);
    const found = assertAlike({ bytes, pieces: [size], hasPlaces: true, as: 'messages' });
    assert.equal(found.left, rest.length, `in pieces of ${size}`);
  }
});

test('rows of several pieces are hashed alike, wherever the buffers end', () => {
  for (const extra of [0, 1, hashedPieceBytes, 2 * hashedPieceBytes + 70_000]) {
    const long = Buffer.alloc(hashedPieceBytes + extra, 'abcdefghijklmnopqrstuvw');
    for (const hasPlaces of [true, false]) {
      const lines = placed([Buffer.from('short'), long, Buffer.from('end'), long], hasPlaces);
      for (const size of [65_521, 10_000_000]) {
        const input = { bytes: Buffer.concat(lines), pieces: [size], hasPlaces };
        const found = assertAlike({ ...input, as: 'text' });
        assert.equal(found.result.rows, 4);
        assertAlike({ ...input, bytes: message('d', input.bytes), as: 'messages' });
      }
    }
  }
});

test('a row without its place, and a message of no length, are refused by both', () => {
  for (const make of [rowTaker, plainRowTaker]) {
    const text = (bytes: Uint8Array) => take(make, { bytes, pieces: [4], hasPlaces: true, as: 'text' });
    for (const line of ['0,1)\ta\n', '(0,1)a\n', '(0;1)\ta\n', '(x,1)\ta\n', '\n'])
      assert.throws(() => text(Buffer.from(line)), RangeError, line);
    const long = Buffer.alloc(2 * hashedPieceBytes, 'x');
    assert.throws(() => text(long), RangeError);
    const bytes = Buffer.from([0x64, 0, 0, 0, 3, 0, 0]);
    assert.throws(() => take(make, { bytes, pieces: [9], hasPlaces: false, as: 'messages' }), RangeError);
    assert.throws(() => make({ key: new Uint8Array(15), hasPlaces: false }), RangeError);
  }
});
