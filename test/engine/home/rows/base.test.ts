import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type HomeBase,
  type HomeOptions,
  type IsSame,
  isSame,
  openHome,
  type Stats,
} from '../../../../engine/home/index.ts';
import { systemClock } from '../../../../store/index.ts';
import {
  age,
  assertAsIfWhole,
  captureHome,
  folders,
  next,
  perFolder,
  plant,
  started,
} from '../../../helpers/home-on-base.ts';
import { everyKind, needLibc, pseudoRandom, takesXattrs } from '../../../helpers/home-tree.ts';
import type { CapturedHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const libc = await needLibc();
const ms = 1_000_000n;

test('an unchanged home is the base’s listing: nothing is read, encoded or stored', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  const { result, scan, read, puts } = await next(scratch.path, before);
  assert.deepEqual([read, puts], [[], 0]);
  assert.deepEqual(result.roots, before.result.roots);
  assert.deepEqual([result.changed, result.changedInLatch, result.notes], [0, 0, []]);
  assert.deepEqual(scan.read, { files: 0, bytes: 0 });
  for (const count of ['files', 'folders', 'bytes'] as const) {
    assert.equal(result[count], before.result[count]);
    assert.equal(scan[count], before.result[count]);
  }
});

test('an unchanged home of every kind of file keeps its listing, and so does the run after it', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  await everyKind(root);
  await age();
  const before = await captureHome(root);
  const second = await next(root, before);
  assert.deepEqual([second.read, second.result.roots], [[], before.result.roots]);
  const third = await next(root, second);
  assert.deepEqual([third.read, third.result.roots], [[], before.result.roots]);
  await assertAsIfWhole(root, third);
});

for (const [what, { change, reads }] of Object.entries<{
  change: (root: string) => void;
  reads: readonly string[];
}>({
  'one file changed': { change: root => appendFileSync(`${root}/log`, 'more'), reads: ['log'] },
  'a file replaced by one of its size and time': {
    change: root => {
      utimesSync(`${root}/ref`, 1_000, 1_000);
      writeFileSync(`${root}/new`, '2'.repeat(41));
      utimesSync(`${root}/new`, 1_000, 1_000);
      renameSync(`${root}/new`, `${root}/ref`);
    },
    reads: ['ref'],
  },
  'a file renamed': { change: root => renameSync(`${root}/b/long`, `${root}/b/longer`), reads: ['b/longer'] },
  'a file moved between folders': {
    change: root => renameSync(`${root}/b/c/deep`, `${root}/gone/deep`),
    reads: ['gone/deep'],
  },
  'a folder renamed, and one made in its place': {
    change: root => {
      renameSync(`${root}/many/03`, `${root}/many/3`);
      mkdirSync(`${root}/many/03`);
      writeFileSync(`${root}/many/03/0`, 'other');
    },
    reads: ['many/03/0'],
  },
  'a file that became a folder, and a folder that became a file': {
    change: root => {
      unlinkSync(`${root}/a`);
      mkdirSync(`${root}/a`);
      writeFileSync(`${root}/a/inner`, 'inner');
      rmSync(`${root}/gone`, { recursive: true });
      writeFileSync(`${root}/gone`, 'no folder');
    },
    reads: ['a/inner', 'gone'],
  },
  'a file that became a link': {
    change: root => {
      unlinkSync(`${root}/ref`);
      symlinkSync('1'.repeat(41), `${root}/ref`);
    },
    reads: [],
  },
  'a folder gone and one added': {
    change: root => {
      rmSync(`${root}/b`, { recursive: true });
      mkdirSync(`${root}/fresh/inner`, { recursive: true });
      writeFileSync(`${root}/fresh/inner/file`, 'fresh');
    },
    reads: ['fresh/inner/file'],
  },
  'an empty folder added in an unchanged one': { change: root => mkdirSync(`${root}/b/c/empty`), reads: [] },
  'the first and the last file changed': {
    change: root => {
      appendFileSync(`${root}/a`, '+');
      appendFileSync(`${root}/ref`, '+');
    },
    reads: ['a', 'ref'],
  },
  'every other folder touched': {
    change: root => {
      for (let i = 0; i < folders; i += 2) utimesSync(`${root}/many/${String(i).padStart(2, '0')}`, 5, 5);
    },
    reads: [],
  },
  'modes alone': {
    change: root => {
      chmodSync(`${root}/b/c`, 0o711);
      chmodSync(`${root}/log`, 0o600);
    },
    reads: ['log'],
  },
  'a hard link added': {
    change: root => linkSync(`${root}/b/long`, `${root}/linked`),
    reads: ['b/long'],
  },
  nothing: { change: () => {}, reads: [] },
})) {
  test(`${what}: only that is read, and the listing is that of a whole run`, async () => {
    using scratch = scratchFolder();
    const root = `${scratch.path}/home`;
    const before = await started(root);
    change(root);
    await age();
    const found = await next(root, before);
    const expected = what.startsWith('a folder renamed')
      ? [...reads, ...Array.from({ length: perFolder }, (_, i) => `many/3/${i}`)]
      : reads;
    // a folder that moved brings files with their old states, but under names that nobody knew
    assert.deepEqual([...found.read].sort(), [...expected].sort());
    assert.equal(found.result.changed, expected.length);
    await assertAsIfWhole(root, found);
    const again = await next(root, found);
    assert.deepEqual([again.read, again.puts, again.result.roots], [[], 0, found.result.roots]);
  });
}

