import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutsFrom } from '../../../chunker/index.ts';
import { contentBytes, contentWriter, readContent, rowsWriter } from '../../../engine/ingest/index.ts';
import type { Content } from '../../../store/index.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';

const KiB = 1024;
const small = {
  data: { minBytes: 4 * KiB, averageBytes: 16 * KiB, maxBytes: 64 * KiB },
  rows: { minBytes: KiB, averageBytes: 4 * KiB, maxBytes: 16 * KiB },
  nodes: { minBytes: KiB, averageBytes: 4 * KiB, maxBytes: 16 * KiB },
};
const cuts = cutsFrom(
  (label, length) => new Uint8Array(Buffer.from(label.repeat(length)).subarray(0, length)),
  small,
);

/** Bytes that compress badly and repeat nowhere. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

async function written(
  bytes: Uint8Array,
  splits: readonly number[],
): Promise<{ content: Content; back: Uint8Array }> {
  const chunks = memoryChunks();
  const writer = contentWriter(chunks, cuts);
  let from = 0;
  for (const at of [...splits, bytes.length]) {
    const part = new Uint8Array(bytes.subarray(from, Math.max(from, at)));
    await writer.write(part);
    part.fill(0xff); // the writer has copied what it keeps
    from = Math.max(from, at);
  }
  const content = await writer.finish();
  return { content, back: await contentBytes(chunks, content, { bytesMax: 2 ** 24 }) };
}

test('content comes back, and its extents do not depend on how it was split', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(300 * KiB),
      fc.nat(1000),
      fc.array(fc.nat(300 * KiB), { maxLength: 6 }),
      async (length, seed, at) => {
        const bytes = noise(length, seed);
        const whole = await written(bytes, []);
        const split = await written(
          bytes,
          [...at].sort((a, b) => a - b).filter(one => one <= length),
        );
        assert.deepEqual(whole.back, bytes);
        assert.deepEqual(split, whole);
      },
    ),
    { numRuns: 40 },
  );
});

test('up to 128 bytes are kept in place, one more is a chunk', async () => {
  const inPlace = await written(noise(128, 1), []);
  const chunk = await written(noise(129, 1), []);
  assert.equal('extents' in inPlace.content && inPlace.content.extents[0]?.kind, 'inline');
  assert.equal('extents' in chunk.content && chunk.content.extents[0]?.kind, 'chunk');
});

test('nothing is no extent', async () => {
  assert.deepEqual((await written(new Uint8Array(0), [])).content, { length: 0, extents: [] });
});

test('long content has its extents in a list of their own', async () => {
  const { content, back } = await written(noise(3 * KiB * KiB, 5), [100, 7_000]);
  assert.ok('list' in content);
  assert.equal(back.length, 3 * KiB * KiB);
});

test('holes are not stored and come back as holes', async () => {
  const chunks = memoryChunks();
  const writer = contentWriter(chunks, cuts);
  await writer.write(noise(10 * KiB, 2));
  await writer.hole(2 ** 40);
  await writer.write(noise(200, 3));
  const content = await writer.finish();
  assert.equal(content.length, 10 * KiB + 2 ** 40 + 200);
  const kinds: string[] = [];
  for await (const part of readContent(chunks, content)) kinds.push(part.kind);
  assert.deepEqual([...new Set(kinds)], ['bytes', 'hole']);
  assert.equal(kinds.filter(kind => kind === 'hole').length, 1);
});

test('rows come back, and a row put in between changes few chunks', async () => {
  const rows = Array.from(
    { length: 4_000 },
    (_, i) => `${i}\tname ${(i * 7919) % 10_007}\t${'x'.repeat(i % 40)}\n`,
  );
  const chunks = memoryChunks();
  const store = async (lines: readonly string[]) => {
    const writer = rowsWriter(chunks, cuts);
    for (let i = 0; i < lines.length; i += 100)
      await writer.write(Buffer.from(lines.slice(i, i + 100).join('')));
    return writer.finish();
  };
  const first = await store(rows);
  const countFirst = chunks.count('data');
  const second = await store([...rows.slice(0, 2_000), 'a new row\n', ...rows.slice(2_000)]);
  assert.equal(
    Buffer.from(await contentBytes(chunks, first, { bytesMax: 2 ** 24 })).toString(),
    rows.join(''),
  );
  assert.equal(
    (await contentBytes(chunks, second, { bytesMax: 2 ** 24 })).length,
    first.length + 'a new row\n'.length,
  );
  const countNew = chunks.count('data') - countFirst;
  assert.ok(countNew <= 8, `${countNew} new chunks of ${countFirst}`);
});
