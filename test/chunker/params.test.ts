import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutsFrom, defaultSizes } from '../../chunker/index.ts';
import { xofOf } from './inputs.ts';

test('the sizes of v1 are the default', () => {
  const cuts = cutsFrom(xofOf(1));
  const KiB = 1024;
  const sizes = Object.values(cuts).map(cut => [cut.minBytes, cut.averageBytes, cut.maxBytes]);
  assert.deepEqual(sizes, [
    [512 * KiB, 1024 * KiB, 8192 * KiB],
    [16 * KiB, 64 * KiB, 256 * KiB],
    [2 * KiB, 8 * KiB, 32 * KiB],
  ]);
  assert.deepEqual(Object.keys(cuts), Object.keys(defaultSizes));
});

test('seeds are read from the secret’s output as the format says', () => {
  const asked: [string, number][] = [];
  const cuts = cutsFrom((label, length) => {
    asked.push([label, length]);
    return Uint8Array.from({ length }, (_, i) => 2 * i);
  });
  assert.deepEqual(asked, [
    ['cuts/data', 40],
    ['cuts/rows', 16],
    ['cuts/nodes', 16],
  ]);
  assert.deepEqual(cuts.data.seed.prefilter, [0x0201, 0x0605, 0x0a09, 0x0e0d]);
  assert.equal(cuts.data.seed.words[0], 0x1e1c1a1816141210n);
  assert.equal(cuts.data.seed.words[3], 0x4e4c4a4846444240n);
  assert.deepEqual([...cuts.rows.key], [...cuts.nodes.key]);
});

test('a secret that gives too few bytes is a RangeError', () => {
  for (const short of ['cuts/data', 'cuts/rows', 'cuts/nodes'])
    assert.throws(
      () => cutsFrom((label, length) => new Uint8Array(label === short ? length - 1 : length)),
      RangeError,
    );
});

test('sizes that make no sense are a RangeError', () => {
  const bad = { minBytes: 100, averageBytes: 50, maxBytes: 200 };
  for (const kind of ['data', 'rows', 'nodes'])
    assert.throws(() => cutsFrom(xofOf(1), { ...defaultSizes, [kind]: bad }), RangeError);
});
