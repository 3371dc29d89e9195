import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { encodeHomeEntry, type HomeEntry, keyOf } from '../../../../engine/home/entries/entry.ts';
import { restoreHome } from '../../../../engine/home/index.ts';
import { type BytePath, bytesOf } from '../../../../engine/home/paths.ts';
import {
  type CborValue,
  type Content,
  type Entry,
  type Extent,
  encodeCbor,
  ListingBuilder,
  type ListingRoot,
  systemClock,
} from '../../../../store/index.ts';
import { assertEqualHomes } from '../../../helpers/home-equal.ts';
import { everyKind, isRoot, pseudoRandom } from '../../../helpers/home-tree.ts';
import { type MemoryChunks, memoryChunks } from '../../../helpers/memory-chunks.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const uid = process.geteuid!();
const gid = process.getegid!();

const bare = {
  mode: 0o755,
  uid,
  gid,
  mtimeNs: 1_000_000_000n,
  ctimeNs: 0n,
  inode: 1n,
  fileSystem: 0,
  xattrs: [],
  unsettled: false,
  linked: false,
};
const folder = (path: string, more: Partial<HomeEntry> = {}): HomeEntry => ({
  ...bare,
  path: path as BytePath,
  kind: 'folder',
  ...more,
});
const file = (path: string, text = 'evil', more: Partial<HomeEntry> = {}): HomeEntry => {
  const bytes = Buffer.from(text);
  const extents: Extent[] = bytes.length === 0 ? [] : [{ kind: 'inline', bytes }];
  return {
    ...bare,
    mode: 0o644,
    path: path as BytePath,
    kind: 'file',
    content: { length: bytes.length, extents },
    ...more,
  };
};
const link = (path: string, target: string): HomeEntry => ({
  ...bare,
  mode: 0o777,
  path: path as BytePath,
  kind: 'link',
  target: target as BytePath,
});

async function listingOf(
  entries: readonly (HomeEntry | Entry)[],
  chunks: MemoryChunks,
): Promise<ListingRoot> {
  const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
  const encoded = entries.map(entry => ('key' in entry ? entry : encodeHomeEntry(entry)));
  for (const entry of encoded.sort((a, b) => Buffer.compare(a.key, b.key))) await builder.add(entry);
  return builder.finish();
}

/** An entry whose key is not what its path would be. */
const withKey = (entry: HomeEntry, key: string): Entry => ({
  ...encodeHomeEntry(entry),
  key: bytesOf(key as BytePath),
});

async function restoreEntries(target: string, entries: readonly (HomeEntry | Entry)[]) {
  const chunks = memoryChunks();
  return restoreHome({ source: chunks, root: { listing: await listingOf(entries, chunks) }, target });
}

test('a target that holds something is refused and left alone', async () => {
  using scratch = scratchFolder();
  writeFileSync(`${scratch.path}/mine`, 'mine');
  await assert.rejects(restoreEntries(scratch.path, [folder('')]), { code: 'TARGET_NOT_EMPTY' });
  assert.deepEqual(readdirSync(scratch.path), ['mine']);
  await assert.rejects(restoreEntries(`${scratch.path}/mine`, [folder('')]), { code: 'TARGET_FAILED' });
});

test('lost+found counts as empty, and so do names that the caller allows', async () => {
  using scratch = scratchFolder();
  mkdirSync(`${scratch.path}/lost+found`);
  writeFileSync(`${scratch.path}/.marker`, '');
  const chunks = memoryChunks();
  const listing = await listingOf([folder(''), folder('lost+found'), file('lost+found/a')], chunks);
  await restoreHome({ source: chunks, root: { listing }, target: scratch.path, allowed: ['.marker'] });
  assert.deepEqual(readdirSync(scratch.path).sort(), ['.marker', 'lost+found']);
  assert.equal(readFileSync(`${scratch.path}/lost+found/a`, 'utf8'), 'evil');
});

test('an absent target is made with its parents', async () => {
  using scratch = scratchFolder();
  const { files, folders } = await restoreEntries(`${scratch.path}/a/b/c`, [folder(''), file('x', 'x')]);
  assert.deepEqual([files, folders], [1, 1]);
  assert.equal(readFileSync(`${scratch.path}/a/b/c/x`, 'utf8'), 'x');
});

const badKeys: Record<string, string> = {
  'a way out': '/../evil',
  'a way out in the middle': '/a/../../evil',
  'a dot': '/./evil',
  'an empty name': '//evil',
  'no slash at its start': 'evil',
  'a NUL': '/ev\0il',
  'a name of 256 bytes': `/${'e'.repeat(256)}`,
  'a slash at its end though it is a file': '/evil/',
};
for (const [name, key] of Object.entries(badKeys)) {
  test(`an entry whose key has ${name} is refused, and nothing is written outside`, async () => {
    using scratch = scratchFolder();
    const target = `${scratch.path}/in/target`;
    await assert.rejects(restoreEntries(target, [folder(''), folder('a'), withKey(file('evil'), key)]), {
      code: 'STORE_DAMAGED',
    });
    assertOnly(scratch.path, ['in']);
    assertOnly(`${scratch.path}/in`, ['target']);
  });
}

