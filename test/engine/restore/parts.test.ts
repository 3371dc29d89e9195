import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { decodeHomeEntry, encodeHomeEntry, type HomeEntry } from '../../../engine/home/entries/entry.ts';
import type { BytePath } from '../../../engine/home/index.ts';
import { readPath } from '../../../engine/look/index.ts';
import type { Snapshot } from '../../../engine/pair.ts';
import { markUnfinished, restoreMarkerName } from '../../../engine/restore/marker.ts';
import type { HomeWish } from '../../../engine/restore/parts.ts';
import { type RestoreResult, restore } from '../../../engine/restore/restore.ts';
import {
  type ChunkId,
  isStoreError,
  ListingBuilder,
  type ListingRoot,
  readListing,
  type Store,
  storeError,
  systemClock,
} from '../../../store/index.ts';
import { collect } from '../../helpers/collect.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind } from '../../helpers/home-tree.ts';
import type { MemoryChunks } from '../../helpers/memory-chunks.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { snapshotOf } from '../../helpers/one-snapshot.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

interface Taken {
  readonly chunks: MemoryChunks;
  readonly snapshot: Snapshot;
}

async function take(root: string, dataStores: readonly string[] = []): Promise<Taken> {
  const { chunks, result } = await captureHome(root, { dataStores });
  return { chunks, snapshot: snapshotOf(result) };
}

const nobodyPrunes = { beginReading: async () => ({ [Symbol.asyncDispose]: async () => {} }) };

/** A restore of a home needs no more of a store than its chunks, and that nobody takes them away. */
const restoreWith = ({ chunks, snapshot }: Taken, { home, ...part }: HomeWish): Promise<RestoreResult> =>
  restore({
    store: { ...chunks, ...nobodyPrunes } as unknown as Store,
    clock: systemClock,
    host: 'here',
    snapshot,
    home,
    part,
  });

/** The same listing with a file of 2⁵⁰ bytes that are said to be in one chunk. */
async function withHugeFile(chunks: MemoryChunks, listing: ListingRoot): Promise<ListingRoot> {
  const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
  let small: HomeEntry | undefined;
  for await (const entry of readListing(chunks, listing)) {
    const decoded = decodeHomeEntry(entry);
    if (decoded.kind === 'file') small = decoded;
    await builder.add(entry);
  }
  const length = 2 ** 50;
  const id = new Uint8Array(32) as ChunkId;
  const content = { length, extents: [{ kind: 'chunk' as const, id, offset: 0, length }] };
  await builder.add(encodeHomeEntry({ ...small!, path: 'zz' as BytePath, content }));
  return builder.finish();
}

const write = (path: string, text = path): void => {
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  writeFileSync(path, text);
};

const treeOf = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true, encoding: 'utf8' }) as string[]).sort();

test('only what is named is restored, with the folders above it as they were', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  for (const name of ['a/b/one', 'a/b/two', 'a/c/three', 'a-b', 'a.txt', 'z/deep/er/x', 'z/y'])
    write(`${home}/${name}`);
  chmodSync(`${home}/a/b`, 0o701);
  chmodSync(`${home}/z`, 0o2750);
  const taken = await take(home);
  const out = `${scratch.path}/out`;
  const { home: done, afterwards } = await restoreWith(taken, {
    home: out,
    paths: ['z/deep/', 'a/b/two', `${home}/a.txt`, 'z/deep/er/x', './a/b/two'],
  });
  assert.deepEqual(treeOf(out), ['a', 'a.txt', 'a/b', 'a/b/two', 'z', 'z/deep', 'z/deep/er', 'z/deep/er/x']);
  assert.equal(done?.files, 3);
  assert.deepEqual(afterwards, []);
  await assertEqualHomes(home, out, { ignore: ['a/b/one', 'a/c', 'a-b', 'z/y'] });
});

