import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tarArchive, textFile } from '../../../engine/export/archive.ts';
import { exportTree } from '../../../engine/export/home.ts';
import { openSpool } from '../../../engine/export/spool.ts';
import { encodeHomeEntry, type HomeEntry } from '../../../engine/home/entries/entry.ts';
import type { BytePath } from '../../../engine/home/paths.ts';
import { ListingBuilder, systemSeams } from '../../../store/index.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind, isRoot } from '../../helpers/home-tree.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

test('GNU tar brings back a home with everything that files can be', async () => {
  using scratch = scratchFolder();
  const folder = scratch.path;
  const home = join(folder, 'h');
  await everyKind(home);
  const { chunks, result } = await captureHome(home);
  const pieces: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)) };
  await using sums = await openSpool(folder, systemSeams.randomness);
  const archive = tarArchive(sink, { top: 'top', mtimeNs: 0n, sums });
  await archive.put('made/name.txt', textFile('made\n'));
  await exportTree(archive, { source: chunks, listing: result.roots[0]!.listing, folder: 'home' });
  await archive.finish();
  writeFileSync(join(folder, 'a.tar'), Buffer.concat(pieces));

  const into = join(folder, 'x');
  mkdirSync(into);
  const args = [
    '-xpf',
    '../a.tar',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '--strip-components=1',
  ];
  execFileSync('tar', args, { cwd: into, stdio: 'pipe' });
  await assertEqualHomes(home, join(into, 'home'), {
    owners: isRoot,
    ignore: isRoot ? [] : ['null', 'disk'],
  });
  assert.equal(readFileSync(join(into, 'made/name.txt'), 'utf8'), 'made\n');
  execFileSync('sha256sum', ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: into, stdio: 'pipe' });
});

test('a listing with something below what is no folder is not exported', async () => {
  const plain = {
    ...{ mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, ctimeNs: 0n, inode: 1n, fileSystem: 0 },
    ...{ xattrs: [], unsettled: false, linked: false },
  };
  const empty = { length: 0, extents: [] };
  const entry = (path: string, kind: HomeEntry['kind']): HomeEntry => ({
    ...plain,
    ...{ path: path as BytePath, kind },
    ...(kind === 'file' && { content: empty }),
    ...(kind === 'link' && { target: '/etc' as BytePath }),
  });
  const outcome = async (...entries: readonly HomeEntry[]): Promise<unknown> => {
    const chunks = memoryChunks();
    const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
    for (const one of entries) await builder.add(encodeHomeEntry(one));
    const listing = await builder.finish();
    using scratch = scratchFolder();
    await using sums = await openSpool(scratch.path, systemSeams.randomness);
    const archive = tarArchive({ write: async () => undefined }, { top: 'top', mtimeNs: 0n, sums });
    const exporting = exportTree(archive, { source: chunks, listing, folder: 'home' });
    return exporting.then(
      () => 'done',
      error => (error as { code: string }).code,
    );
  };
  const root = entry('', 'folder');
  assert.equal(await outcome(root, entry('a', 'link'), entry('a/passwd', 'file')), 'STORE_DAMAGED');
  assert.equal(
    await outcome(root, entry('a', 'link'), entry('a!', 'file'), entry('a', 'folder')),
    'STORE_DAMAGED',
  );
  assert.equal(await outcome(root, entry('a/b/c', 'file')), 'STORE_DAMAGED');
  assert.equal(await outcome(entry('a', 'file')), 'STORE_DAMAGED');
  const whole = [
    root,
    entry('a', 'file'),
    entry('a!', 'folder'),
    entry('a!/b', 'link'),
    entry('ab', 'folder'),
  ];
  assert.equal(await outcome(...whole), 'done');
});
