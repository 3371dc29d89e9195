import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkTable } from '../../../store/chunk-index/table.ts';
import { seededRandomness } from '../../helpers/seeded.ts';

test('a table has every copy of every key that was added, in order, and no other', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(40), fc.nat(0xffff_fff0), fc.nat(), fc.nat()), { maxLength: 400 }),
      // Few first words, so that keys lie side by side and around the end of the table.
      fc.constantFrom(1, 3, 0xffff_ffff),
      (entries, spread) => {
        const table = new ChunkTable();
        const expected = new Map<number, { frame: number }[]>();
        for (const [name, frame, offset, length] of entries) {
          table.add(keyOf(name, spread), { frame, offset, length });
          // The 64th is the last that is taken.
          expected.set(name, [...(expected.get(name) ?? []), { frame, offset, length }].slice(0, 64));
        }
        for (let name = 0; name <= 41; name++) {
          assert.deepEqual(table.copies(keyOf(name, spread)), expected.get(name) ?? []);
          assert.equal(table.has(keyOf(name, spread)), expected.has(name));
          const frames: number[] = [];
          table.eachFrame(keyOf(name, spread), frame => frames.push(frame));
          assert.deepEqual(frames, expected.get(name)?.map(({ frame }) => frame) ?? []);
        }
        assert.equal(table.size, [...expected.values()].flat().length);
      },
    ),
  );
});

test('a table from which keys are taken out has all others', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(60), fc.boolean()), { maxLength: 300 }),
      fc.constantFrom(1, 3, 0xffff_ffff),
      (steps, spread) => {
        const table = new ChunkTable();
        const expected = new Map<number, number>();
        for (const [frame, [name, isAdded]] of steps.entries()) {
          if (!isAdded) table.remove(keyOf(name, spread));
          else if (!expected.has(name)) table.add(keyOf(name, spread), { frame, offset: 0, length: 1 });
          if (!isAdded) expected.delete(name);
          else if (!expected.has(name)) expected.set(name, frame);
        }
        for (let name = 0; name <= 61; name++) {
          const at = table.find(keyOf(name, spread));
          assert.equal(at < 0 ? undefined : table.slotAt(at).frame, expected.get(name));
        }
        assert.equal(table.size, expected.size);
      },
    ),
  );
});

function keyOf(name: number, spread: number): Buffer {
  const key = Buffer.alloc(16, name);
  key.writeUInt32LE((0xffff_ffff - (name % spread)) >>> 0);
  return key;
}

test('a hundred thousand chunks take at most 86 bytes each, and half of that when it is known how many', () => {
  const keys = seededRandomness('keys').bytes(16 * 1000);
  const grown = new ChunkTable();
  const known = new ChunkTable(100_000);
  for (let i = 0; i < 100_000; i++) {
    const key = Buffer.from(keys.subarray((i % 1000) * 16, (i % 1000) * 16 + 16));
    key.writeUInt32LE(Math.imul(i, 0x9e3779b1) >>> 0);
    grown.add(key, { frame: i, offset: 0, length: 1 });
    known.add(key, { frame: i, offset: 0, length: 1 });
  }
  assert.ok(grown.bytes / 100_000 <= 86);
  assert.equal(known.bytes, grown.bytes);
});
