import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { frameRawBytesMax, loadZstd, type Zstd, zstdImplementations } from '../../store/compress.ts';
import { systemClock } from '../../store/index.ts';
import { describeNative } from '../../store/native.ts';
import { CompressionError } from '../../store/zstd-frame.ts';
import { randomBytes, rowBytes, textBytes } from '../chunker/inputs.ts';

const available: Zstd[] = [];
const missing: string[] = [];
for (const prefer of zstdImplementations) {
  await loadZstd({ prefer }).then(
    zstd => available.push(zstd),
    () => missing.push(prefer), // the test below says which
  );
}

const inputs: Record<string, Uint8Array> = {
  empty: new Uint8Array(0),
  'one byte': Uint8Array.of(7),
  '255 bytes': textBytes(1, 255),
  '256 bytes': textBytes(1, 256),
  rows: rowBytes(2, 300_000),
  zeros: new Uint8Array(1 << 20),
  random: randomBytes(3, 200_000),
  large: textBytes(4, 3 << 20),
};

test('WASM is always there, and the fastest that is there is taken', async t => {
  t.diagnostic(
    `ran with ${available.map(one => one.implementation).join(', ')}; without ${missing.join(', ') || 'none'}`,
  );
  assert.equal(available.at(-1)?.implementation, 'wasm');
  assert.equal((await loadZstd()).implementation, available[0]?.implementation);
  for (const one of available)
    assert.equal((await loadZstd({ prefer: one.implementation })).implementation, one.implementation);
});

for (const writer of available) {
  for (const reader of available) {
    test(`${reader.implementation} reads what ${writer.implementation} wrote`, () => {
      for (const [name, raw] of Object.entries(inputs)) {
        const frame = writer.compress(raw);
        assert.deepEqual(reader.decompress(frame, raw.length), raw, name);
      }
      for (const level of [1, 9, 19]) {
        const raw = rowBytes(5, 50_000);
        assert.deepEqual(reader.decompress(writer.compress(raw, level), raw.length), raw, `level ${level}`);
      }
    });
  }
}

for (const zstd of available) {
  const name = zstd.implementation;

  test(`${name}: shared memory is compressed and read like any other`, () => {
    const raw = inputs['rows']!;
    const shared = (bytes: Uint8Array): Uint8Array => {
      const view = new Uint8Array(new SharedArrayBuffer(bytes.length + 9), 9);
      view.set(bytes);
      return view;
    };
    assert.deepEqual(zstd.decompress(shared(zstd.compress(shared(raw))), raw.length), raw);
  });

  test(`${name}: results are plain bytes of their own`, () => {
    const frame = zstd.compress(inputs['rows']!);
    const raw = zstd.decompress(frame, 300_000);
    const copies = [frame.slice(), raw.slice()];
    zstd.compress(inputs['random']!);
    zstd.decompress(zstd.compress(inputs['zeros']!), 1 << 20);
    assert.deepEqual([frame, raw], copies);
    for (const bytes of [frame, raw]) assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
  });

  test(`${name}: a frame of another length is refused`, () => {
    const raw = inputs['rows']!;
    const frame = zstd.compress(raw);
    for (const rawLength of [0, 1, raw.length - 1, raw.length + 1, 1 << 20])
      assert.throws(() => zstd.decompress(frame, rawLength), CompressionError);
    assert.throws(() => zstd.decompress(zstd.compress(new Uint8Array(0)), 1), CompressionError);
  });

  test(`${name}: what is no whole frame is refused`, () => {
    const raw = textBytes(5, 2000);
    const frame = zstd.compress(raw);
    for (let length = 0; length < frame.length; length++)
      assert.throws(() => zstd.decompress(frame.subarray(0, length), raw.length), CompressionError);
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0);
    const nothing = zstd.compress(new Uint8Array(0));
    for (const parts of [
      [frame, Uint8Array.of(0)],
      [skippable, frame],
      [frame, skippable],
      [frame, nothing],
      [nothing, frame],
    ])
      assert.throws(
        () => zstd.decompress(new Uint8Array(Buffer.concat(parts)), raw.length),
        CompressionError,
      );
    for (const bytes of [raw, randomBytes(6, 300), new Uint8Array(100), skippable])
      assert.throws(() => zstd.decompress(bytes, raw.length), CompressionError);
  });

  test(`${name}: changed bytes are refused or have the right length, and the next frame is read`, () => {
    const raw = textBytes(7, 3000);
    const frame = zstd.compress(raw);
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bad = frame.slice();
        bad[at] = bad[at]! ^ change;
        try {
          assert.equal(zstd.decompress(bad, raw.length).length, raw.length);
        } catch (error) {
          assert.ok(error instanceof CompressionError);
          refused++;
        }
        assert.deepEqual(zstd.decompress(frame, raw.length), raw);
      }),
      { numRuns: 300 },
    );
    assert.ok(refused > 30);
  });

  test(`${name}: a frame that would grow past what it announces is refused without the memory`, () => {
    // One block of a byte repeated 128 KiB times, then the same again and again, in a frame that announces 100 bytes.
    const header = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 100);
    const repeated = (isLast: boolean): Uint8Array => Uint8Array.of(isLast ? 3 : 2, 0, 0x10, 0x41);
    const bomb = new Uint8Array(
      Buffer.concat([header, ...Array.from({ length: 20_000 }, (_, i) => repeated(i === 19_999))]),
    );
    const before = process.memoryUsage().rss;
    assert.throws(() => zstd.decompress(bomb, 100), CompressionError);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  });

  test(`${name}: compressing over and over does not pile up memory`, async () => {
    const raw = inputs['rows']!;
    const work = (): void => {
      const frame = zstd.compress(raw);
      zstd.decompress(frame, raw.length);
      assert.throws(() => zstd.decompress(frame.subarray(0, 5000), raw.length), CompressionError);
      frame[5000] = frame[5000]! ^ 0xff;
      try {
        zstd.decompress(frame, raw.length);
      } catch (error) {
        assert.ok(error instanceof CompressionError);
      }
    };
    for (let i = 0; i < 20; i++) work();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 300; i++) {
      work(); // one buffer lost each time would be 90 MB
      if (i % 10 === 0) await setImmediate(); // Node's own frees what a refused frame took between turns
    }
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  });

  test(`${name}: arguments that make no sense are a RangeError`, () => {
    const frame = zstd.compress(new Uint8Array(10));
    for (const length of [-1, 0.5, Number.NaN, frameRawBytesMax + 1])
      assert.throws(() => zstd.decompress(frame, length), RangeError);
    for (const level of [0, 23, 1.5, Number.NaN])
      assert.throws(() => zstd.compress(new Uint8Array(10), level), RangeError);
  });
}

test('the report for the doctor says what is in use and what a fallback costs', async () => {
  const parts = await describeNative({ clock: systemClock });
  assert.deepEqual(
    parts.map(part => part.part),
    ['blake3', 'zstd'],
  );
  const zstd = parts[1]!;
  assert.equal(zstd.implementation, available[0]!.implementation);
  assert.equal(zstd.isFallback, available.length === 1);
  for (const part of parts) {
    assert.equal(part.isMeasured, !part.isFallback);
    assert.ok(part.fallbackCostRatio > 0);
  }
});
