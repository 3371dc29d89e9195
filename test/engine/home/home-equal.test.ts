import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { needLibc, sparse, takesXattrs } from '../../helpers/home-tree.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const libc = await needLibc();

const differences: Record<string, (root: string) => void> = {
  'a byte': root => appendFileSync(`${root}/file`, 'x'),
  'a mode': root => chmodSync(`${root}/file`, 0o600),
  'a nanosecond': root => libc.setTimeAt(0, Buffer.from(`${root}/file`), 1_000_000_000_000_000_002n),
  'a folder’s time': root => utimesSync(`${root}/folder`, 1, 1),
  'a link’s time': root => libc.setTimeAt(0, Buffer.from(`${root}/link`), 5n),
  'a link’s target': root => {
    unlinkSync(`${root}/link`);
    symlinkSync('other', `${root}/link`);
  },
  'a name': root => writeFileSync(`${root}/more`, ''),
  'a hard link': root => {
    unlinkSync(`${root}/hard`);
    writeFileSync(`${root}/hard`, 'content');
  },
  'a hole': root => sparse(`${root}/sparse`, { size: 1_000_000, data: [0, 500_000] }),
  'an attribute': root =>
    libc.setXattr(Buffer.from(`${root}/file`), { name: Buffer.from('user.a'), value: Buffer.from('2') }),
};

for (const [name, change] of Object.entries(differences)) {
  test(`two homes that differ in ${name} are not equal`, async t => {
    using scratch = scratchFolder();
    if (name === 'an attribute' && !(await takesXattrs(scratch.path))) {
      t.skip('no extended attributes on this file system');
      return;
    }
    const [left, right] = [`${scratch.path}/left`, `${scratch.path}/right`];
    for (const root of [left, right]) plant(root);
    await assertEqualHomes(left, right);
    change(right);
    for (const path of name.endsWith('time') || name === 'a nanosecond' ? [] : [right]) settle(path);
    await assert.rejects(assertEqualHomes(left, right), { code: 'ERR_ASSERTION' });
  });
}

function plant(root: string): void {
  mkdirSync(`${root}/folder`, { recursive: true });
  writeFileSync(`${root}/file`, 'content', { mode: 0o644 });
  linkSync(`${root}/file`, `${root}/hard`);
  symlinkSync('file', `${root}/link`);
  sparse(`${root}/sparse`, { size: 1_000_000, data: [0] });
  settle(root);
}

/** Gives everything one time, so that only the difference under test is left. */
function settle(root: string): void {
  for (const name of ['folder', 'file', 'hard', 'link', 'sparse', 'more', '.']) {
    try {
      libc.setTimeAt(0, Buffer.from(`${root}/${name}`), 1_000_000_000_000_000_001n);
    } catch {
      // not every difference leaves every name
    }
  }
}
