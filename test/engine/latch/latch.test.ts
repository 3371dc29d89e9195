import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { bitbucket } from '../../../engine/app/index.ts';
import { withLatch } from '../../../engine/latch/index.ts';
import { systemClock } from '../../../store/index.ts';
import { ScriptedApp } from './scripted-app.ts';

test('a latch locks, drains, runs the body, and unlocks', async () => {
  const server = new ScriptedApp();
  await server.listen();
  const stateDir = await mkdtemp(path.join(tmpdir(), 'latch-'));
  const app = bitbucket({ type: 'bitbucket', url: server.url, user: 'admin', password: 'se cret' });
  try {
    const { result, fence } = await withLatch(
      { app, stateDir, instance: 'i', drainTimeoutMs: 5000, maxHoldMs: 10000, clock: systemClock },
      async window => {
        assert.ok(server.isLocked);
        window.progress(50);
        return 7;
      },
    );
    assert.equal(result, 7);
    assert.equal(server.isLocked, false);
    assert.equal(fence.kind, 'latched');
    assert.deepEqual(await readdir(path.join(stateDir, 'latches')), []);
  } finally {
    await app.close();
    await server.close();
    await rm(stateDir, { recursive: true });
  }
});