test('a folder that a link stands for is not entered', async () => {
  using scratch = scratchFolder();
  const outside = `${scratch.path}/outside`;
  mkdirSync(outside);
  const entries = [folder(''), link('door', outside), withKey(file('evil'), '/door/evil')];
  await assert.rejects(restoreEntries(`${scratch.path}/target`, entries), { code: 'STORE_DAMAGED' });
  const both = [folder(''), link('door', outside), folder('door'), file('door/evil')];
  await assert.rejects(restoreEntries(`${scratch.path}/target-2`, both), { code: 'TARGET_FAILED' });
  assertOnly(outside, []);
});

test('a file is never written through a link that somebody plants meanwhile', async () => {
  using scratch = scratchFolder();
  writeFileSync(`${scratch.path}/victim`, 'safe');
  const chunks = memoryChunks();
  const entries = [
    folder(''),
    folder('a'),
    ...Array.from({ length: 40 }, (_, i) => file(`a/f${i}`, 'x')),
    file('a/x'),
  ];
  const root = { listing: await listingOf(entries, chunks) };
  const target = `${scratch.path}/target`;
  let planted = false;
  const onProgress = (): void => {
    if (!planted) symlinkSync(`${scratch.path}/victim`, `${target}/a/x`);
    planted = true;
  };
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => (now += 1000) }; // so that progress is told often
  const restoring = restoreHome({ source: chunks, root, target, clock, onProgress });
  await assert.rejects(restoring, { code: 'TARGET_FAILED' });
  assert.equal(planted, true);
  assert.equal(readFileSync(`${scratch.path}/victim`, 'utf8'), 'safe');
});

test('a hard link is never made to a file that somebody put in the place of a restored one', async () => {
  using scratch = scratchFolder();
  mkdirSync(`${scratch.path}/outside`);
  writeFileSync(`${scratch.path}/outside/x`, 'secret');
  const chunks = memoryChunks();
  const entries = [
    folder(''),
    folder('a'),
    file('a/x', 'mine', { linked: true }),
    folder('b'),
    ...Array.from({ length: 40 }, (_, i) => file(`b/f${i}`, 'x')),
    file('z', 'mine', { linked: true }),
  ];
  const root = { listing: await listingOf(entries, chunks) };
  const target = `${scratch.path}/target`;
  const onProgress = (): void => {
    if (!existsSync(`${target}/b`) || existsSync(`${target}/a-moved`)) return;
    renameSync(`${target}/a`, `${target}/a-moved`);
    symlinkSync(`${scratch.path}/outside`, `${target}/a`);
  };
  let now = 0;
  const clock = { ...systemClock, monotonicMs: () => (now += 1000) };
  const restoring = restoreHome({ source: chunks, root, target, clock, onProgress });
  await assert.rejects(restoring, { code: 'TARGET_FAILED' });
  assert.equal(existsSync(`${target}/a-moved`), true);
  assert.equal(statSync(`${scratch.path}/outside/x`).nlink, 1);
});

test('a listing without a root folder, or with an entry outside any folder, is refused', async () => {
  using scratch = scratchFolder();
  await assert.rejects(restoreEntries(`${scratch.path}/a`, [file('x')]), { code: 'STORE_DAMAGED' });
  await assert.rejects(restoreEntries(`${scratch.path}/b`, [folder(''), file('x/y')]), {
    code: 'STORE_DAMAGED',
  });
  await assert.rejects(restoreEntries(`${scratch.path}/c`, []), { code: 'STORE_DAMAGED' });
});

test('a body that is not an entry’s is refused', async () => {
  const right = new Map<number, CborValue>([
    [0, 0],
    [1, 0o644],
    [2, 0],
    [3, 0],
    [4, 0],
    [5, 0],
    [6, 1],
  ]);
  const wrongs: [number, CborValue | undefined][] = [
    [0, 6],
    [0, 'file'],
    [1, 0o10000],
    [1, -1],
    [2, 2 ** 32],
    [3, undefined],
    [4, 'now'],
    [6, undefined],
    [7, -1],
    [8, 5],
    [8, [[new Uint8Array([0]), new Uint8Array()]]],
    [8, [[new Uint8Array()]]],
  ];
  for (const [field, value] of wrongs) {
    using scratch = scratchFolder();
    const body = new Map(right);
    if (value === undefined) body.delete(field);
    else body.set(field, value);
    const contents = encodeHomeEntry(file('x')).contents;
    const entry: Entry = { key: keyOf('x' as BytePath, 'file'), body: encodeCbor(body), contents };
    await assert.rejects(
      restoreEntries(`${scratch.path}/out`, [folder(''), entry]),
      { code: 'STORE_DAMAGED' },
      `${field}: ${String(value)}`,
    );
  }
});

