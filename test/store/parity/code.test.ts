import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldsOf } from '../../../store/cbor-fields.ts';
import { type CborValue, decodeCbor, encodeCbor, hex } from '../../../store/index.ts';
import {
  blockBytes,
  damagedBlocks,
  isParity,
  type Parity,
  parityOf,
  rebuildPack,
} from '../../../store/parity/code.ts';
import { inverse, invert, multiply, powerOfTwo } from '../../../store/parity/field.ts';
import { parityRecord } from '../../../store/parity/record.ts';
import { plainSums, vectorSums } from '../../../store/parity/sums.ts';
import { projectRoot } from '../../helpers/project.ts';

/** The same ones each time. */
const bytesOf = (length: number, seed = 'pack'): Uint8Array =>
  createHash('shake256', { outputLength: length }).update(seed).digest();

/** Shift and add: nothing but the definition. */
function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let i = 0; i < 8; i++) if ((b >> i) & 1) product ^= a << i;
  for (let i = 15; i >= 8; i--) if ((product >> i) & 1) product ^= 0x11d << (i - 8);
  return product;
}

test('the field multiplies and divides as its definition says', () => {
  for (let a = 0; a < 256; a++)
    for (let b = 0; b < 256; b++) assert.equal(multiply(a, b), slowMultiply(a, b));
  for (let a = 1; a < 256; a++) assert.equal(slowMultiply(a, inverse(a)), 1);
  assert.equal(powerOfTwo(-1), 0x8e);
  assert.deepEqual(invert([[1, 0], [7, 1]]), [[1, 0], [7, 1]]); // biome-ignore format: two matrices
  assert.throws(() => invert([[2, 2], [1, 1]]), RangeError); // biome-ignore format: a matrix
});

test('vectors and the plain loop give the same sums, and these are the powers of 2 times the rows', () => {
  const rows = [1, 2, 3, 4, 5].map(i => bytesOf(48, `row ${i}`));
  const naive = [-1, 0, 1].flatMap(exponent =>
    Array.from({ length: 48 }, (_, at) =>
      rows.reduce((sum, row, i) => sum ^ slowMultiply(powerOfTwo(exponent * (4 - i)), row[at]!), 0),
    ),
  );
  const all = [plainSums(), vectorSums()].filter(sums => sums !== undefined);
  assert.equal(all.length, 2, 'this machine has vectors');
  for (const sums of all) {
    for (const size of [2 ** 20, 48]) {
      sums.begin(size); // a second time: what was there before is forgotten, and memory grew
      for (const row of rows) {
        sums.row.set(row);
        sums.add();
      }
    }
    assert.deepEqual([...sums.finish()], naive);
  }
});

function lose(pack: Uint8Array, blocks: Iterable<number>): Uint8Array {
  const damaged = new Uint8Array(pack);
  for (const block of blocks)
    damaged.set(damaged.subarray(block * blockBytes, (block + 1) * blockBytes).map(byte => byte ^ 0xa5), block * blockBytes); // biome-ignore format: one loss
  return damaged;
}

function check(pack: Uint8Array, parity: Parity, damaged: Uint8Array): void {
  const { bytes, lost } = rebuildPack(parity, damaged);
  assert.deepEqual(lost, []);
  assert.equal(Buffer.compare(bytes, pack), 0);
}

test('parity takes at most 3.3 % of a pack of 16 MiB, and its columns belong to each other', () => {
  const parity = parityOf([new Uint8Array(2 ** 24)]);
  assert.ok(isParity(parity));
  assert.ok(parity.sums.length + parity.checks.length < 0.033 * 2 ** 24);
  assert.ok(!isParity({ ...parity, stripes: parity.stripes - 1 }));
  assert.ok(!isParity({ ...parity, packBytes: parity.packBytes + 1 }));
  assert.ok(!isParity({ ...parity, stripes: 0 }));
});

test('it does not matter in which parts a pack comes', () => {
  const pack = bytesOf(400_000);
  const parts = [0, 1, 97, 4096, 200_001, 399_999].map((from, i, all) => pack.subarray(from, all[i + 1]));
  assert.deepEqual(parityOf(parts), parityOf([pack]));
});

