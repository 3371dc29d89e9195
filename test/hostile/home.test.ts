import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { rawChunks } from '../../bench/hostile/chunks.ts';
import { putNode } from '../../bench/hostile/home.ts';
import { snapshotWith } from '../../bench/hostile/read.ts';
import { makeSandbox, type Sandbox } from '../../bench/hostile/sandbox.ts';
import { encodeHomeEntry, type HomeEntry } from '../../engine/home/entries/entry.ts';
import { restoreHome, spaceOf } from '../../engine/home/index.ts';
import { type BytePath, bytePath, bytesOf } from '../../engine/home/paths.ts';
import { listPath } from '../../engine/look/index.ts';
import { restore } from '../../engine/restore/restore.ts';
import {
  type Content,
  decodeCbor,
  type Entry,
  type Extent,
  encodeCbor,
  type ListingRoot,
  type Store,
  systemClock,
} from '../../store/index.ts';
import { isRoot } from '../helpers/home-tree.ts';

const owner = { uid: process.geteuid!(), gid: process.getegid!() };
const bare = {
  ...{
    mode: 0o755,
    mtimeNs: 0n,
    ctimeNs: 0n,
    inode: 1n,
    fileSystem: 0,
    xattrs: [],
    unsettled: false,
    linked: false,
  },
  ...owner,
};
type More = Partial<HomeEntry>;
const folder = (path: string, more: More = {}): Entry =>
  encodeHomeEntry({ ...bare, path: path as BytePath, kind: 'folder', ...more });
const content = (...extents: Extent[]): Content => ({ length: 0, extents });
const inline = (text: string): Extent => ({ kind: 'inline', bytes: Buffer.from(text) });
const file = (path: string, more: More = {}): Entry =>
  encodeHomeEntry({
    ...bare,
    path: path as BytePath,
    kind: 'file',
    content: content(inline('evil')),
    ...more,
  });
const link = (path: string, target: string, more: More = {}): Entry =>
  encodeHomeEntry({ ...bare, path: path as BytePath, kind: 'link', target: target as BytePath, ...more });
const device = (path: string): Entry =>
  encodeHomeEntry({ ...bare, path: path as BytePath, kind: 'blockDevice', device: { major: 8, minor: 0 } });
const key = (text: string, entry: Entry): Entry => ({ ...entry, key: bytesOf(text as BytePath) });
const body = (entry: Entry, field: number, value: Parameters<typeof encodeCbor>[0]): Entry => ({
  ...entry,
  body: encodeCbor(new Map(decodeCbor(entry.body) as ReadonlyMap<number, never>).set(field, value as never)),
});
const top = folder('');

type Chunks = ReturnType<typeof rawChunks>;

/** One leaf with these entries, as they come. */
function leafOf(chunks: Chunks, entries: readonly Entry[]): ListingRoot {
  return { id: putNode(chunks, { kind: 'listing', level: 0, entries }), level: 0, entries: entries.length };
}

/** Lists and restores; whatever comes of it, nothing around the target may change. */
async function tried(
  make: (chunks: Chunks, sandbox: Sandbox) => readonly Entry[] | ListingRoot,
  look: (sandbox: Sandbox, warnings: readonly string[]) => void = () => {},
): Promise<void> {
  using sandbox = makeSandbox();
  const chunks = rawChunks();
  const made = make(chunks, sandbox);
  const listing = 'id' in made ? made : leafOf(chunks, made);
  try {
    const { warnings } = await restoreHome({ source: chunks, root: { listing }, target: sandbox.target });
    look(sandbox, warnings);
  } finally {
    assert.equal(sandbox.changed(), undefined);
  }
}

const damaged = 'STORE_DAMAGED';
const failed = 'TARGET_FAILED';
const long = (length: number): string => 'x'.repeat(length);
/** A leaf of one extent, named by so many nodes above each other, each `fan` times. */
function bomb(chunks: Chunks, extent: Extent, { levels, fan }: { levels: number; fan: number }): Content {
  let node = putNode(chunks, { kind: 'extents', level: 0, extents: [extent] });
  let length = extent.kind === 'inline' ? extent.bytes.length : extent.length;
  for (let level = 1; level <= levels; level++) {
    node = putNode(chunks, {
      kind: 'extents',
      level,
      spans: Array.from({ length: fan }, () => ({ node, length })),
    });
    length *= fan;
  }
  return { length, list: node };
}