test('each thing of a home can be restored by its own path, whatever its name', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  await everyKind(home);
  const taken = await take(home);
  const names = [
    'new\nline',
    '\\x01\\x7f\\x1b[31m',
    'caf\\xe9',
    '\\xff\\xfe',
    '\\',
    'fifo',
    'dangling',
    'sparse',
  ];
  for (const [i, name] of names.entries()) {
    const out = `${scratch.path}/out-${i}`;
    await restoreWith(taken, { home: out, paths: [name] });
    assert.equal(readdirSync(out, { encoding: 'buffer' }).length, 1, name);
  }
  const all = `${scratch.path}/all`;
  await restoreWith(taken, { home: all, paths: [home, 'a'] });
  await assertEqualHomes(home, all);
});

test('a linked file whose other names stay behind is one of its own; names that come along stay linked', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  write(`${home}/a/x`, 'one file');
  mkdirSync(`${home}/b`);
  linkSync(`${home}/a/x`, `${home}/b/y`);
  linkSync(`${home}/a/x`, `${home}/b/z`);
  const taken = await take(home);
  await restoreWith(taken, { home: `${scratch.path}/one`, paths: ['b/z'] });
  assert.equal(statSync(`${scratch.path}/one/b/z`).nlink, 1);
  assert.equal(readFileSync(`${scratch.path}/one/b/z`, 'utf8'), 'one file');
  await restoreWith(taken, { home: `${scratch.path}/two`, paths: ['b'] });
  assert.equal(statSync(`${scratch.path}/two/b/z`).nlink, 2);
});

test('a path that is not there, leads up, or goes through a link is refused before anything is written', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  write(`${home}/a/x`);
  symlinkSync('/etc', `${home}/door`);
  const taken = await take(home);
  for (const [path, code] of [
    ['a/y', 'PATH_UNKNOWN'],
    ['door/passwd', 'PATH_UNKNOWN'],
    ['/etc/passwd', 'PATH_UNKNOWN'],
    ['../x', 'USAGE'],
    ['a/../../x', 'USAGE'],
    ['database:tables', 'PATH_UNKNOWN'],
    ['/', 'USAGE'],
  ] as const) {
    const restoring = restoreWith(taken, { home: `${scratch.path}/out`, paths: ['a/x', path] });
    await assert.rejects(restoring, { code }, path);
    assert.equal(existsSync(`${scratch.path}/out`), false, path);
  }
  await restoreWith(taken, { home: `${scratch.path}/out`, paths: ['door'] });
  assert.deepEqual(treeOf(`${scratch.path}/out`).slice(0, 1), ['door']);
});

test('a target that holds something is refused for a part, too', async () => {
  using scratch = scratchFolder();
  write(`${scratch.path}/home/a`);
  write(`${scratch.path}/out/mine`);
  const taken = await take(`${scratch.path}/home`);
  const restoring = restoreWith(taken, { home: `${scratch.path}/out`, paths: ['a'] });
  await assert.rejects(restoring, { code: 'TARGET_NOT_EMPTY' });
  assert.deepEqual(treeOf(`${scratch.path}/out`), ['mine']);
});

test('a killed restore of a part is begun again by the same command, and by no other', async () => {
  using scratch = scratchFolder();
  for (const name of ['a', 'b']) write(`${scratch.path}/home/${name}`, name);
  const taken = await take(`${scratch.path}/home`);
  const out = `${scratch.path}/out`;
  mkdirSync(out);
  const selection = JSON.stringify({ paths: ['a'], repositories: [] });
  await markUnfinished(out, { snapshot: taken.snapshot.id, selection });
  writeFileSync(`${out}/half`, '');
  for (const paths of [['b'], []])
    await assert.rejects(restoreWith(taken, { home: out, paths }), { code: 'TARGET_NOT_EMPTY' });
  await restoreWith(taken, { home: out, paths: ['a'] });
  assert.deepEqual(treeOf(out), ['a']);
});

