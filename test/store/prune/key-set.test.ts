import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KeySet } from '../../../store/prune/key-set.ts';

// Keys that begin alike come close to each other, and past the end the set goes on at its beginning.
const key = fc
  .array(fc.constantFrom(0, 1, 127, 255), { minLength: 16, maxLength: 16 })
  .map(bytes => Uint8Array.from(bytes));

test('a set of keys has those that were added and no others, the key of zeros too', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 40 }), fc.array(key), (added, others) => {
      const set = new KeySet(added.length);
      for (const one of added) set.add(one);
      const model = new Set(added.map(String));
      for (const one of [...added, ...others, new Uint8Array(16)])
        assert.equal(set.has(one), model.has(String(one)));
    }),
  );
});
