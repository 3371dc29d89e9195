import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHomeEntry, type HomeEntry } from '../../../../engine/home/entries/entry.ts';
import { type Selected, selectedEntries } from '../../../../engine/home/entries/select.ts';
import { type BytePath, bytesOf } from '../../../../engine/home/paths.ts';
import { restoreHome } from '../../../../engine/home/restore/restore.ts';
import { type Entry, ListingBuilder, type ListingRoot } from '../../../../store/index.ts';
import { collect } from '../../../helpers/collect.ts';
import { type MemoryChunks, memoryChunks } from '../../../helpers/memory-chunks.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const bare = {
  ...{ mode: 0o755, uid: process.geteuid!(), gid: process.getegid!(), mtimeNs: 0n, ctimeNs: 0n, inode: 1n },
  ...{ fileSystem: 0, xattrs: [], unsettled: false, linked: false },
};
const folder = (path: string): HomeEntry => ({ ...bare, path: path as BytePath, kind: 'folder' });
const file = (path: string): HomeEntry => ({
  ...{ ...bare, path: path as BytePath, kind: 'file' },
  content: { length: 0, extents: [] },
});
const link = (path: string, target: string): HomeEntry => ({
  ...{ ...bare, path: path as BytePath, kind: 'link' },
  target: target as BytePath,
});
const withKey = (entry: HomeEntry, key: string): Entry => ({
  ...encodeHomeEntry(entry),
  key: bytesOf(key as BytePath),
});

async function listingOf(
  chunks: MemoryChunks,
  entries: readonly (HomeEntry | Entry)[],
): Promise<ListingRoot> {
  const builder = new ListingBuilder(chunks, {
    ...chunks.cuts.nodes,
    minBytes: 128,
    averageBytes: 256,
    maxBytes: 1024,
  });
  const encoded = entries.map(entry => ('key' in entry ? entry : encodeHomeEntry(entry)));
  for (const entry of encoded.sort((a, b) => Buffer.compare(a.key, b.key))) await builder.add(entry);
  return builder.finish();
}

async function restoreSelected(
  target: string,
  { entries, selected }: { entries: readonly (HomeEntry | Entry)[]; selected: readonly Selected[] },
) {
  const chunks = memoryChunks();
  const root = { listing: await listingOf(chunks, entries) };
  return restoreHome({ source: chunks, root, selected, target });
}

const selectedFile = (path: string): Selected => ({ path: path as BytePath, kind: 'file' });
const selectedFolder = (path: string): Selected => ({ path: path as BytePath, kind: 'folder' });

test('a hostile name below a wanted folder is refused, and nothing is written outside', async () => {
  for (const key of ['/a/../../evil', '/a/./evil', '/a//evil', '/a/ev\0il', `/a/${'e'.repeat(256)}`]) {
    using scratch = scratchFolder();
    const entries = [folder(''), folder('a'), withKey(file('evil'), key)];
    const restoring = restoreSelected(`${scratch.path}/in/target`, {
      entries,
      selected: [selectedFolder('a')],
    });
    await assert.rejects(restoring, { code: 'STORE_DAMAGED' }, key);
    assert.deepEqual([readdirSync(scratch.path), readdirSync(`${scratch.path}/in`)], [['in'], ['target']]);
  }
});

test('nothing is written through a link that stands where a wanted thing has its folder', async () => {
  using scratch = scratchFolder();
  const outside = `${scratch.path}/outside`;
  mkdirSync(outside);
  const without = [folder(''), link('door', outside), withKey(file('evil'), '/door/evil')];
  const lacking = restoreSelected(`${scratch.path}/1`, {
    entries: without,
    selected: [selectedFile('door/evil')],
  });
  await assert.rejects(lacking, { code: 'STORE_DAMAGED' });
  const both = [folder(''), link('door', outside), folder('door'), file('door/evil')];
  const selected = [selectedFile('door'), selectedFile('door/evil')];
  const through = restoreSelected(`${scratch.path}/2`, { entries: both, selected });
  await assert.rejects(through, { code: 'TARGET_FAILED' });
  assert.deepEqual(readdirSync(outside), []);
  await restoreSelected(`${scratch.path}/3`, { entries: both, selected: [selectedFile('door/evil')] });
  assert.equal(existsSync(`${scratch.path}/3/door/evil`), true);
  assert.deepEqual(readdirSync(outside), []);
});

test('a selection gives its things once, with all below and the folders above, in the order of the listing', async () => {
  const names = fc.constantFrom('a', 'b', 'a-b', 'a.', 'B', '~');
  const path = fc.array(names, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(path, { maxLength: 25 }),
      fc.array(fc.nat(), { maxLength: 5 }),
      async (paths, picks) => {
        const folders = new Set(['']);
        for (const one of paths)
          for (let i = one.indexOf('/'); i > 0; i = one.indexOf('/', i + 1)) folders.add(one.slice(0, i));
        const files = new Set(paths.filter(one => !folders.has(one)));
        const entries = [...[...folders].map(folder), ...[...files].map(file)];
        const selected = picks.map(pick => entries[pick % entries.length]!);
        const chunks = memoryChunks();
        const listing = await listingOf(chunks, entries);
        const found = (await collect(selectedEntries(chunks, { listing, selected }))).map(({ key }) =>
          String(Buffer.from(key)),
        );
        const isWanted = ({ path: one }: HomeEntry) =>
          selected.some(
            ({ path: wanted, kind }) =>
              wanted === one ||
              `${wanted}/`.startsWith(one === '' ? '' : `${one}/`) ||
              (kind === 'folder' && (wanted === '' || one.startsWith(`${wanted}/`))),
          );
        const expected = entries
          .filter(isWanted)
          .map(entry => encodeHomeEntry(entry).key)
          .sort(Buffer.compare);
        assert.deepEqual(
          found,
          expected.map(key => String(Buffer.from(key))),
        );
      },
    ),
    { numRuns: 100 },
  );
});
