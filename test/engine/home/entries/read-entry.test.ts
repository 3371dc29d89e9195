import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHomeEntry, encodeHomeEntry, type HomeEntry } from '../../../../engine/home/entries/entry.ts';
import { homeEntryReader } from '../../../../engine/home/entries/read-entry.ts';
import type { BytePath } from '../../../../engine/home/paths.ts';
import { type Entry, StillpointError } from '../../../../store/index.ts';

const file: HomeEntry = {
  path: 'a/file' as BytePath,
  kind: 'file',
  mode: 0o640,
  uid: 1000,
  gid: 0xfffffffe,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 0n,
  inode: 42n,
  fileSystem: 0,
  xattrs: [],
  unsettled: false,
  linked: false,
  content: { length: 0, extents: [] },
};

test('the quick reader of entries says what the general one says', () => {
  const read = homeEntryReader();
  const entries: HomeEntry[] = [
    file,
    { ...file, linked: true, unsettled: true, fileSystem: 3, mtimeNs: -1n },
    { ...file, inode: 2n ** 64n - 1n },
    { ...file, path: 'a/..b/.c' as BytePath, kind: 'folder', content: undefined },
    { ...file, kind: 'link', target: 'there' as BytePath, content: undefined },
    { ...file, xattrs: [{ name: 'user.a' as BytePath, value: 'b' as BytePath }] },
    { ...file, path: 'n'.repeat(255) as BytePath },
  ];
  for (const entry of entries) {
    const encoded = encodeHomeEntry(entry);
    assert.deepEqual(read(encoded), decodeHomeEntry(encoded));
  }
});

test('what is no entry is refused by both readers of entries', () => {
  const read = homeEntryReader();
  const good = encodeHomeEntry(file);
  const paths = ['', 'a//b', './a', 'a/..', '../a', 'a/./b', 'a\0b', '/a', 'a/', 'n'.repeat(256)];
  const wrong: Entry[] = [
    ...paths.map(path => ({ ...good, key: Buffer.from(`/${path}`) })),
    { ...good, key: Buffer.from('a') },
    { ...good, contents: [] },
    encodeHomeEntry({ ...file, uid: 0xffffffff }),
    encodeHomeEntry({ ...file, gid: 0xffffffff }),
    encodeHomeEntry({ ...file, mode: 0o10000 }),
  ];
  for (const entry of wrong) {
    for (const decode of [read, decodeHomeEntry]) {
      assert.throws(
        () => decode(entry),
        error => error instanceof StillpointError && error.code === 'STORE_DAMAGED',
        Buffer.from(entry.key).toString('latin1'),
      );
    }
  }
});
