import assert from 'node:assert/strict';
import { mkdirSync, renameSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { HomeOptions } from '../../../../engine/home/index.ts';
import { isTime } from '../../../../engine/home/steady/raw-times.ts';
import { systemClock } from '../../../../store/index.ts';
import { needLibc, pseudoRandom } from '../../../helpers/home-tree.ts';
import { captureHome, type Meanwhile } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const libc = await needLibc();

/** Waits until what was just written is clearly old. */
const age = (): Promise<void> => systemClock.sleep(60);

const loose = 'r/objects/ab/00112233';
const pack = 'r/objects/pack/pack-1.pack';
const [folders, perFolder] = [16, 20];

function plant(root: string): void {
  for (const folder of [
    ...['r/objects/ab', 'r/objects/info/ab', 'r/objects/pack', 'r/refs/heads', 'r/refs/ab', 'plain/ab'],
  ])
    mkdirSync(`${root}/${folder}`, { recursive: true });
  for (const [name, content] of [
    ['r/HEAD', 'ref: refs/heads/main\n'],
    ['r/refs/heads/main', '1'.repeat(41)],
    ['r/refs/ab/branch', '1'.repeat(41)],
    ['r/objects/info/packs', 'P pack-1.pack\n'],
    ['r/objects/info/ab/00112233', 'info'],
    [loose, 'loose'.repeat(50)],
    [pack, 'pack'.repeat(1000)],
    ['plain/ab/00112233', 'plain'.repeat(50)],
  ] as const)
    writeFileSync(`${root}/${name}`, content);
  for (let folder = 0; folder < folders; folder++) {
    const name = (16 + folder).toString(16);
    mkdirSync(`${root}/r/objects/${name}`);
    for (let i = 0; i < perFolder; i++) writeFileSync(`${root}/r/objects/${name}/${i}`, pseudoRandom(200));
  }
}

async function looked(root: string, options: Partial<HomeOptions> & Meanwhile = {}) {
  const asked = { live: 0, window: 0 };
  let look: keyof typeof asked = 'live';
  const { statx } = libc;
  assert.ok(statx);
  const counting = {
    ...statx,
    ask(...of: Parameters<typeof statx.ask>) {
      asked[look]++;
      return statx.ask(...of);
    },
    quick(...of: Parameters<typeof statx.quick>) {
      asked[look]++;
      return statx.quick(...of);
    },
  };
  const captured = await captureHome(root, {
    libc: { libc: { ...libc, statx: counting }, version: 'counting' },
    ...options,
    async beforeWindow() {
      look = 'window';
      await options.beforeWindow?.();
    },
  });
  return { ...captured, asked };
}

for (const [what, { change, path, text }] of Object.entries<{
  change: (root: string) => void;
  path: string;
  text: string | undefined;
}>({
  'a new object': {
    change: root => {
      writeFileSync(`${root}/r/objects/ab/tmp_obj_1`, 'new object');
      renameSync(`${root}/r/objects/ab/tmp_obj_1`, `${root}/r/objects/ab/44556677`);
    },
    path: 'r/objects/ab/44556677',
    text: 'new object',
  },
  'a new pack': {
    change: root => writeFileSync(`${root}/r/objects/pack/pack-2.pack`, 'second pack'),
    path: 'r/objects/pack/pack-2.pack',
    text: 'second pack',
  },
  'an object that another file of its size took the place of': {
    change: root => {
      writeFileSync(`${root}/r/other`, 'other'.repeat(50));
      renameSync(`${root}/r/other`, `${root}/${loose}`);
    },
    path: loose,
    text: 'other'.repeat(50),
  },
  'an object that is gone': { change: root => unlinkSync(`${root}/${loose}`), path: loose, text: undefined },
  'a folder of objects in place of another': {
    change: root => {
      mkdirSync(`${root}/fresh`);
      writeFileSync(`${root}/fresh/00112233`, 'another');
      renameSync(`${root}/r/objects/ab`, `${root}/aside`);
      renameSync(`${root}/fresh`, `${root}/r/objects/ab`);
    },
    path: loose,
    text: 'another',
  },
  'a ref rewritten in place': {
    change: root => writeFileSync(`${root}/r/refs/heads/main`, '2'.repeat(41)),
    path: 'r/refs/heads/main',
    text: '2'.repeat(41),
  },
  'a ref in a folder of a name like that of objects': {
    change: root => writeFileSync(`${root}/r/refs/ab/branch`, '2'.repeat(41)),
    path: 'r/refs/ab/branch',
    text: '2'.repeat(41),
  },
  'a file further below the objects': {
    change: root => writeFileSync(`${root}/r/objects/info/ab/00112233`, 'ofni'),
    path: 'r/objects/info/ab/00112233',
    text: 'ofni',
  },
  'a file beside the objects rewritten in place': {
    change: root => writeFileSync(`${root}/r/objects/info/packs`, 'P pack-2.pack\n'),
    path: 'r/objects/info/packs',
    text: 'P pack-2.pack\n',
  },
  'a file in a folder of such a name outside of a repository rewritten in place': {
    change: root => writeFileSync(`${root}/plain/ab/00112233`, 'other'.repeat(50)),
    path: 'plain/ab/00112233',
    text: 'other'.repeat(50),
  },
})) {
  test(`the window finds ${what}`, async () => {
    using scratch = scratchFolder();
    plant(scratch.path);
    await age();
    const { entries, ...captured } = await looked(scratch.path, {
      beforeWindow: () => change(scratch.path),
    });
    assert.equal(entries.has(path), text !== undefined);
    if (text !== undefined) assert.equal(await captured.text(path), text);
  });
}

test('the window asks about folders of Git’s objects and not about the files in them, the pre-scan about all', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  const first = await looked(scratch.path);
  const { chunks, base } = first;
  const second = await looked(scratch.path, { chunks, base });
  const entries = first.entries.size;
  assert.ok(second.asked.live >= entries, `${second.asked.live} questions about ${entries} entries`);
  const objects = folders * perFolder + 2;
  for (const { asked } of [first, second])
    assert.ok(asked.window <= entries - objects + 5, `${asked.window} questions in the window`);
});