test('a file whose content is shorter than its entry says is refused, not filled with zeros', async () => {
  using scratch = scratchFolder();
  const chunks = memoryChunks();
  const id = await chunks.put(pseudoRandom(500), 'data');
  const content: Content = { length: 1000, extents: [{ kind: 'chunk', id, offset: 0, length: 1000 }] };
  const root = { listing: await listingOf([folder(''), file('x', '', { content })], chunks) };
  const restoring = restoreHome({ source: chunks, root, target: `${scratch.path}/out` });
  await assert.rejects(restoring, { code: 'STORE_DAMAGED' });
});

test('two files that claim one inode but not one kind are not joined', async () => {
  using scratch = scratchFolder();
  const entries = [
    folder(''),
    file('a', 'a', { linked: true, inode: 5n }),
    { ...link('b', 'a'), linked: true, inode: 5n },
    file('c', 'a', { linked: true, inode: 5n, fileSystem: 1 }),
  ];
  await restoreEntries(`${scratch.path}/out`, entries);
  assert.equal(statSync(`${scratch.path}/out/a`).nlink, 1);
});

test('a chunk that is missing ends the restore with the store’s error', async () => {
  using scratch = scratchFolder();
  mkdirSync(`${scratch.path}/home`);
  writeFileSync(`${scratch.path}/home/file`, pseudoRandom(10_000));
  const { chunks, result } = await captureHome(`${scratch.path}/home`);
  const lost = new Error('lost');
  const source: Pick<MemoryChunks, 'get'> = {
    get: async (id, chunkClass) => {
      if (chunkClass === 'data') throw lost;
      return chunks.get(id, chunkClass);
    },
  };
  await assert.rejects(restoreHome({ source, root: result.roots[0]!, target: `${scratch.path}/out` }), lost);
});

test('owners go by name, or to one owner, when asked', {
  skip: isRoot ? false : 'only root may give files away',
}, async () => {
  using scratch = scratchFolder();
  const owners = {
    users: new Map([
      [4242, 'nobody'],
      [4243, 'no such user here'],
    ]),
    groups: new Map([[4242, 'daemon']]),
  };
  const entries = [
    folder('', { owners, fileSystems: [] }),
    file('known', '', { uid: 4242, gid: 4242 }),
    file('unknown', '', { uid: 4243, gid: 4243 }),
  ];
  const chunks = memoryChunks();
  const root = { listing: await listingOf(entries, chunks) };
  const ownerOf = (path: string): number[] => [statSync(path).uid, statSync(path).gid];
  await restoreHome({ source: chunks, root, target: `${scratch.path}/name`, owner: 'by-name' });
  assert.deepEqual(ownerOf(`${scratch.path}/name/known`), [65534, 1]);
  assert.deepEqual(ownerOf(`${scratch.path}/name/unknown`), [4243, 4243]);
  await restoreHome({ source: chunks, root, target: `${scratch.path}/one`, owner: { uid: 11, gid: 12 } });
  assert.deepEqual(ownerOf(`${scratch.path}/one/known`), [11, 12]);
  assert.deepEqual(ownerOf(`${scratch.path}/one`), [11, 12]);
});

test('a tree deeper than the folders that may be open at once comes back equal', async () => {
  using scratch = scratchFolder();
  let path = `${scratch.path}/home`;
  for (let depth = 0; depth < 300; depth++) {
    path += '/d';
    mkdirSync(path, { recursive: true });
    if (depth % 50 === 0) writeFileSync(`${path}/file`, `${depth}`);
    mkdirSync(`${path}/z`);
  }
  const { chunks, result } = await captureHome(`${scratch.path}/home`);
  await restoreHome({ source: chunks, root: result.roots[0]!, target: `${scratch.path}/out` });
  await assertEqualHomes(`${scratch.path}/home`, `${scratch.path}/out`);
});

test('a restore of a restore is equal again', async () => {
  using scratch = scratchFolder();
  await everyKind(`${scratch.path}/1`);
  for (const turn of [1, 2]) {
    const { chunks, result } = await captureHome(`${scratch.path}/${turn}`);
    await restoreHome({ source: chunks, root: result.roots[0]!, target: `${scratch.path}/${turn + 1}` });
  }
  await assertEqualHomes(`${scratch.path}/2`, `${scratch.path}/3`);
  // a probe changed the times of the folders it was made in
  await assertEqualHomes(`${scratch.path}/1`, `${scratch.path}/3`, { rootTimes: false });
});

function assertOnly(path: string, names: readonly string[]): void {
  assert.equal(existsSync(path), true);
  assert.deepEqual(readdirSync(path), names);
}
