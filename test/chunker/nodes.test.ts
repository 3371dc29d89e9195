import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsFrom, isNodeCut, type NodeCutParams } from '../../chunker/index.ts';
import { smallCuts, xofOf } from './inputs.ts';
import { referenceNodeCut } from './reference.ts';

/** How many entries each closed node of a listing has. */
function nodesOf(keys: readonly string[], level: number, params: NodeCutParams): number[] {
  const nodes: number[] = [];
  let sizeBytes = 0;
  let entries = 0;
  for (const [i, name] of keys.entries()) {
    const entryBytes = 60 + (i % 80);
    sizeBytes += entryBytes;
    entries++;
    if (!isNodeCut({ level, key: new TextEncoder().encode(name), entryBytes, sizeBytes }, params)) continue;
    nodes.push(entries);
    sizeBytes = 0;
    entries = 0;
  }
  return nodes;
}

const keys = Array.from({ length: 3000 }, (_, i) => `projects/${i}/`);

test('node cuts are those of the golden file', () => {
  const file = new URL('../../../test/golden/chunker/nodes.json', import.meta.url);
  const golden = JSON.parse(readFileSync(file, 'utf8')) as {
    seed: number;
    cases: { level: number; sizes: 'v1' | 'small'; entries: number[] }[];
  };
  assert.equal(golden.cases.length, 4);
  for (const { level, sizes, entries } of golden.cases) {
    const params = (sizes === 'v1' ? cutsFrom(xofOf(golden.seed)) : smallCuts(golden.seed)).nodes;
    assert.deepEqual(nodesOf(keys, level, params), entries, `level ${level}, ${sizes} sizes`);
  }
});

test('node cuts are those of the definition', () => {
  const params = smallCuts(3).nodes;
  fc.assert(
    fc.property(
      fc.record({
        level: fc.nat(5),
        key: fc.uint8Array({ maxLength: 80 }),
        entryBytes: fc.nat(4000),
        sizeBytes: fc.nat(10_000),
      }),
      question => {
        assert.equal(isNodeCut(question, params), referenceNodeCut(question, params));
      },
    ),
    { numRuns: 500 },
  );
});

test('a node is never cut below the minimum and always at the maximum', () => {
  const params = smallCuts(3).nodes;
  const { minBytes, maxBytes } = params;
  for (const name of keys.slice(0, 300)) {
    const key = new TextEncoder().encode(name);
    assert.equal(isNodeCut({ level: 0, key, entryBytes: 4000, sizeBytes: minBytes - 1 }, params), false);
    assert.equal(isNodeCut({ level: 0, key, entryBytes: 1, sizeBytes: maxBytes }, params), true);
  }
});

test('nodes have the average size', () => {
  const params = smallCuts(6).nodes;
  const nodes = nodesOf(keys, 0, params);
  const meanBytes = (keys.length * 99.5) / nodes.length;
  assert.ok(meanBytes > 0.7 * params.averageBytes && meanBytes < 1.4 * params.averageBytes);
});

test('the level and the key of the store decide, too', () => {
  const { nodes } = smallCuts(6);
  assert.notDeepEqual(nodesOf(keys, 0, nodes), nodesOf(keys, 1, nodes));
  assert.notDeepEqual(nodesOf(keys, 0, nodes), nodesOf(keys, 0, smallCuts(7).nodes));
});

test('parameters that make no sense are a RangeError', () => {
  const { nodes } = smallCuts(1);
  const question = { level: 0, key: new Uint8Array(1), entryBytes: 1, sizeBytes: 1 };
  assert.throws(() => isNodeCut(question, { ...nodes, minBytes: 0 }), RangeError);
  assert.throws(() => isNodeCut(question, { ...nodes, key: new Uint8Array(3) }), RangeError);
});