test('a changed file stores its own leaf and the nodes above it, and no other', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  assert.ok(before.result.roots[0]!.listing.level >= 1);
  assert.ok(before.chunks.count('metadata') > 10);
  appendFileSync(`${scratch.path}/many/10/7`, '+');
  const { puts } = await next(scratch.path, before);
  assert.ok(
    puts <= 2 + 2 * before.result.roots[0]!.listing.level,
    `${puts}: its leaf, the last leaf, and the nodes above both`,
  );
});

test('a file that comes at the top of the home leaves the other leaves as they are', async () => {
  using scratch = scratchFolder();
  const before = await started(scratch.path);
  writeFileSync(`${scratch.path}/aa`, 'new');
  await age();
  const found = await next(scratch.path, before);
  assert.ok(found.puts <= 3 + 2 * before.result.roots[0]!.listing.level, `${found.puts}`);
  await assertAsIfWhole(scratch.path, found);
});

test('a change between the looks is found on top of a base too', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const before = await started(root);
  appendFileSync(`${root}/log`, 'live');
  mkdirSync(`${root}/made`);
  writeFileSync(`${root}/made/live`, 'live');
  await age();
  const found = await next(root, before, {
    beforeWindow: async () => {
      appendFileSync(`${root}/log`, 'again');
      writeFileSync(`${root}/ref`, '3'.repeat(41));
      rmSync(`${root}/gone`, { recursive: true });
      renameSync(`${root}/many/07`, `${root}/many/7`);
      writeFileSync(`${root}/made/window`, 'window');
      unlinkSync(`${root}/many/11/9`);
      await age();
    },
  });
  assert.deepEqual(found.result.unreadable, []);
  // the log by both looks, and counted once
  assert.equal(found.result.changed, 4 + perFolder);
  assert.equal(found.result.changedInLatch, 3 + perFolder);
  await assertAsIfWhole(root, found);
});

