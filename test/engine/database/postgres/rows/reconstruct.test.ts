import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SegmentEntry } from '../../../../../engine/database/postgres/entries/segment-entry.ts';
import { segmentRows } from '../../../../../engine/database/postgres/rows/reconstruct.ts';
import { type MemoryChunks, memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { makeSegment, steps } from '../../../../helpers/segments.ts';

async function textOf(chunks: MemoryChunks, segment: SegmentEntry): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const bytes of segmentRows(chunks, segment)) parts.push(bytes);
  return Buffer.concat(parts).toString();
}

test('a base and its deltas give the heap as it was last', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async history => {
      const chunks = memoryChunks();
      const { segment, expected } = await makeSegment(chunks, history);
      assert.equal(await textOf(chunks, segment), expected);
    }),
  );
});

test('parts that do not fit together are damage', async () => {
  const chunks = memoryChunks();
  const { segment } = await makeSegment(chunks, [
    [
      { block: 0, offset: 1, text: 'a' },
      { block: 0, offset: 2, text: 'b' },
    ],
    [{ block: 0, offset: 2, text: 'c' }],
  ]);
  const [delta] = segment.deltas;
  const wrong: SegmentEntry[] = [
    { ...segment, rows: delta!.rows },
    { ...segment, first: 200 },
    { ...segment, deltas: [{ ...delta!, blocks: 2 }] },
    { ...segment, deltas: [{ ...delta!, rows: segment.rows }] },
    { ...segment, deltas: [{ ...delta!, live: segment.ctids }] },
  ];
  for (const one of wrong) await assert.rejects(textOf(chunks, one), { code: 'STORE_DAMAGED' });
});