type Case = readonly [
  what: string,
  code: string,
  make: (chunks: Chunks, sandbox: Sandbox) => readonly Entry[] | ListingRoot,
];
const cases: readonly Case[] = [
  ['an absolute path', damaged, (_, { outside }) => [top, key(`/${outside}`, file('a'))]],
  ['a name that is ..', damaged, () => [top, key('/../outside/x', file('a'))]],
  ['a folder that is ..', damaged, () => [top, key('/../', folder('a')), key('/../x', file('a'))]],
  ['a name that is .', damaged, () => [top, key('/./', folder('a'))]],
  ['an empty name', damaged, () => [top, key('//', folder('a')), key('//x', file('a'))]],
  ['a NUL in a name', damaged, () => [top, key('/a\0b', file('a'))]],
  ['a key without its slash', damaged, () => [top, key('a', file('a'))]],
  ['an empty key', damaged, () => [key('', file('a'))]],
  ['a name of 256 bytes', damaged, () => [top, file(long(256))]],
  ['a file with a folder’s key', damaged, () => [top, key('/a/', file('a'))]],
  ['a folder with a file’s key', damaged, () => [top, key('/a', folder('a'))]],
  ['two roots', damaged, () => [top, top]],
  ['a key twice', damaged, () => [top, file('a'), file('a')]],
  ['keys out of order', damaged, () => [top, file('b'), file('a')]],
  ['a file and a folder of one name', failed, () => [top, file('a'), folder('a'), file('a/b')]],
  ['an entry without its folder', damaged, () => [top, file('a/b')]],
  ['a path through a link', damaged, (_, { outside }) => [top, link('x', outside), file('x/y')]],
  [
    'a folder in the place of a link',
    failed,
    (_, { outside }) => [top, link('x', outside), folder('x'), file('x/y')],
  ],
  [
    'lost+found as a link, then as a folder',
    failed,
    (_, { outside }) => [top, link('lost+found', outside), folder('lost+found')],
  ],
  ['a link to nothing', damaged, () => [top, link('x', '')]],
  ['a link to 1 MiB', damaged, () => [top, link('x', long(2 ** 20))]],
  ['a link to what has a NUL', damaged, () => [top, link('x', 'a\0b')]],
  ['a file without content', damaged, () => [top, { ...file('a'), contents: [] }]],
  ['a folder with content', damaged, () => [top, { ...folder('a'), contents: [content()] }]],
  ['a mode out of range', damaged, () => [top, body(file('a'), 1, 0o10000)]],
  ['a negative mode', damaged, () => [top, body(file('a'), 1, -1)]],
  ['the owner that means: leave it', damaged, () => [top, body(file('a'), 2, 2 ** 32 - 1)]],
  ['a group out of range', damaged, () => [top, body(file('a'), 3, 2 ** 32)]],
  ['a kind that is none', damaged, () => [top, body(file('a'), 0, 6)]],
  ['a time that is text', damaged, () => [top, body(file('a'), 4, 'now')]],
  [
    'an attribute of 64 KiB and more',
    damaged,
    () => [top, body(file('a'), 8, [[Buffer.from('user.a'), new Uint8Array(65_537)]])],
  ],
  [
    'an attribute without a name',
    damaged,
    () => [top, body(file('a'), 8, [[new Uint8Array(), new Uint8Array()]])],
  ],
  [
    'more values in a body than anybody holds',
    damaged,
    () => [top, { ...file('a'), body: arrays(2 ** 20 + 1) }],
  ],
  ['arrays in arrays', damaged, () => [top, { ...file('a'), body: new Uint8Array(10_000).fill(0x81) }]],
  [
    'an array that is said to be huge',
    damaged,
    () => [top, { ...file('a'), body: Uint8Array.of(0x9b, 0, 0, 255, 255, 255, 255, 255, 255) }],
  ],
  [
    'more items in a node than anybody holds',
    damaged,
    () => [top, { ...file('a'), contents: Array.from({ length: 70_000 }, () => content()) }],
  ],
  [
    'inline bytes that are too many',
    damaged,
    () => [top, file('a', { content: content({ kind: 'inline', bytes: new Uint8Array(129) }) })],
  ],
  ['an empty extent', damaged, () => [top, file('a', { content: content({ kind: 'hole', length: 0 }) })]],
  [
    'an extent past its chunk',
    damaged,
    chunks => [top, file('a', { content: content(chunkOf(chunks, { offset: 1, length: 4 })) })],
  ],
  [
    'an extent that overflows',
    damaged,
    chunks => [top, file('a', { content: content(chunkOf(chunks, { offset: 2 ** 53 - 1, length: 4 })) })],
  ],
  [
    'a sum that overflows',
    damaged,
    () => [top, file('a', { content: content({ kind: 'hole', length: 2 ** 53 - 1 }, inline('x')) })],
  ],
  [
    'two holes that touch',
    damaged,
    () => [top, file('a', { content: content({ kind: 'hole', length: 1 }, { kind: 'hole', length: 1 }) })],
  ],
  [
    '2⁵² holes of a byte in 25 nodes',
    damaged,
    chunks => [
      top,
      file('a', { content: bomb(chunks, { kind: 'hole', length: 1 }, { levels: 24, fan: 4 }) }),
    ],
  ],
  [
    'an extent list of another length',
    damaged,
    chunks => [
      top,
      file('a', { content: { ...bomb(chunks, inline('x'), { levels: 2, fan: 3 }), length: 10 } }),
    ],
  ],
  [
    'a listing in the place of an extent list',
    damaged,
    chunks => [top, file('a', { content: { length: 1, list: leafOf(chunks, [top]).id } })],
  ],
  ['a root that says more entries', damaged, chunks => ({ ...leafOf(chunks, [top]), entries: 10 ** 9 })],
  ['a root of another level', damaged, chunks => ({ ...leafOf(chunks, [top]), level: 24 })],
  [
    'a root that is an extent list',
    damaged,
    chunks => ({ id: putNode(chunks, { kind: 'extents', level: 0, extents: [] }), level: 0, entries: 1 }),
  ],
  ['a node named twice', damaged, chunks => twice(chunks)],
  ['levels that do not fall', damaged, chunks => risen(chunks)],
];

