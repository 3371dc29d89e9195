import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { FileSystemProbe, StatSeam, Stats } from '../../../engine/home/index.ts';
import { probeName } from '../../../engine/home/walk/clocks.ts';
import { systemClock } from '../../../store/index.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const onNfs: FileSystemProbe = (_path, facts) => ({ ...facts, type: 'nfs', cached: true });

/** A client that shows what it saw first, until the file is opened: an attribute cache that never runs out. */
function attributeCache(): StatSeam {
  const seen = new Map<string, Stats>();
  return (path, stats, how) => {
    const key = path.toString('latin1');
    if (how === 'open' || !seen.has(key)) seen.set(key, stats);
    return seen.get(key)!;
  };
}

function plant(root: string): void {
  mkdirSync(`${root}/repo/refs/heads/deep`, { recursive: true });
  mkdirSync(`${root}/repo/objects`);
  for (const name of ['HEAD', 'packed-refs', 'refs/heads/main', 'refs/heads/deep/x', 'description']) {
    writeFileSync(`${root}/repo/${name}`, 'before'.padEnd(41));
  }
  writeFileSync(`${root}/attachment`, 'before');
}

const change = (root: string) => (): void => {
  for (const name of ['repo/HEAD', 'repo/packed-refs', 'repo/refs/heads/main', 'repo/refs/heads/deep/x']) {
    writeFileSync(`${root}/${name}`, 'after'.padEnd(41));
  }
  writeFileSync(`${root}/repo/description`, 'after'.padEnd(41));
  writeFileSync(`${root}/attachment`, 'after!');
};

test('a home on a network file system is refused unless its answers can be trusted', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await assert.rejects(captureHome(scratch.path, { fileSystemSeam: onNfs }), { code: 'HOME_UNREADABLE' });
  const coherent = await captureHome(scratch.path, {
    fileSystemSeam: (path, facts) => ({ ...onNfs(path, facts), cached: false }),
  });
  assert.deepEqual(coherent.result.unreadable, []);
});

test('with late attributes nothing that changed is missed when files are opened again', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await systemClock.sleep(60);
  const { text } = await captureHome(scratch.path, {
    fileSystemSeam: onNfs,
    networkHome: 'reread',
    statSeam: attributeCache(),
    beforeWindow: change(scratch.path),
  });
  for (const name of ['HEAD', 'packed-refs', 'refs/heads/main', 'refs/heads/deep/x', 'description']) {
    assert.equal(await text(`repo/${name}`), 'after'.padEnd(41), name);
  }
  assert.equal(await text('attachment'), 'after!');
});

test('the same late attributes fool a home that is taken for a local one', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await systemClock.sleep(60);
  const { text } = await captureHome(scratch.path, {
    statSeam: attributeCache(),
    beforeWindow: change(scratch.path),
  });
  assert.equal(await text('repo/refs/heads/main'), 'before'.padEnd(41));
});

test('on a network file system every ref is read in the window, other files only opened', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await systemClock.sleep(60);
  let read: string[] = [];
  await captureHome(scratch.path, {
    fileSystemSeam: onNfs,
    networkHome: 'reread',
    readSeam: (path, moment) => {
      if (moment === 'opened') read.push(path.toString().slice(scratch.path.length + 1));
    },
    beforeWindow: () => {
      read = [];
    },
  });
  assert.deepEqual(read, ['repo/HEAD', 'repo/packed-refs', 'repo/refs/heads/deep/x', 'repo/refs/heads/main']);
});

test('a server whose clock went back is not trusted', async () => {
  using scratch = scratchFolder();
  plant(scratch.path);
  await systemClock.sleep(60);
  let late = false;
  const { result } = await captureHome(scratch.path, {
    fileSystemSeam: onNfs,
    networkHome: 'reread',
    statSeam: (path, stats) =>
      late && path.toString().endsWith(probeName)
        ? { ...stats, mtimeNs: stats.mtimeNs - 10_000_000_000n }
        : stats,
    beforeWindow: () => {
      late = true;
    },
  });
  assert.equal(result.changedInLatch, 6);
});
