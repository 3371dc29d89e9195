import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { describeHomeSupport, restoreHome } from '../../../../engine/home/index.ts';
import { type BytePath, bytePath, bytePathOfText, bytesOf, join } from '../../../../engine/home/paths.ts';
import { isFile, type Stats, statCalls } from '../../../../engine/home/system/stat.ts';
import { everyKind, needLibc, sparse, takesXattrs } from '../../../helpers/home-tree.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const libc = await needLibc();
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

test('times are set to the nanosecond, on links themselves and on names that are no UTF-8', () => {
  using scratch = scratchFolder();
  const name = Buffer.concat([bytes(`${scratch.path}/`), bytes('caf\xe9')]);
  symlinkSync('nowhere', name);
  const folder = openSync(scratch.path, 'r');
  for (const ns of [
    0n,
    1n,
    999_999_999n,
    1_700_000_000_123_456_789n,
    -1n,
    -1_000_000_001n,
    4_294_967_296_000_000_001n,
  ]) {
    libc.setTimeAt(folder, bytes('caf\xe9'), ns);
    assert.equal(lstatSync(name, { bigint: true }).mtimeNs, ns);
  }
  closeSync(folder);
  assert.equal(readlinkSync(name, 'latin1'), 'nowhere');
});

test('attributes of any name and value, larger than the first guess too, come back', async t => {
  using scratch = scratchFolder();
  if (!(await takesXattrs(scratch.path))) {
    t.skip('no extended attributes on this file system');
    return;
  }
  const file = bytes(`${scratch.path}/file`);
  writeFileSync(file, '');
  const values: [string, Buffer][] = [
    ['user.empty', bytes('')],
    ['user.\xff\xfe', bytes('\0\xff')],
    ['user.large', Buffer.alloc(3000, 1)],
  ];
  for (const [name, value] of values) libc.setXattr(file, { name: bytes(name), value });
  const fd = openSync(file, 'r');
  for (const target of [fd, file]) {
    const names = libc.listXattrs(target).map(name => Buffer.from(name).toString('latin1'));
    assert.deepEqual(names.sort(), values.map(([name]) => name).sort());
    for (const [name, value] of values)
      assert.deepEqual(Buffer.from(libc.getXattr(target, bytes(name))!), value);
    assert.equal(libc.getXattr(target, bytes('user.none')), undefined);
  }
  closeSync(fd);
});

test('a file of any name is opened, and no other program is given its descriptor', () => {
  using scratch = scratchFolder();
  const [short, long] = [bytes('caf\xe9'), Buffer.alloc(200, 0xe9)];
  for (const name of [short, long]) {
    const path = Buffer.concat([bytes(`${scratch.path}/`), name]);
    writeFileSync(path, name);
    const fd = libc.open(bytePath(path), constants.O_RDONLY);
    assert.deepEqual(readFileSync(fd), name);
    assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'), /^flags:\s*0*2\d00000$/m);
    closeSync(fd);
  }
  symlinkSync(short, `${scratch.path}/link`);
  const open = (name: string) => libc.open(bytePathOfText(`${scratch.path}/${name}`), constants.O_NOFOLLOW);
  assert.throws(() => open('none'), { code: 'ENOENT', syscall: 'open' });
  assert.throws(() => open('link'), { code: 'ELOOP', syscall: 'open' });
  assert.throws(() => open('x'.repeat(5000)), { code: 'ENAMETOOLONG', syscall: 'open' });
});

test('data and holes of a sparse tebibyte are found at once', () => {
  using scratch = scratchFolder();
  const size = 2 ** 40;
  sparse(`${scratch.path}/disk`, { size, data: [2 ** 39] });
  const fd = openSync(`${scratch.path}/disk`, 'r');
  assert.equal(libc.seekData(fd, 0), 2 ** 39);
  assert.equal(libc.seekHole(fd, 2 ** 39), 2 ** 39 + 4096);
  assert.equal(libc.seekData(fd, 2 ** 39 + 4096), undefined);
  assert.equal(libc.seekHole(fd, size), undefined);
  closeSync(fd);
});