const arrays = (count: number): Uint8Array => {
  const bytes = new Uint8Array(count + 5).fill(0x80);
  bytes.set([0x9a, count >>> 24, count >>> 16, count >>> 8, count]);
  return bytes;
};

function chunkOf(chunks: Chunks, place: { offset: number; length: number }): Extent {
  return { kind: 'chunk', id: chunks.put(Buffer.from('evil'), 'data'), ...place };
}

/** Key order forbids what would be billions of entries in some nodes. */
function twice(chunks: Chunks): ListingRoot {
  const leaf = leafOf(chunks, [top, file('a')]);
  const branch = { key: bytesOf('/a' as BytePath), node: leaf.id, entries: 2 };
  return {
    id: putNode(chunks, { kind: 'listing', level: 1, branches: [branch, branch] }),
    level: 1,
    entries: 4,
  };
}

/** No node can name itself, since its id comes from its bytes; but one could name nodes as high as itself. */
function risen(chunks: Chunks): ListingRoot {
  let { id } = leafOf(chunks, [top]);
  for (let i = 0; i < 5; i++)
    id = putNode(chunks, {
      kind: 'listing',
      level: 3,
      branches: [{ key: bytesOf('/' as BytePath), node: id, entries: 1 }],
    });
  return { id, level: 3, entries: 1 };
}

for (const [what, code, make] of cases)
  test(`a home with ${what} is refused, and nothing around the target changes`, async () => {
    await assert.rejects(tried(make), { code });
  });

test('CVE-2026-62268: nothing is restored through a parent that is a link, whichever order the listing has', async () => {
  using sandbox = makeSandbox();
  for (const entries of [
    [top, link('p', sandbox.outside), folder('p'), file('p/file')],
    [top, link('p', sandbox.outside), file('p/file')],
    [top, folder('p'), link('p/q', '../../outside'), folder('p/q'), file('p/q/file')],
    [top, link('p', '../outside'), folder('p'), folder('p/folder'), file('p/folder/x')],
  ]) {
    await assert.rejects(
      tried(() => entries),
      { code: /STORE_DAMAGED|TARGET_FAILED/ },
    );
  }
});

test('restic 1445: a hard link is made to files of this restore alone, never to what a link leads to', async () => {
  const linked = { linked: true, inode: 5n };
  // A link and a file that claim to be one file: neither is what the other name leads to.
  await tried(
    (_, { outside }) => [top, link('a', `${outside}/file`, linked), file('b', linked), file('c', linked)],
    ({ target, outside }) => {
      assert.equal(statSync(`${target}/b`).nlink, 2);
      assert.equal(statSync(`${outside}/file`).nlink, 2); // with the second name that the sandbox gave it
      assert.equal(lstatSync(`${target}/b`).isFile(), true);
    },
  );
  // Two names of one link: a second name of the link itself.
  await tried(
    (_, { outside }) => [top, link('a', `${outside}/file`, linked), link('b', `${outside}/file`, linked)],
    ({ target }) => assert.equal(lstatSync(`${target}/b`).isSymbolicLink(), true),
  );
  // A file in a folder whose name another entry takes for a link.
  await assert.rejects(
    tried((_, { outside }) =>
      [top, folder('f'), file('f/a', linked), link('f', outside), file('z', linked)].sort((x, y) =>
        Buffer.compare(x.key, y.key),
      ),
    ),
    { code: 'TARGET_FAILED' },
  );
});

