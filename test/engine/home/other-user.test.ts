import assert from 'node:assert/strict';
import { chmodSync, chownSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { restoreHome } from '../../../engine/home/index.ts';
import { systemClock } from '../../../store/index.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind, isRoot, needLibc } from '../../helpers/home-tree.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

await needLibc(); // what is loaded later may lie where another user may not look

const skip = isRoot ? false : 'only root can become another user';
const nobody = 65534;

/** Runs the rest of a test as a user who owns nothing; the scratch folder is given to that user. */
function asNobody(folder: string): Disposable {
  chownSync(folder, nobody, nobody);
  process.setegid!(nobody);
  process.seteuid!(nobody);
  return {
    [Symbol.dispose]: () => {
      process.seteuid!(0);
      process.setegid!(0);
    },
  };
}

// lazily loaded parts, while this user may read them
await captureHome(new URL('.', import.meta.url).pathname);

test('a user’s own home comes back equal without root, and without a warning', { skip }, async () => {
  using scratch = scratchFolder();
  using _user = asNobody(scratch.path);
  await everyKind(`${scratch.path}/home`);
  chmodSync(`${scratch.path}/home/aa`, 0o400); // mode 000 shuts its owner out too
  const { chunks, result } = await captureHome(`${scratch.path}/home`);
  assert.deepEqual(result.unreadable, []);
  const { warnings } = await restoreHome({
    source: chunks,
    root: result.roots[0]!,
    target: `${scratch.path}/out`,
  });
  assert.deepEqual(warnings, []);
  await assertEqualHomes(`${scratch.path}/home`, `${scratch.path}/out`);
});

test('without root a restore gives modes and times back, and counts the owners in one warning', {
  skip,
}, async () => {
  using scratch = scratchFolder();
  await everyKind(`${scratch.path}/home`);
  const { chunks, result } = await captureHome(`${scratch.path}/home`);
  using _user = asNobody(scratch.path);
  const target = `${scratch.path}/out`;
  const { warnings, files } = await restoreHome({ source: chunks, root: result.roots[0]!, target });
  assert.equal(warnings.filter(warning => warning.startsWith('Owners of ')).length, 1);
  assert.equal(warnings.filter(warning => warning.includes('devices were not made')).length, 1);
  assert.equal(files, result.files - 2);
  assert.equal(statSync(`${target}/b`).uid, nobody);
  assert.equal(statSync(`${target}/b`, { bigint: true }).mtimeNs, 1_600_000_000_123_456_789n);
  assert.equal(
    statSync(`${target}/b`).mode & 0o7777,
    0o711,
    'a set-id bit would now lend this user’s rights',
  );
  assert.equal(statSync(`${target}/a-b`).mode & 0o7777, 0o2770);
});

test('what may not be read is named, and nothing else is lost', { skip }, async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  await everyKind(root);
  chmodSync(`${root}/zz`, 0o700);
  chmodSync(`${root}/a.txt`, 0o000);
  writeFileSync(`${root}/locked`, 'locked', { mode: 0o600 });
  chownSync(root, nobody, nobody); // who may then probe the file system's clock
  await systemClock.sleep(60); // old enough to be trusted, had it been read
  using _user = asNobody(scratch.path);
  const { entries, result } = await captureHome(root);
  const named = result.unreadable.map(line => line.slice(root.length + 1)).sort();
  assert.deepEqual(named, [
    'a-b: cannot be read (EACCES)',
    'a.txt: cannot be read (EACCES)',
    'aa: cannot be read (EACCES)',
    'b: cannot be read (EACCES)',
    'locked: cannot be read (EACCES)',
    'zz: cannot be read (EACCES)',
  ]);
  assert.equal(entries.has('locked'), false);
  assert.equal(entries.get('zz')!.kind, 'folder');
  assert.equal(entries.has('a/ref'), true);
});