for (const [name, stepNs] of [
  ['10 ms', 10n * ms],
  ['1 s', 1_000n * ms],
] as const) {
  const statSeam = (_path: Buffer, stats: Stats): Stats => ({
    ...stats,
    mtimeNs: stats.mtimeNs - (stats.mtimeNs % stepNs),
    ctimeNs: stats.ctimeNs - (stats.ctimeNs % stepNs),
  });

  test(`a ref that moved twice within ${name} of file time, with a backup in between, is read again`, async () => {
    using scratch = scratchFolder();
    const ref = `${scratch.path}/refs/heads/main`;
    mkdirSync(`${scratch.path}/refs/heads`, { recursive: true });
    for (let tries = 0; ; tries++) {
      assert(tries < 50, 'two writes never fell into one granule');
      writeFileSync(ref, '1'.repeat(41));
      const first = statSync(ref, { bigint: true });
      const before = await captureHome(scratch.path, { statSeam });
      writeFileSync(ref, '2'.repeat(41));
      const second = statSync(ref, { bigint: true });
      const found = await next(scratch.path, before, { statSeam });
      assert.equal(await found.text('refs/heads/main'), '2'.repeat(41));
      if (first.ctimeNs / stepNs === second.ctimeNs / stepNs) break;
    }
  });

  test(`a file that came within ${name} of its folder’s last change, after a backup, is found`, async () => {
    using scratch = scratchFolder();
    for (let tries = 0; ; tries++) {
      assert(tries < 50, 'two changes never fell into one granule');
      rmSync(`${scratch.path}/heads`, { recursive: true, force: true });
      mkdirSync(`${scratch.path}/heads`);
      writeFileSync(`${scratch.path}/heads/one`, '1');
      const first = statSync(`${scratch.path}/heads`, { bigint: true });
      const before = await captureHome(scratch.path, { statSeam });
      writeFileSync(`${scratch.path}/heads/two`, '2');
      const second = statSync(`${scratch.path}/heads`, { bigint: true });
      const found = await next(scratch.path, before, { statSeam });
      assert.equal(found.entries.has('heads/two'), true);
      if (first.ctimeNs / stepNs === second.ctimeNs / stepNs) break;
    }
  });
}

test('a test of size and whole seconds misses a rewrite since the base; the engine’s own does not', async () => {
  const isSameToRsync: IsSame = (first, now) =>
    first.size === now.size && first.mtimeNs / 1_000_000_000n === now.mtimeNs / 1_000_000_000n;
  for (const [isSameUsed, wanted] of [
    [isSame, '2'],
    [isSameToRsync, '1'],
  ] as const) {
    using scratch = scratchFolder();
    const before = await started(scratch.path);
    const { atime, mtime } = statSync(`${scratch.path}/ref`);
    writeFileSync(`${scratch.path}/ref`, '2'.repeat(41));
    utimesSync(`${scratch.path}/ref`, atime, mtime);
    const found = await next(scratch.path, before, { isSame: isSameUsed });
    assert.equal(await found.text('ref'), wanted.repeat(41));
  }
});

test('a state that was recorded too soon after its change is not trusted by the next run', async () => {
  using scratch = scratchFolder();
  await started(scratch.path);
  const before = await captureHome(scratch.path, {
    beforeWindow: () => writeFileSync(`${scratch.path}/ref`, '2'.repeat(41)),
  });
  assert.equal(before.entries.get('ref')!.unsettled, true);
  await age();
  const found = await next(scratch.path, before);
  assert.deepEqual(found.read, ['ref']);
  assert.equal(found.entries.get('ref')!.unsettled, false);
  await assertAsIfWhole(scratch.path, found);
});

test('a change of nothing but attributes is found', async t => {
  using scratch = scratchFolder();
  if (!(await takesXattrs(scratch.path))) return t.skip('this file system takes no attributes of users');
  const before = await started(scratch.path);
  const name = Buffer.from('user.note');
  libc.setXattr(Buffer.from(`${scratch.path}/log`), { name, value: Buffer.from('x') });
  libc.setXattr(Buffer.from(`${scratch.path}/b`), { name, value: Buffer.from('y') });
  await age();
  const found = await next(scratch.path, before);
  assert.deepEqual(found.entries.get('log')!.xattrs, [{ name: 'user.note', value: 'x' }]);
  await assertAsIfWhole(scratch.path, found);
  const again = await next(scratch.path, found);
  assert.deepEqual([again.read, again.puts], [[], 0]);
});

