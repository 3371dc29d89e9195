import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Command } from '../../../engine/command/index.ts';
import type { HomeOptions } from '../../../engine/home/index.ts';
import { commandRuns } from '../../../engine/hooks.ts';
import { dropLeftViews, type FrozenHome, openFrozenHome } from '../../../engine/view/index.ts';
import { systemClock } from '../../../store/index.ts';
import { memoryChunks } from '../../helpers/memory-chunks.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const command = (run: string): Command => ({ run, timeoutMs: 60_000, name: null });

async function frozenIn(
  folder: string,
  { drop = 'rm -rf "$STILLPOINT_MOUNT"', ...home }: Partial<HomeOptions> & { drop?: string } = {},
): Promise<{ frozen: FrozenHome; mount: string; stateDir: string; warnings: string[] }> {
  const root = `${folder}/home`;
  if (!existsSync(root)) {
    mkdirSync(root);
    writeFileSync(`${root}/a`, 'a');
    writeFileSync(`${root}/b`, 'b');
  }
  const [mount, stateDir] = [`${folder}/view`, `${folder}/state`];
  const place = { instance: 'one', home: root, databaseUrl: null };
  const chunks = memoryChunks();
  const warnings: string[] = [];
  const frozen = await openFrozenHome({
    freeze: { take: [command('cp -a "$STILLPOINT_HOME" "$STILLPOINT_MOUNT"')], mount, drop: [command(drop)] },
    home: { root, sink: chunks, cuts: chunks.cuts, clock: systemClock, ...home },
    runs: commandRuns({ place, clock: systemClock }),
    place,
    stateDir,
    clock: systemClock,
    onProgress: () => undefined,
    onWarning: text => warnings.push(text),
  });
  return { frozen, mount, stateDir, warnings };
}

test('a view whose files give input errors is no home: a volume’s snapshot that ran full gives them', async () => {
  using scratch = scratchFolder();
  const statSeam: HomeOptions['statSeam'] = (path, stats, how) => {
    if (how === 'path' || !path.toString().endsWith('view/b')) return stats;
    throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5, syscall: 'read' });
  };
  const { frozen, mount } = await frozenIn(scratch.path, { statSeam });
  await frozen.prescan();
  await frozen.capture({ budgetBytes: 0 });
  await assert.rejects(frozen.finish(), { code: 'HOME_UNREADABLE' });
  await frozen[Symbol.asyncDispose]();
  assert.equal(existsSync(mount), false);
});

test('a view that was never taken is not dropped, and one that is dropped is forgotten', async () => {
  using scratch = scratchFolder();
  const early = await frozenIn(scratch.path, { drop: `touch ${scratch.path}/dropped` });
  await early.frozen.prescan();
  assert.equal(
    readdirSync(`${early.stateDir}/views`).length,
    1,
    'its record is there before anything is locked',
  );
  await early.frozen[Symbol.asyncDispose]();
  assert.equal(existsSync(`${scratch.path}/dropped`), false);
  assert.deepEqual(readdirSync(`${early.stateDir}/views`), []);

  const { frozen, stateDir, mount } = await frozenIn(scratch.path);
  await frozen.prescan();
  await frozen.capture({ budgetBytes: 0 });
  const left = await dropLeftViews({ stateDir, instance: 'one', clock: systemClock });
  assert.deepEqual(left, { dropped: [], left: [] }, 'that of a run that lives is left alone');
  const { files, changedInLatch } = await frozen.finish();
  assert.deepEqual({ files, changedInLatch }, { files: 2, changedInLatch: 0 });
  assert.deepEqual(await frozen.drop(), []);
  assert.deepEqual([existsSync(mount), readdirSync(`${stateDir}/views`)], [false, []]);
});

test('what drops a view settles those of earlier runs at the same place, whose own commands failed', async () => {
  using scratch = scratchFolder();
  const first = await frozenIn(scratch.path, { drop: 'rm -rf "$STILLPOINT_MOUNT"; exit 1' });
  await first.frozen.prescan();
  await first.frozen.capture({ budgetBytes: 0 });
  await first.frozen[Symbol.asyncDispose]();
  assert.equal(first.warnings.length, 1);
  const place = { stateDir: first.stateDir, instance: 'one', clock: systemClock };
  const { dropped, left } = await dropLeftViews(place);
  assert.deepEqual({ dropped, left: left.map(({ mount }) => mount) }, { dropped: [], left: [first.mount] });
  const second = await frozenIn(scratch.path);
  await second.frozen.prescan();
  await second.frozen.capture({ budgetBytes: 0 });
  assert.deepEqual(await second.frozen.drop(), []);
  assert.deepEqual(readdirSync(`${first.stateDir}/views`), []);
});
