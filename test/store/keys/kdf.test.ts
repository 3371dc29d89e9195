import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { affordable } from '../../../store/keys/find-slots.ts';
import { defaultKdf, type Kdf, kdfProblem, kdfShare, stretch } from '../../../store/keys/kdf.ts';

const GiB = 2n ** 30n;
/** What a slot can say, and often what makes products overflow. */
const u32 = fc.oneof(
  fc.nat(20),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.nat(31).map(bits => 2 ** bits),
  fc.constant(2 ** 32 - 1),
);

test('of any parameters that a slot can hold, those within the bounds are taken and no others', () => {
  fc.assert(
    fc.property(u32, u32, u32, fc.boolean(), (first, second, lanes, isArgon) => {
      const kdf: Kdf = isArgon
        ? { type: 'argon2id', memoryKiB: first, passes: second, lanes }
        : { type: 'scrypt', cost: first, blockSize: second, lanes };
      const memory = isArgon ? BigInt(first) * 1024n : 128n * BigInt(first) * BigInt(second);
      const work = memory * BigInt(isArgon ? second : lanes);
      const isPossible = isArgon
        ? second > 0 && first >= 8 * lanes
        : second > 0 && first > 1 && (first & (first - 1)) === 0;
      const isAllowed =
        isPossible && lanes > 0 && lanes <= 16 && memory <= GiB && work <= (isArgon ? 8n : 2n) * GiB;
      assert.equal(kdfProblem(kdf) === undefined, isAllowed, JSON.stringify(kdf));
    }),
    { numRuns: 3000 },
  );
});

test('parameters that are refused are not computed with', async () => {
  const salt = new Uint8Array(32);
  for (const kdf of [
    { type: 'argon2id', memoryKiB: 2 ** 32 - 1, passes: 2 ** 32 - 1, lanes: 16 },
    { type: 'scrypt', cost: 2 ** 31, blockSize: 2 ** 32 - 1, lanes: 2 ** 32 - 1 },
    { type: 'scrypt', cost: 0, blockSize: 0, lanes: 0 },
    { type: 'argon2id', memoryKiB: 0, passes: 0, lanes: 0 },
  ] as const)
    await assert.rejects(stretch('open sesame', kdf, salt), RangeError);
});

test('of 64 slots as dear as allowed four are tried, and of 64 that this program makes all', () => {
  const slots = (kdf: Kdf, count = 64) => Array.from({ length: count }, () => ({ slot: { kdf } }));
  const dearest: readonly Kdf[] = [
    { type: 'argon2id', memoryKiB: 2 ** 20, passes: 8 },
    { type: 'argon2id', memoryKiB: 8, passes: 2 ** 20 },
    { type: 'scrypt', cost: 2 ** 20, blockSize: 8, lanes: 2 },
  ];
  for (const kdf of dearest) {
    assert.equal(kdfProblem(kdf), undefined);
    assert.equal(kdfShare(kdf), 1);
    assert.equal(affordable(slots(kdf)).length, 4);
    const mixed = [...slots(kdf, 60), ...slots(defaultKdf, 4)];
    assert.deepEqual(affordable(mixed).slice(0, 4), slots(defaultKdf, 4));
  }
  assert.equal(affordable(slots(defaultKdf)).length, 64);
});
