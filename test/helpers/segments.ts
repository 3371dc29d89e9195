import fc from 'fast-check';
import { emptyDigest } from '../../engine/database/digest.ts';
import type { SegmentDelta, SegmentEntry } from '../../engine/database/postgres/entries/segment-entry.ts';
import { CtidEncoder, encodeLive } from '../../engine/database/postgres/rows/ctids.ts';
import { contentWriter, rowsWriter } from '../../engine/ingest/index.ts';
import type { MemoryChunks } from './memory-chunks.ts';

/** A heap in miniature: what is at a place, and since which step. */
type Heap = Map<string, { readonly text: string; readonly since: number }>;
export type Step = readonly {
  readonly block: number;
  readonly offset: number;
  readonly text: string | null;
}[];

const first = 100;
const blocks = 4;
/** The heap grew by one after the base was read. */
const baseBlocks = 3;
/** What happened to a heap, one backup after the other. */
export const steps = fc.array(
  fc.array(
    fc.record({
      block: fc.nat(blocks - 1),
      offset: fc.integer({ min: 1, max: 6 }),
      text: fc.option(fc.string({ maxLength: 5 }).map(text => text.replaceAll('\n', '·'))),
    }),
    { maxLength: 12 },
  ),
  { minLength: 1, maxLength: 5 },
);

function placesOf(heap: Heap, since = 0): { block: number; offset: number; text: string }[] {
  return [...heap]
    .filter(([, row]) => row.since >= since)
    .map(([place, { text }]) => {
      const [block, offset] = place.split(',').map(Number);
      return { block: block!, offset: offset!, text };
    })
    .sort((a, b) => a.block - b.block || a.offset - b.offset);
}

function apply(heap: Heap, step: Step, since: number): Set<number> {
  const touched = new Set<number>();
  for (const { block, offset, text } of step) {
    const place = `${first + block},${offset}`;
    if (text === null) {
      if (heap.delete(place)) touched.add(first + block);
    } else {
      heap.set(place, { text, since });
      touched.add(first + block);
    }
  }
  return touched;
}

async function store(
  chunks: MemoryChunks,
  rows: ReturnType<typeof placesOf>,
  range: { readonly first: number; readonly blocks: number } | readonly number[],
) {
  const writer = rowsWriter(chunks, chunks.cuts);
  await writer.write(Buffer.from(rows.map(row => `${row.text}\n`).join('')));
  const places = contentWriter(chunks, chunks.cuts);
  const list = 'first' in range ? Array.from({ length: range.blocks }, (_, i) => range.first + i) : range;
  for (const block of list) {
    const encoder = new CtidEncoder({ first: block, blocks: 1 });
    for (const row of rows) if (row.block === block) encoder.add(block, row.offset);
    await places.write(encoder.finish());
  }
  return { rows: await writer.finish(), ctids: await places.finish() };
}

/** A segment with a base, and a delta for each later step; and the rows that it stands for. */
export async function makeSegment(chunks: MemoryChunks, history: readonly Step[]) {
  const heap: Heap = new Map();
  apply(
    heap,
    history[0]!.filter(({ block }) => block < baseBlocks),
    0,
  );
  const range = { first, blocks };
  const base = await store(chunks, placesOf(heap), { first, blocks: baseBlocks });
  const deltas: SegmentDelta[] = [];
  for (const [i, step] of history.slice(1).entries()) {
    const touched = [...apply(heap, step, i + 1)].sort((a, b) => a - b);
    const live = touched.map(block => ({
      block,
      offsets: placesOf(heap).flatMap(row => (row.block === block ? [row.offset] : [])),
    }));
    const writer = contentWriter(chunks, chunks.cuts);
    await writer.write(encodeLive(live));
    const rows = placesOf(heap, i + 1);
    deltas.push({
      baseXmin: BigInt(i),
      blocks: touched.length,
      rowCount: rows.length,
      ...(await store(chunks, rows, touched)),
      live: await writer.finish(),
    });
  }
  const segment: SegmentEntry = {
    ...{ schema: 's', name: 't' },
    ...range,
    baseBlocks,
    digest: emptyDigest,
    ...base,
    deltas,
  };
  const expected = placesOf(heap)
    .map(row => `${row.text}\n`)
    .join('');
  return { segment, expected };
}
