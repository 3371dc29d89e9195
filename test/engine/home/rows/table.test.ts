import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { BytePath } from '../../../../engine/home/paths.ts';
import { origins, RowSequence } from '../../../../engine/home/rows/sequence.ts';
import { EntryTable } from '../../../../engine/home/rows/table.ts';
import type { Stats } from '../../../../engine/home/system/stat.ts';
import type { ChunkId, Content } from '../../../../store/index.ts';

const stats: Stats = {
  dev: 1,
  ino: 2n ** 64n - 1n,
  mode: 0o100644,
  nlink: 1,
  uid: 0xffffffff,
  gid: 7,
  rdev: 0n,
  size: 0,
  blocks: 8,
  mtimeNs: -5n,
  ctimeNs: 2n ** 62n,
};
const nameOf = (i: number): BytePath => String(i).padStart(38, '\xe9') as BytePath;
const chunk = (i: number): Content => {
  const id = new Uint8Array(32).fill(i % 256) as ChunkId;
  return { length: i + 1, extents: [{ kind: 'chunk', id, offset: 0, length: i + 1 }] };
};

async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await setImmediate(); // buffers are freed a little later than the objects that held them
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('a hundred thousand files take less than 200 bytes each, names and chunk ids included', async t => {
  const rows = 100_000;
  const before = await heldBytes();
  const table = new EntryTable();
  const label = [{ name: 'security.selinux' as BytePath, value: 'system_u:object_r:t:s0' as BytePath }];
  for (let i = 0; i < rows; i++) {
    const at = table.add({
      name: nameOf(i),
      depth: 6,
      stats,
      fileSystem: 0,
      xattrs: label.map(xattr => ({ ...xattr })),
    });
    table.setContent(at, chunk(i));
  }
  const each = ((await heldBytes()) - before) / rows;
  t.diagnostic(`${each.toFixed(0)} bytes a file`);
  assert.equal(each < 200, true, `${each} bytes a file`);
  assert.equal(table.count, rows);
});

test('every column comes back as it went in, across growth', () => {
  const table = new EntryTable();
  for (let i = 0; i < 5_000; i++) {
    const mode = [0o100644, 0o120777, 0o020600, 0o040755][i % 4]!;
    const target = mode === 0o120777 ? (`to ${i}` as BytePath) : undefined;
    const row = { name: nameOf(i), depth: i % 2000, fileSystem: i % 300, xattrs: [], target };
    const at = table.add({ ...row, stats: { ...stats, mode, rdev: BigInt(i), mtimeNs: BigInt(i) } });
    if (i % 4 === 3) table.endFolder(at);
    if (i % 5 === 0) table.setUntaken(at);
  }
  for (let i = 0; i < 5_000; i++) {
    assert.equal(table.name(i), nameOf(i));
    assert.equal(table.depth(i), i % 2000);
    assert.equal(table.fileSystem(i), i % 300);
    assert.deepEqual(table.state(i), {
      size: 0,
      mtimeNs: BigInt(i),
      ctimeNs: 2n ** 62n,
      ino: 2n ** 64n - 1n,
    });
    assert.equal(table.isUntaken(i), i % 5 === 0);
    assert.equal(table.uid(i), 0xffffffff);
    if (i % 4 === 1) assert.equal(table.target(i), `to ${i}`);
    if (i % 4 === 2) assert.equal(table.device(i), BigInt(i));
    if (i % 4 === 3) assert.equal(table.endOf(i), i + 1);
  }
});

test('contents of every shape come back: none, in place, one chunk, holes, a list', () => {
  const table = new EntryTable();
  const id = new Uint8Array(32).fill(9) as ChunkId;
  const contents: Content[] = [
    { length: 0, extents: [] },
    { length: 41, extents: [{ kind: 'inline', bytes: new Uint8Array(41).fill(1) }] },
    { length: 128, extents: [{ kind: 'inline', bytes: new Uint8Array(128).fill(2) }] },
    chunk(700),
    { length: 5, extents: [{ kind: 'chunk', id, offset: 3, length: 5 }] },
    { length: 2 ** 40, extents: [{ kind: 'hole', length: 2 ** 40 }] },
    { length: 2 ** 50, list: id },
  ];
  const rows = contents.map(content => {
    const at = table.add({ name: 'x' as BytePath, depth: 1, stats, fileSystem: 0, xattrs: [] });
    table.setContent(at, content);
    return at;
  });
  for (const [i, at] of rows.entries()) assert.deepEqual(table.contentOf(at), contents[i]);
  const bare = table.add({ name: 'x' as BytePath, depth: 1, stats, fileSystem: 0, xattrs: [] });
  assert.equal(table.contentOf(bare), undefined);
});

test('an unchanged home is one run of rows', () => {
  const order = new RowSequence([new EntryTable(), new EntryTable(), new EntryTable()]);
  const plain = () => [...order.runs()].map(({ origin, from, to }) => ({ origin, from, to }));
  for (let from = 0; from < 1000; from += 100) order.push(origins.base, from, from + 100);
  assert.deepEqual(plain(), [{ origin: origins.base, from: 0, to: 1000 }]);
  order.push(origins.again, 0, 1);
  order.push(origins.base, 1001, 1002);
  order.dropLast();
  assert.deepEqual(plain().at(-1), { origin: origins.again, from: 0, to: 1 });
  assert.equal(order.count, 1001);
  order.push(origins.again, 1, 2);
  assert.deepEqual(plain().at(-1), { origin: origins.again, from: 0, to: 2 });
});

test('positions of a sequence are rows of its tables, wherever its runs begin and end', () => {
  const tables = [new EntryTable(1), new EntryTable(1), new EntryTable(1)];
  const expected: string[] = [];
  const order = new RowSequence(tables);
  for (let i = 0; i < 500; i++) {
    const origin = ([origins.base, origins.first, origins.again] as const)[(i * i) % 3]!;
    const at = tables[origin]!.add({ name: nameOf(i), depth: 1, stats, fileSystem: 0, xattrs: [] });
    if (i % 7 === 0) continue; // a row that is in no run
    order.push(origin, at, at + 1);
    expected.push(nameOf(i));
  }
  assert.equal(order.count, expected.length);
  const backwards = expected.map((_, i) => order.name(expected.length - 1 - i)).reverse();
  assert.deepEqual(backwards, expected);
  assert.deepEqual(
    expected.map((_, i) => order.name(i)),
    expected,
  );
  for (const [from, to] of [
    [0, 0],
    [3, 90],
    [100, 101],
    [17, expected.length],
  ] as const) {
    const names: string[] = [];
    for (const run of order.runs(from, to)) {
      for (let at = run.from; at < run.to; at++) names.push(run.table.name(at));
    }
    assert.deepEqual(names, expected.slice(from, to));
  }
});