test('names of one file stay one file when another name comes, goes or is replaced', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  plant(root);
  linkSync(`${root}/many/00/0`, `${root}/many/05/linked`);
  linkSync(`${root}/many/00/0`, `${root}/many/11/linked`);
  linkSync(`${root}/many/00/1`, `${root}/many/10/pair`);
  await age();
  let before = await captureHome(root);
  for (const [change, linked] of [
    [() => {}, ['many/00/0', 'many/00/1', 'many/05/linked', 'many/10/pair', 'many/11/linked']],
    [
      () => unlinkSync(`${root}/many/05/linked`),
      ['many/00/0', 'many/00/1', 'many/10/pair', 'many/11/linked'],
    ],
    [
      () => {
        // one name is another file now: the other one stands alone
        unlinkSync(`${root}/many/10/pair`);
        writeFileSync(`${root}/many/10/pair`, 'x'.repeat(100));
      },
      ['many/00/0', 'many/11/linked'],
    ],
  ] as const) {
    change();
    await age();
    const found = await next(root, before);
    const names = [...found.entries.values()].filter(entry => entry.linked).map(entry => entry.path);
    assert.deepEqual(names, linked);
    await assertAsIfWhole(root, found);
    before = found;
  }
});

test('rules that changed hold in folders that did not', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const before = await started(root, { exclude: ['/many/05/', '*.tmp'] });
  assert.equal(before.entries.has('many/05/3'), false);
  const found = await next(root, before, { exclude: ['*.tmp', 'deep', '/many/07/'] });
  assert.equal(found.entries.has('many/05/3'), true, 'a rule taken back');
  assert.equal(found.entries.has('b/c/deep'), false, 'a new rule');
  assert.equal(found.entries.has('many/07'), false);
  assert.deepEqual(found.read, Array.from({ length: perFolder }, (_, i) => `many/05/${i}`).sort());
  await assertAsIfWhole(root, found, { exclude: ['*.tmp', 'deep', '/many/07/'] });
  const same = await next(root, found, { exclude: ['*.tmp', 'deep', '/many/07/'] });
  assert.deepEqual([same.read, same.puts], [[], 0]);
  const repositories = await next(root, same, {
    exclude: ['*.tmp', 'deep', '/many/07/'],
    excludeRepositories: [7],
  });
  assert.deepEqual(repositories.read, []);
  assert.notDeepEqual(repositories.result.roots, same.result.roots, 'the rules are part of what is recorded');
});

test('a data store that joins is read whole; the roots that were there are not', async () => {
  using scratch = scratchFolder();
  const [home, store] = [`${scratch.path}/home`, `${scratch.path}/store`];
  plant(store);
  const before = await started(home);
  const opened: string[] = [];
  const readSeam: HomeOptions['readSeam'] = (path, moment) => {
    if (moment === 'opened') opened.push(path.toString());
  };
  const joined = await next(home, before, { dataStores: [store], readSeam });
  assert.equal(opened.length, before.result.files);
  assert.equal(
    opened.every(path => path.startsWith(`${store}/`)),
    true,
  );
  assert.deepEqual(joined.result.roots[0], before.result.roots[0]);
  opened.length = 0;
  const after = await next(home, joined, { dataStores: [store], readSeam });
  assert.deepEqual([opened, after.puts, after.result.roots], [[], 0, joined.result.roots]);
});

