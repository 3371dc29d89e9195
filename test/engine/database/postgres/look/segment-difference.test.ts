import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SegmentEntry } from '../../../../../engine/database/postgres/entries/segment-entry.ts';
import { SegmentDifference } from '../../../../../engine/database/postgres/look/segment-difference.ts';
import { rowsWriter } from '../../../../../engine/ingest/index.ts';
import type { ChunkSource } from '../../../../../store/index.ts';
import { type CountedChunks, countedChunks } from '../../../../helpers/chunks.ts';
import { makeSegment, steps } from '../../../../helpers/segments.ts';

const key = new Uint8Array(16).fill(7);
const nothing = { length: 0, extents: [] };

async function segment(chunks: CountedChunks, rows: readonly string[]): Promise<SegmentEntry> {
  const writer = rowsWriter(chunks, chunks.cuts);
  await writer.write(Buffer.from(rows.map(row => `${row}\n`).join('')));
  const digest = { rows: rows.length, sum: 0n };
  const name = { schema: 'public', name: 'some' };
  return {
    ...name,
    first: 0,
    blocks: 1,
    baseBlocks: 1,
    digest,
    rows: await writer.finish(),
    ctids: nothing,
    deltas: [],
  };
}

async function countsOf(
  chunks: CountedChunks,
  before: readonly (readonly string[])[],
  after: readonly (readonly string[])[],
) {
  const difference = new SegmentDifference(chunks, key);
  for (const rows of before) await difference.add({ before: await segment(chunks, rows) });
  for (const rows of after) await difference.add({ after: await segment(chunks, rows) });
  return difference.counts();
}

/** What one multiset has more often than the other. */
function naive(before: readonly string[], after: readonly string[]) {
  const times = new Map<string, number>();
  for (const row of after) times.set(row, (times.get(row) ?? 0) + 1);
  for (const row of before) times.set(row, (times.get(row) ?? 0) - 1);
  let [added, removed] = [0, 0];
  for (const count of times.values()) {
    if (count > 0) added += count;
    else removed -= count;
  }
  return { added, removed };
}

const row = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'a\tb'),
  fc.string({ maxLength: 8 }).map(text => text.replaceAll('\n', '')),
  fc.tuple(fc.nat(3), fc.constantFrom(70_000, 600_000)).map(([n, length]) => String(n).repeat(length)),
);
const table = fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 3 });

test('rows that only one side has are counted, in whatever segment and chunk they are', async () => {
  await fc.assert(
    fc.asyncProperty(table, table, async (before, after) => {
      const chunks = countedChunks();
      const both: readonly string[][] = [[...(before[0] ?? []), ...(after[0] ?? [])]];
      const [old, now] = [
        [...before, ...both],
        [...both, ...after],
      ];
      assert.deepEqual(await countsOf(chunks, old, now), naive(old.flat(), now.flat()));
    }),
    { numRuns: 25 },
  );
});

test('of a large table only the chunks are read that the other side lacks', async () => {
  const chunks = countedChunks();
  const rows = Array.from(
    { length: 60_000 },
    (_, i) => `${i}\t${'some text of a comment '.repeat(2)}${i * 7}`,
  );
  const [before, after] = [await segment(chunks, rows), await segment(chunks, rows.with(30_000, 'another'))];
  chunks.counts.gets = 0;
  const difference = new SegmentDifference(chunks, key);
  await difference.add({ before, after });
  assert.deepEqual(await difference.counts(), { added: 1, removed: 1 });
  assert.ok(chunks.counts.gets <= 12, `${chunks.counts.gets} of ${chunks.count('data')} chunks`);
  assert.ok(chunks.count('data') > 30);
});

test('of a segment with deltas what each state added and took away is counted, whichever is the later one', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(4), fc.boolean(), async (history, last, isBack) => {
      const chunks = countedChunks();
      const states = [
        await makeSegment(chunks, history.slice(0, 1 + (last % history.length))),
        await makeSegment(chunks, history),
      ];
      const [before, after] = isBack ? states.reverse() : states;
      const difference = new SegmentDifference(chunks, key);
      await difference.add({ before: before!.segment, after: after!.segment });
      const [old, now] = [before!, after!].map(({ expected }) => expected.split('\n').slice(0, -1));
      assert.deepEqual(await difference.counts(), naive(old!, now!));
    }),
    { numRuns: 200 },
  );
});

test('a delta that only adds rows is compared without the base being read', async () => {
  const chunks = countedChunks();
  const base = Array.from({ length: 200 }, (_, i) => ({
    block: i % 3,
    offset: 1 + Math.floor(i / 3),
    text: `row ${i} ${'x'.repeat(500)}`,
  }));
  const more = [{ block: 1, offset: 80, text: 'y'.repeat(1_000) }];
  const [before, after] = [await makeSegment(chunks, [base]), await makeSegment(chunks, [base, more])];
  const read: string[] = [];
  const source: ChunkSource = {
    async get(id, chunkClass) {
      const bytes = await chunks.get(id, chunkClass);
      read.push(Buffer.from(bytes).toString('latin1'));
      return bytes;
    },
  };
  const difference = new SegmentDifference(source, key);
  await difference.add({ before: before.segment, after: after.segment });
  assert.deepEqual(await difference.counts(), { added: 1, removed: 0 });
  assert.deepEqual(
    [read.some(text => text.includes('yyy')), read.some(text => text.includes('xxx'))],
    [true, false],
  );
});
