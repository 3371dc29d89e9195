import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tarArchive, textFile } from '../../../engine/export/archive.ts';
import { exportTree } from '../../../engine/export/home.ts';
import { openSpool } from '../../../engine/export/spool.ts';
import { systemSeams } from '../../../store/index.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind, isRoot } from '../../helpers/home-tree.ts';
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
