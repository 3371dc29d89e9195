import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockBytes, endOfArchive, padding, type TarHeader, tarHeader } from '../../../engine/export/tar.ts';
import type { BytePath } from '../../../engine/home/paths.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

/** Lengths around those where a header has no more room. */
const lengths = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.integer({ min: 90, max: 110 }),
  fc.integer({ min: 200, max: 250 }),
);
const bytesOfName = fc
  .tuple(lengths, fc.constantFrom('abc', 'a\n\\"\'= %', '\xc3\xa9', '\xff\x80\x01\xe9'))
  .chain(([length, letters]) =>
    fc
      .array(fc.constantFrom(...letters), { minLength: length, maxLength: length })
      .map(all => all.join('').slice(0, length)),
  );
const members = fc.uniqueArray(
  fc.record({
    name: bytesOfName,
    target: bytesOfName,
    isLink: fc.boolean(),
    mode: fc.integer({ min: 0o400, max: 0o777 }),
    // What every file system can hold.
    mtimeNs: fc.bigInt({ min: -2_147_483_647_000_000_000n, max: 4_294_967_296_000_000_000n }),
    size: fc.integer({ min: 0, max: 1100 }),
  }),
  { selector: ({ name }) => name, minLength: 300, maxLength: 300 },
);

test('names, links, times and sizes of any kind are what GNU tar unpacks', () => {
  using scratch = scratchFolder();
  const seed = Number(process.hrtime.bigint() % 1_000_000n);
  const [all] = fc.sample(members, { numRuns: 1, seed });
  const archive = Buffer.concat([
    ...all!.flatMap(({ name, target, isLink, mode, mtimeNs, size }) => {
      const about = { path: `d/${name}` as BytePath, mode, uid: 0, gid: 0, mtimeNs };
      if (isLink) return [tarHeader({ ...about, kind: 'link', size: 0, target: target as BytePath })];
      return [tarHeader({ ...about, kind: 'file', size }), Buffer.alloc(size, 'x'), padding(size)];
    }),
    endOfArchive,
  ]);
  assert.equal(archive.length % blockBytes, 0);
  writeFileSync(join(scratch.path, 'a.tar'), archive);
  execFileSync('tar', ['--no-same-owner', '-xpf', 'a.tar'], { cwd: scratch.path, stdio: 'pipe' });
  assert.equal(readdirSync(join(scratch.path, 'd')).length, all!.length, `seed ${seed}`);
  for (const { name, target, isLink, mode, mtimeNs, size } of all!) {
    const path = Buffer.from(`${scratch.path}/d/${name}`, 'latin1');
    const found = lstatSync(path, { bigint: true });
    assert.equal(found.mtimeNs, mtimeNs, `seed ${seed}`);
    assert.equal(found.isSymbolicLink(), isLink, `seed ${seed}`);
    if (isLink) assert.equal(readlinkSync(path, { encoding: 'latin1' }), target, `seed ${seed}`);
    else assert.deepEqual([Number(found.mode & 0o7777n), Number(found.size)], [mode, size], `seed ${seed}`);
  }
});

test('sizes over 8 GiB and owners over 2 million are read by GNU tar', () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'large.tar');
  const size = 9 * 1024 ** 3 + 1;
  const header: TarHeader = {
    ...{ path: 'large' as BytePath, kind: 'file', mode: 0o600, mtimeNs: 0n },
    ...{ uid: 4_294_967_294, gid: 2_097_152, size },
  };
  const head = tarHeader(header);
  const fd = openSync(file, 'w');
  writeSync(fd, head);
  ftruncateSync(fd, head.length + size + padding(size).length + endOfArchive.length);
  closeSync(fd);
  const said = execFileSync('tar', ['-tvf', file, '--numeric-owner'], { encoding: 'utf8', stdio: 'pipe' });
  assert.match(said, new RegExp(`^-rw------- 4294967294/2097152 +${size} .* large$`, 'm'));
});

test('a device has its numbers, and a folder its slash', () => {
  using scratch = scratchFolder();
  const about = { mode: 0o600, uid: 1, gid: 2, mtimeNs: 0n, size: 0 };
  mkdirSync(join(scratch.path, 'x'));
  writeFileSync(
    join(scratch.path, 'a.tar'),
    Buffer.concat([
      tarHeader({ ...about, path: 'd' as BytePath, kind: 'folder' }),
      tarHeader({
        ...about,
        path: 'd/b' as BytePath,
        kind: 'blockDevice',
        device: { major: 259, minor: 1_048_575 },
      }),
      tarHeader({ ...about, path: 'd/p' as BytePath, kind: 'fifo' }),
      endOfArchive,
    ]),
  );
  const said = execFileSync('tar', ['-tvf', 'a.tar', '--numeric-owner'], {
    cwd: scratch.path,
    encoding: 'utf8',
  });
  assert.match(said, /^d.* d\/\nb.* 259,1048575 .* d\/b\np.* d\/p\n$/);
});