test('what fails says which call and why, as Node’s own calls do', () => {
  using scratch = scratchFolder();
  assert.throws(() => libc.listXattrs(bytes(`${scratch.path}/none`)), {
    code: 'ENOENT',
    syscall: 'llistxattr',
  });
  assert.throws(() => libc.setTime(-1, 0n), { code: 'EBADF', syscall: 'futimens' });
  assert.throws(() => libc.setTimeAt(-1, bytes('a\0b'), 0n), { code: 'EINVAL' });
  assert.throws(() => libc.setTimeAt(-1, Buffer.alloc(5000, 'x'), 0n), { code: 'ENAMETOOLONG' });
  mkdirSync(`${scratch.path}/there`);
  const make = () => libc.makeNodeAt(-100, bytes(`${scratch.path}/there`), { mode: 0o010600, device: 0n });
  assert.throws(make, { code: 'EEXIST', syscall: 'mknodat' });
});

test('the report says that nothing is lost where the calls are there', async () => {
  const support = await describeHomeSupport();
  assert.equal(support.complete, true);
  assert.deepEqual(support.lost, []);
  assert.match(support.implementation, /^koffi \d/);
});

test('the C library and Node say the same of every kind of file', async () => {
  using scratch = scratchFolder();
  await everyKind(`${scratch.path}/home`);
  const [fast, slow] = [statCalls({ libc }), statCalls({ libc: undefined })];
  const root = bytePathOfText(`${scratch.path}/home`);
  const folder = fast.folder(root, { questions: 100 });
  const inner = fast.folder(join(root, 'a' as BytePath), {
    questions: 1,
    above: { stat: folder, name: 'a' as BytePath },
  });
  const names = readdirSync(root, { encoding: 'latin1' }) as BytePath[];
  assert.equal(names.length > 30, true);
  const file = (stats: Stats | undefined) => stats && { ...stats, size: isFile(stats) ? stats.size : 0 };
  for (const name of names) {
    const expected = slow.path(join(root, name));
    assert.deepEqual(fast.path(join(root, name)), expected);
    assert.deepEqual(folder.stat(name), expected);
    if (!expected || !isFile(expected)) continue;
    const fd = openSync(bytesOf(join(root, name)), 'r');
    assert.deepEqual(file(fast.open(fd, name)), file(slow.open(fd, name)));
    closeSync(fd);
  }
  assert.deepEqual(inner.stat('ref' as BytePath), slow.path(join(root, 'a/ref' as BytePath)));
  for (const missing of ['nothing', 'b/below a file']) {
    for (const calls of [fast, slow]) assert.equal(calls.path(join(root, missing as BytePath)), undefined);
  }
  inner.close();
  folder.close();
});

test('without the C library a home comes back but for what the report names', async () => {
  using scratch = scratchFolder();
  await everyKind(`${scratch.path}/home`);
  const none = { libc: undefined, reason: 'a test' } as const;
  const { chunks, result } = await captureHome(`${scratch.path}/home`, {
    libc: none,
    exclude: ['sparse', 'preallocated'],
  });
  assert.equal(
    result.notes.some(note => note.includes('a test')),
    true,
  );
  const target = `${scratch.path}/out`;
  const restored = await restoreHome({ source: chunks, root: result.roots[0]!, target, libc: none });
  // FIFOs and devices; and root is told of what runs as somebody else.
  assert.equal(restored.warnings.length, process.getuid?.() === 0 ? 2 : 1, restored.warnings.join());
  for (const [name, ns] of [
    ['b', 1_600_000_000_123_456_000n],
    ['link', 1_111_111_111_000_000_000n],
  ] as const) {
    const { mtimeNs } = lstatSync(`${target}/${name}`, { bigint: true });
    const off = mtimeNs - ns;
    assert.equal(off > -2_000n && off < 2_000n, true, `${name} is ${off} ns off`);
  }
  assert.equal(statSync(`${target}/b`).mode & 0o7777, 0o4711);
  assert.equal(statSync(`${target}/zz/hard`).ino, statSync(`${target}/a/large`).ino);
});