test('what Git left behind is left out of a changed folder of a repository that is otherwise unchanged', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  mkdirSync(`${root}/repo/refs/heads/deep`, { recursive: true });
  mkdirSync(`${root}/repo/objects/aa`, { recursive: true });
  mkdirSync(`${root}/repo/logs/refs`, { recursive: true });
  for (const name of ['HEAD', 'config', 'refs/heads/main', 'refs/heads/deep/x', 'logs/HEAD', 'logs/refs/x'])
    writeFileSync(`${root}/repo/${name}`, name);
  await age();
  const before = await captureHome(root);
  for (const name of [
    'refs/heads/deep/x.lock',
    'objects/aa/tmp_obj_1',
    'objects/aa/object',
    'logs/refs/y.lock',
  ])
    writeFileSync(`${root}/repo/${name}`, name);
  await age();
  const found = await next(root, before);
  assert.deepEqual([...found.read].sort(), ['repo/logs/refs/y.lock', 'repo/objects/aa/object']);
  await assertAsIfWhole(root, found);
  // rules hide the marks of a repository from the listing: its place is found by listing it again
  const hidden = { exclude: ['/repo/objects/'] };
  const partly = await captureHome(root, hidden);
  writeFileSync(`${root}/repo/refs/heads/deep/z.lock`, '');
  await age();
  await assertAsIfWhole(root, await next(root, partly, hidden), hidden);
});

test('on a network file system with late answers folders are listed and refs read again', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const late: Partial<HomeOptions> = {
    fileSystemSeam: (_path, facts) => ({ ...facts, type: 'nfs', cached: true }),
    networkHome: 'reread',
  };
  mkdirSync(`${root}/repo/refs`, { recursive: true });
  mkdirSync(`${root}/repo/objects`);
  for (const name of ['HEAD', 'refs/main', 'description']) writeFileSync(`${root}/repo/${name}`, 'before');
  await age();
  const before = await captureHome(root, late);
  const found = await next(root, before, late);
  assert.deepEqual([...new Set(found.read)].sort(), ['repo/HEAD', 'repo/refs/main']);
  assert.equal(found.entries.size, before.entries.size);
});

test('a file of an unchanged folder that could not be looked at live is found in the window', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const before = await started(root);
  let failures = 0;
  const found = await next(root, before, {
    statSeam: (path, stats) => {
      if (path.toString() !== `${root}/many/05/3` || failures++ > 0) return stats;
      throw Object.assign(new Error('EIO: statx'), { code: 'EIO', syscall: 'statx' });
    },
  });
  assert.ok(failures > 0);
  assert.deepEqual(found.result.unreadable, []);
  await assertAsIfWhole(root, found);
});

test('names that did not agree in their state once are compared again, and joined when they do', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  plant(root);
  linkSync(`${root}/b/long`, `${root}/linked`);
  await age();
  const before = await captureHome(root, {
    statSeam: (path, stats) => (path.toString().endsWith('/b/long') ? { ...stats, mtimeNs: 5n } : stats),
  });
  // its own state is right, the other name's was not
  assert.equal(before.entries.get('linked')!.linked, false);
  const found = await next(root, before);
  assert.equal(found.entries.get('linked')!.linked, true);
  await assertAsIfWhole(root, found);
});

test('a name that stops agreeing with another one is told apart in a node that could else be taken over', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  plant(root);
  linkSync(`${root}/b/long`, `${root}/many/06/linked`);
  await age();
  const before = await captureHome(root);
  assert.equal(before.entries.get('many/06/linked')!.linked, true);
  const statSeam: HomeOptions['statSeam'] = (path, stats) =>
    path.toString().endsWith('/b/long') ? { ...stats, mtimeNs: 5n } : stats;
  const found = await next(root, before, { statSeam });
  assert.deepEqual(found.read, ['b/long']);
  await assertAsIfWhole(root, found, { statSeam });
});