test('an object that somebody rewrites in place between the looks, as Git never does, is found by the next run', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  const first = await looked(scratch.path, {
    beforeWindow: () => writeFileSync(`${scratch.path}/${loose}`, 'other'.repeat(50)),
  });
  assert.equal(await first.text(loose), 'loose'.repeat(50));
  await age();
  const { chunks, base } = first;
  const second = await looked(scratch.path, { chunks, base });
  assert.equal(await second.text(loose), 'other'.repeat(50));
  assert.equal(second.result.changed, 1);
});

test('a folder of objects whose times are too new to prove anything does not speak for its files', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await age();
  const soon = systemClock.nowMs() / 1000 + 60;
  utimesSync(`${scratch.path}/r/objects/ab`, soon, soon);
  const first = await looked(scratch.path, {
    beforeWindow: () => writeFileSync(`${scratch.path}/${loose}`, 'other'.repeat(50)),
  });
  assert.equal(await first.text(loose), 'other'.repeat(50));
});

test('a time is compared in halves as it is as a whole', () => {
  const times = [0n, 1n, -1n, 999_999_999n, 4_294_967_295n, 4_294_967_296n, -4_294_967_296n]
    .flatMap(ns => [ns, 1_700_000_000_000_000_000n + ns, -2_000_000_000_000_000_000n + ns])
    .concat([2n ** 63n - 1n, -(2n ** 63n) + 1n]);
  const second = 1_000_000_000n;
  for (const told of times) {
    const nanoseconds = ((told % second) + second) % second;
    const words = new Uint32Array(4);
    new BigInt64Array(words.buffer, 0, 1)[0] = (told - nanoseconds) / second;
    words[2] = Number(nanoseconds);
    for (const recorded of times) {
      const halves = new Uint32Array(new BigInt64Array([0n, recorded]).buffer);
      assert.equal(isTime(words, 0, halves, 1), told === recorded, `${told} ${recorded}`);
    }
  }
});