test('a part is restored where the whole would not fit', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  mkdirSync(home);
  writeFileSync(`${home}/small`, 'small');
  const taken = await take(home);
  const { chunks, snapshot } = taken;
  const listing = await withHugeFile(chunks, snapshot.home!.roots[0]!.listing);
  const roots = [{ ...snapshot.home!.roots[0]!, listing }];
  const huge: Taken = { chunks, snapshot: { ...snapshot, home: { ...snapshot.home!, roots } } };
  await assert.rejects(restoreWith(huge, { home: `${scratch.path}/out` }), { code: 'TARGET_FAILED' });
  assert.equal(existsSync(`${scratch.path}/out`), false);
  await restoreWith(huge, { home: `${scratch.path}/out`, paths: ['small'] });
  assert.deepEqual(treeOf(`${scratch.path}/out`), ['small']);
});

test('a data store goes where it is mapped to; without a place it is named as not restored', async () => {
  using scratch = scratchFolder();
  const [home, store, other] = ['home', 'store=1', 'other'].map(name => `${scratch.path}/${name}`) as [
    string,
    string,
    string,
  ];
  write(`${home}/a`);
  write(`${store}/repositories/9/HEAD`, 'ref: refs/heads/main\n');
  write(`${other}/b`);
  const taken = await take(home, [store, other]);
  const out = `${scratch.path}/out`;
  const {
    home: done,
    warnings,
    notRestored,
    afterwards,
  } = await restoreWith(taken, {
    home: `${out}/home`,
    map: [`${store}=out/new=1`],
    cwd: scratch.path,
  });
  await assertEqualHomes(home, `${out}/home`, { rootTimes: false });
  await assertEqualHomes(store, `${out}/new=1`, { rootTimes: false });
  assert.deepEqual([done?.files, notRestored], [2, [other]]);
  assert.ok(warnings.some(text => text.includes(other)) && afterwards.some(text => text.includes('new=1')));
  assert.equal(existsSync(`${out}/new=1/${restoreMarkerName}`), false);

  const wish = { home: `${scratch.path}/second`, paths: [`${store}/repositories/9`] };
  await assert.rejects(restoreWith(taken, wish), { code: 'USAGE' });
  await restoreWith(taken, { ...wish, map: [`${store}/=${scratch.path}/third`] });
  assert.deepEqual(treeOf(`${scratch.path}/third`), [
    'repositories',
    'repositories/9',
    'repositories/9/HEAD',
  ]);
  assert.equal(existsSync(wish.home), false);
});

test('a map that names no data store, or a place inside another, is refused', async () => {
  using scratch = scratchFolder();
  const [home, store] = [`${scratch.path}/home`, `${scratch.path}/store`];
  write(`${home}/a`);
  write(`${store}/b`);
  const taken = await take(home, [store]);
  const out = `${scratch.path}/out`;
  for (const map of [
    ['nowhere=/x'],
    [store],
    [`${store}=`],
    [`${home}=${out}2`],
    [`${store}=${out}/in`],
    [`${store}=${out}`],
  ])
    await assert.rejects(restoreWith(taken, { home: out, map }), { code: 'USAGE' }, String(map));
  const twice = [`${store}=${out}1`, `${store}=${out}2`];
  await assert.rejects(restoreWith(taken, { home: out, map: twice }), { code: 'USAGE' });
  assert.deepEqual(readdirSync(scratch.path).sort(), ['home', 'store']);
});

test('two folders of one restore that were killed while their marks were taken off are finished', async () => {
  using scratch = scratchFolder();
  const [home, store, out] = ['home', 'store', 'out'].map(name => `${scratch.path}/${name}`) as [
    string,
    string,
    string,
  ];
  write(`${home}/a`);
  write(`${store}/b`);
  const taken = await take(home, [store]);
  const wish = { home: `${out}/home`, map: [`${store}=${out}/store`] };
  await restoreWith(taken, wish);
  // as if it had been killed between the two marks
  await markUnfinished(wish.home, { snapshot: taken.snapshot.id, wholeFolders: [`${out}/store`] });
  await restoreWith(taken, wish);
  await assertEqualHomes(home, wish.home, { rootTimes: false });
  await assert.rejects(restoreWith(taken, wish), { code: 'TARGET_NOT_EMPTY' });
});

