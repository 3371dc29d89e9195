import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openHome, restoreHome } from '../../../engine/home/index.ts';
import { systemClock } from '../../../store/index.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind, isRoot, takesXattrs } from '../../helpers/home-tree.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

test('a home of every kind of file comes back equal', async t => {
  using scratch = scratchFolder();
  const source = `${scratch.path}/source`;
  await everyKind(source);
  if (!(await takesXattrs(scratch.path))) t.diagnostic('no extended attributes on this file system');
  const chunks = memoryChunks();
  await using home = await openHome({ root: source, sink: chunks, cuts: chunks.cuts, clock: systemClock });
  await home.prescan();
  await home.capture({ budgetBytes: 1 << 20 });
  const result = await home.finish();
  assert.deepEqual(result.unreadable, []);
  const restored = await restoreHome({
    source: chunks,
    root: result.roots[0]!,
    target: `${scratch.path}/target`,
  });
  assert.deepEqual(restored.warnings, []);
  assert.equal(restored.files, result.files);
  assert.equal(restored.folders, result.folders);
  await assertEqualHomes(source, `${scratch.path}/target`);
  if (!isRoot) t.diagnostic('owners and devices are tried as root only');
});
