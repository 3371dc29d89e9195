import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeOddFiles } from '../../bench/instance/index.ts';

test('one of every odd kind of file is made', async t => {
  const home = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));
  try {
    const { folder, made, refused } = await writeOddFiles(home);
    for (const reason of refused) t.diagnostic(`not here: ${reason}`);
    const is = (name: string) => lstatSync(join(folder, name));
    assert.ok(made.length >= 7);
    assert.ok(is('dangling').isSymbolicLink() && is('empty-folder').isDirectory() && is('empty').size === 0);
    assert.equal(is('plain').nlink, 3);
    assert.ok(is('sparse').blocks * 512 < is('sparse').size);
    assert.equal(is('mode-4711').mode & 0o7777, 0o4711);
    assert.equal(is('before-1970').mtimeMs, -86_400_000);
    const names = readdirSync(folder, { encoding: 'buffer' }).map(name => name.toString('latin1'));
    assert.ok(names.includes('latin1-\xe4\xf6\xfc'));
  } finally {
    rmSync(home, { recursive: true });
  }
});