test('a repository is found by its id, and comes with those that it borrows objects from', async () => {
  using scratch = scratchFolder();
  const [home, store] = [`${scratch.path}/home`, `${scratch.path}/store`];
  const repositories = `${home}/shared/data/repositories`;
  for (const id of ['1', '2', '3', '33']) write(`${repositories}/${id}/objects/pack/pack-${id}.pack`);
  write(`${store}/repositories/9/objects/pack/pack-9.pack`);
  write(`${repositories}/3/objects/info/alternates`, '../../2/objects\n');
  write(
    `${repositories}/2/objects/info/alternates`,
    `# a comment\n${store}/repositories/9/objects\n/gone/objects\n`,
  );
  const taken = await take(home, [store]);
  const out = `${scratch.path}/out`;
  await restoreWith(taken, { home: `${out}-1`, repositories: ['1'] });
  assert.deepEqual(readdirSync(`${out}-1/shared/data/repositories`), ['1']);
  await assert.rejects(restoreWith(taken, { home: out, repositories: ['3'] }), { code: 'USAGE' });
  const map = [`${store}=${out}-store`];
  const { afterwards } = await restoreWith(taken, { home: out, map, repositories: ['3', '3'] });
  assert.deepEqual(readdirSync(`${out}/shared/data/repositories`).sort(), ['2', '3']);
  assert.deepEqual(readdirSync(`${out}-store/repositories`), ['9']);
  const told = afterwards.join('\n');
  for (const word of [
    /3 borrows objects from 2: /,
    /2 borrows objects from 9: /,
    /\/gone/,
    /out-store\/repositories\/9\/objects into/,
  ])
    assert.match(told, word);
  for (const [id, code] of [
    ['7', 'PATH_UNKNOWN'],
    ['..', 'USAGE'],
    ['1/objects', 'USAGE'],
    ['', 'USAGE'],
  ] as const)
    await assert.rejects(restoreWith(taken, { home: `${out}-2`, repositories: [id] }), { code }, id);
});

test('a part of a large home reads no more of its listing than it needs', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  for (const name of ['a/x', 'z/y']) write(`${home}/${name}`);
  mkdirSync(`${home}/many`);
  for (let i = 0; i < 1_500; i++) writeFileSync(`${home}/many/${String(i).padStart(240, '0')}`, '');
  const taken = await take(home);
  let reads = 0;
  const get: MemoryChunks['get'] = (id, chunkClass) => {
    reads += 1;
    return taken.chunks.get(id, chunkClass);
  };
  await restoreWith(
    { ...taken, chunks: { ...taken.chunks, get } },
    { home: `${scratch.path}/out`, paths: ['z/y'] },
  );
  const nodes = taken.chunks.count('metadata');
  assert.ok(reads <= 10 && nodes > 12, `${reads} of ${nodes}`);
});

test('bytes that the store does not give are named by file and snapshot, with what to do next', async () => {
  using scratch = scratchFolder();
  write(`${scratch.path}/home/shared/whole`);
  write(`${scratch.path}/home/shared/lost`, 'lost '.repeat(100));
  const taken = await take(`${scratch.path}/home`);
  const gone = storeError('STORE_OBJECT_MISSING', 'Cannot read data chunk ab: no pack has it');
  const get: MemoryChunks['get'] = async (id, chunkClass) => {
    const bytes = await taken.chunks.get(id, chunkClass);
    if (chunkClass === 'data' && Buffer.from(bytes).includes('lost')) throw gone;
    return bytes;
  };
  const damaged = { ...taken, chunks: { ...taken.chunks, get } };
  const isNamed = (what: RegExp) => (error: unknown) => {
    assert.ok(isStoreError(error) && error.code === 'STORE_OBJECT_MISSING');
    assert.match(error.message, what);
    assert.match(error.message, new RegExp(`snapshot ${taken.snapshot.id.slice(0, 8)}`));
    assert.match(error.remedy!, /verify .*repair/s);
    return true;
  };
  await assert.rejects(restoreWith(damaged, { home: `${scratch.path}/out` }), isNamed(/file shared\/lost/));
  const cat = readPath(damaged.chunks, { snapshot: taken.snapshot, path: 'shared/lost' });
  await assert.rejects(collect(cat), isNamed(/shared\/lost/));
});
