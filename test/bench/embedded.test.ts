import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddedBinDir } from '../../bench/servers/embedded.ts';

/** A tree like the package's, a few bytes instead of 60 MB, inside a folder with the mode. */
function packageUnder(mode: number): { scratch: string; native: string } {
  const scratch = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));
  const native = join(scratch, 'private', 'native');
  for (const folder of ['bin', 'lib', 'share']) mkdirSync(join(native, folder), { recursive: true });
  for (const program of ['postgres', 'initdb'])
    writeFileSync(join(native, 'bin', program), '', { mode: 0o755 });
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library', { mode: 0o600 });
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links));
  chmodSync(scratch, 0o755);
  chmodSync(join(scratch, 'private'), mode);
  return { scratch, native };
}

const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, foreign: false };
const foreign = { uid: 65_534, gid: 65_534, foreign: true };

test('the package is used where it lies, and its library links are made', async () => {
  const { scratch, native } = packageUnder(0o700);
  try {
    assert.equal(await embeddedBinDir(native, scratch, own), join(native, 'bin'));
    assert.equal(await embeddedBinDir(native, scratch, own), join(native, 'bin'));
    assert.equal(readlinkSync(join(native, 'lib', 'libpq.so.5')), 'libpq.so.5.18');
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test('a package that the other account cannot enter is copied, readable and linked', async () => {
  const { scratch, native } = packageUnder(0o700);
  try {
    assert.equal(await embeddedBinDir(native, scratch, foreign), join(scratch, 'native', 'bin'));
    assert.equal(existsSync(join(native, 'lib', 'libpq.so.5')), false);
    assert.equal(readlinkSync(join(scratch, 'native', 'lib', 'libpq.so.5')), 'libpq.so.5.18');
    assert.equal(statSync(join(scratch, 'native', 'lib', 'libpq.so.5')).mode & 0o777, 0o644);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