test('an estimate says what a backup would read, and reads and stores nothing', async () => {
  using scratch = scratchFolder();
  const root = scratch.path;
  const before = await started(root);
  appendFileSync(`${root}/log`, 'more');
  writeFileSync(`${root}/new`, pseudoRandom(3000));
  linkSync(`${root}/new`, `${root}/new-too`);
  await age();
  let puts = 0;
  before.chunks.onPut = () => puts++;
  const opened: string[] = [];
  const open = (base: HomeBase | undefined) =>
    openHome({
      root,
      sink: before.chunks,
      cuts: before.chunks.cuts,
      clock: systemClock,
      base,
      readSeam: path => opened.push(path.toString()),
    });
  await using home = await open(before.base);
  const estimate = await home.estimate();
  assert.deepEqual([puts, opened], [0, []]);
  assert.deepEqual(estimate, {
    files: before.result.files + 2,
    folders: before.result.folders,
    bytes: before.result.bytes + 4 + 2 * 3000,
    changed: 2,
    changedBytes: 404 + 3000,
  });
  const found = await next(root, before);
  assert.deepEqual(found.scan.read, { files: 2, bytes: 404 + 3000 });
  await using whole = await open(undefined);
  assert.equal((await whole.estimate()).changed, before.result.files + 1);
});

const place = fc.constantFrom(
  'a',
  'a-b',
  'a.txt',
  'b',
  'c',
  'd',
  'd/a',
  'd/a-b',
  'd/b',
  'd/e',
  'd/e/a',
  'd/e/b',
  'd/f',
  'z',
  'z/z',
);
const deeds: readonly ((path: string, other: string) => void)[] = [
  path => writeFileSync(path, 'x'.repeat(41)),
  path => writeFileSync(path, 'y'.repeat(41)),
  path => writeFileSync(path, 'large '.repeat(2_000)),
  path => mkdirSync(path),
  path => rmSync(path, { recursive: true }),
  path => chmodSync(path, 0o700),
  path => utimesSync(path, 1_000, 1_000),
  path => symlinkSync('x'.repeat(41), path),
  (path, other) => renameSync(path, other),
  (path, other) => linkSync(path, other),
];
const deed = fc.record({ what: fc.nat(deeds.length - 1), path: place, other: place });

function commit(root: string, { what, path, other }: { what: number; path: string; other: string }): void {
  try {
    deeds[what]!(`${root}/${path}`, `${root}/${other}`);
  } catch {
    // the path is not what this deed needs: the next one may find it so
  }
}

test('whatever happens between backups, in the pre-scan and before the window, each equals a whole run', async () => {
  const some = (maxLength: number) => fc.array(deed, { maxLength });
  const round = fc.record({ before: some(6), during: some(3), between: some(3), aged: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(some(25), fc.array(round, { minLength: 1, maxLength: 3 }), async (first, rounds) => {
      using scratch = scratchFolder();
      const root = `${scratch.path}/home`;
      mkdirSync(`${root}/d/e`, { recursive: true });
      // enough beside it for nodes that can be taken over
      for (let i = 0; i < 60; i++) writeFileSync(`${root}/d/${i}`, 'x'.repeat(120));
      for (const one of first) commit(root, one);
      let found = await captureHome(root);
      for (const { before, during, between, aged } of rounds) {
        for (const one of before) commit(root, one);
        if (aged) await age();
        const left = [...during];
        found = await next(root, found, {
          statSeam: (_path, stats) => {
            const one = left.shift();
            if (one) commit(root, one);
            return stats;
          },
          beforeWindow: () => {
            for (const one of [...left.splice(0), ...between]) commit(root, one);
          },
        });
        assert.deepEqual(found.result.unreadable, []);
        const whole = await captureHome(root);
        // what is settled depends on when it was looked at
        assert.deepEqual(told(found), told(whole));
        for (const count of ['files', 'folders', 'bytes'] as const)
          assert.equal(found.result[count], whole.result[count], count);
      }
      await age();
      await assertAsIfWhole(root, await next(root, found));
    }),
    { numRuns: 20 },
  );
});

const told = ({ entries }: CapturedHome) => [...entries.values()].map(({ unsettled: _, ...entry }) => entry);