test('any three blocks of a stripe are rebuilt, and four are refused and never wrong', () => {
  const pack = bytesOf(20 * blockBytes - 5);
  const parity = parityOf([pack]);
  assert.equal(parity.stripes, 1);
  const blocks = fc.uniqueArray(fc.nat({ max: 19 }), { minLength: 0, maxLength: 6 });
  fc.assert(
    fc.property(blocks, lost => {
      const damaged = lose(pack, lost);
      assert.deepEqual(
        damagedBlocks(parity, damaged),
        [...lost].sort((a, b) => a - b),
      );
      if (lost.length <= 3) return check(pack, parity, damaged);
      const answer = rebuildPack(parity, damaged);
      assert.deepEqual(
        answer.lost,
        [...lost].sort((a, b) => a - b),
      );
      assert.equal(Buffer.compare(answer.bytes, damaged), 0);
    }),
    { numRuns: 60 },
  );
});

test('flips anywhere are rebuilt as long as no stripe has more than three bad blocks', () => {
  const pack = bytesOf(800_003);
  const parity = parityOf([pack]);
  assert.equal(parity.stripes, 3);
  const flips = fc.array(fc.nat({ max: pack.length - 1 }), { maxLength: 9 });
  fc.assert(
    fc.property(flips, places => {
      const damaged = new Uint8Array(pack);
      for (const at of new Set(places)) damaged[at]! ^= 1 << (at % 8);
      const bad = damagedBlocks(parity, damaged);
      const { bytes, lost, rebuilt } = rebuildPack(parity, damaged);
      const isTooMuch = (block: number) => bad.filter(other => other % 3 === block % 3).length > 3;
      assert.deepEqual(lost, bad.filter(isTooMuch));
      assert.equal(rebuilt, bad.length - lost.length);
      if (lost.length === 0) assert.equal(Buffer.compare(bytes, pack), 0);
    }),
    { numRuns: 20 },
  );
});

test('a run of 128 KiB that is gone from a pack of 4 MiB, at its beginning, in it or at its end, is rebuilt', () => {
  const pack = bytesOf(2 ** 22 + 77);
  const parity = parityOf([pack]);
  const run = 2 ** 17;
  for (const from of [0, 3_000_123, pack.length - run]) {
    const damaged = new Uint8Array(pack);
    damaged.fill(0, from, from + run);
    check(pack, parity, damaged);
  }
  check(pack, parity, pack.subarray(0, pack.length - run));
});

test('a pack that is gone is not rebuilt', () => {
  const pack = bytesOf(300_000);
  const { rebuilt, lost } = rebuildPack(parityOf([pack]), new Uint8Array());
  assert.equal(rebuilt, 0);
  assert.equal(lost.length, 74);
});

test('the record of a parity is written as it was, and one that does not fit is damage', async () => {
  const pack = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
  const parity = parityOf([pack]);
  const bytes = encodeCbor(new Map<number, CborValue>([[0, []], ...parityRecord.encode(parity)]));
  const file = join(projectRoot, 'test/golden/store/parity.bin');
  if (process.env['STILLPOINT_UPDATE_GOLDEN']) await writeFile(file, bytes);
  const golden = await readFile(file);
  assert.equal(hex(bytes), hex(golden));
  const decode = (name: string, wanted: CborValue) =>
    parityRecord.decode(fieldsOf(decodeCbor(encodeCbor(wanted), { what: name }), name), name);
  const fields = parityRecord.encode(parity);
  assert.deepEqual(decode('golden', fields as CborValue), parity);
  for (const [field, value] of [
    [1, 9000],
    [1, 0],
    [2, 2],
    [2, 0],
    [3, new Uint8Array(4)],
    [4, new Uint8Array(4096)],
  ] as const)
    assert.throws(() => decode('wrong', new Map<number, CborValue>([...fields, [field, value]])), {
      code: 'STORE_DAMAGED',
    });
});