test('links lead where they say, and are never followed', async () => {
  await tried(
    (_, { outside }) => [top, link('x', outside), link('y', '/etc/passwd'), link('z', 'x')],
    ({ target }) => assert.deepEqual(readdirSync(target), ['x', 'y', 'z']),
  );
});

test('files that give rights, and devices, are told to root', {
  skip: isRoot ? false : 'as root only',
}, async () => {
  await tried(
    () => [top, device('d'), file('s', { mode: 0o4755 })],
    ({ target }, warnings) => {
      assert.equal(lstatSync(`${target}/d`).isBlockDevice(), true);
      assert.match(warnings.join('\n'), /1 files with set-id bits.* 1 devices/);
    },
  );
});

test('attributes that no backup has are not given back', async () => {
  const xattrs = [{ name: 'system.evil' as BytePath, value: 'x' as BytePath }];
  await tried(
    () => [top, file('a', { xattrs })],
    (_, warnings) => assert.match(warnings.join('\n'), /1 extended attributes were not restored/),
  );
});

const restored = (chunks: Chunks, { target }: Sandbox, listing: ListingRoot) =>
  restore({
    store: {
      ...chunks,
      beginReading: async () => ({ [Symbol.asyncDispose]: async () => {} }),
    } as unknown as Store,
    clock: systemClock,
    host: 'here',
    snapshot: {
      ...snapshotWith({ home: listing }),
      fence: { application: {} },
      configuration: '{}',
    } as never,
    home: target,
  });

for (const [what, extent, shape] of [
  ['4 PiB of one chunk', undefined, { levels: 24, fan: 4 }],
  ['bytes that come one by one', { kind: 'inline', bytes: Buffer.from('x') }, { levels: 25 - 1, fan: 4 }],
] as const)
  test(`a file of ${what} is refused before anything is written, and at once`, async () => {
    using sandbox = makeSandbox();
    const chunks = rawChunks();
    const bytes = new Uint8Array(16);
    const whole: Extent = extent ?? {
      kind: 'chunk',
      id: chunks.put(bytes, 'data'),
      offset: 0,
      length: bytes.length,
    };
    const listing = leafOf(chunks, [top, file('a', { content: bomb(chunks, whole, shape) })]);
    await assert.rejects(restored(chunks, sandbox, listing), { code: 'TARGET_FAILED' });
    assert.equal(existsSync(sandbox.target), false);
  });

test('what small pieces between holes take is counted in whole blocks', async () => {
  const chunks = rawChunks();
  const extents: Extent[] = Array.from({ length: 64 }, (_, i) =>
    i % 2 === 0 ? { kind: 'hole', length: 4_095 } : inline('x'),
  );
  let node = putNode(chunks, { kind: 'extents', level: 0, extents });
  let length = 32 * 4_096;
  for (let level = 1; level <= 8; level++) {
    const [below, each] = [node, length];
    node = putNode(chunks, {
      kind: 'extents',
      level,
      spans: Array.from({ length: 4 }, () => ({ node: below, length: each })),
    });
    length *= 4;
  }
  const listing = leafOf(chunks, [top, file('a', { content: { length, list: node } })]);
  assert.ok((await spaceOf(chunks, { listing })) >= 4 ** 8 * 32 * 4_096);
});

test('a file that is a hole of 8 PiB is made as one, or the file system says that it is too large', async () => {
  const hole = content({ kind: 'hole', length: 2 ** 53 - 1 });
  await tried(
    () => [top, file('a', { content: hole })],
    ({ target }) => assert.equal(statSync(`${target}/a`).size, 2 ** 53 - 1),
  ).catch((error: unknown) => assert.equal((error as { code: string }).code, 'TARGET_FAILED'));
});

test('a signal ends a restore that writes single bytes without end', async () => {
  using sandbox = makeSandbox();
  const chunks = rawChunks();
  const listing = leafOf(chunks, [
    top,
    file('a', { content: bomb(chunks, inline('x'), { levels: 16, fan: 4 }) }),
  ]);
  const signal = AbortSignal.timeout(50);
  await assert.rejects(restoreHome({ source: chunks, root: { listing }, target: sandbox.target, signal }), {
    name: 'TimeoutError',
  });
});

test('names that a terminal would act on are listed with escapes', async () => {
  const chunks = rawChunks();
  const listing = leafOf(chunks, [
    top,
    file('\x1b[2J'),
    file('a\nb'),
    file(bytePath(Buffer.from('\u202egpj.exe'))),
  ]);
  const { entries } = await listPath(chunks, {
    snapshot: snapshotWith({ home: listing }),
    path: '/srv/home',
    isDeep: true,
  });
  let count = 0;
  for await (const _ of entries) count++;
  assert.equal(count, 3); // how each is printed is checked by the fuzz, for every name
});
