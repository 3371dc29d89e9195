import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { checkClocks } from '../../../engine/doctor/clocks.ts';
import { checkHost } from '../../../engine/doctor/host.ts';
import { checkSentinel } from '../../../engine/doctor/sentinel.ts';
import { notStarted } from '../../../engine/latch/sentinel-link.ts';
import { type Clock, systemClock } from '../../../store/index.ts';
import { findingsOf, statesOf } from '../../helpers/findings.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const machine = (texts: Record<string, string>, nodeVersion = '22.1.0') =>
  statesOf(checkHost({ nodeVersion, readText: async path => texts[path] }));

test('an old Node fails; few files and little memory are warned of', async () => {
  assert.deepEqual(await machine({}), ['ok']);
  assert.deepEqual(await machine({}, '20.19.0'), ['ok']);
  assert.deepEqual(await machine({}, '20.18.3'), ['failed']);
  assert.deepEqual(await machine({}, '18.20.0'), ['failed']);
  const limits = (soft: number) =>
    `Max open files            ${soft}                 4096                 files\n`;
  assert.deepEqual(await machine({ '/proc/self/limits': limits(256) }), ['ok', 'warning']);
  assert.deepEqual(await machine({ '/proc/self/limits': limits(4_096) }), ['ok']);
  const memory = (mib: number) => ({ '/proc/meminfo': `MemFree: 1 kB\nMemAvailable:   ${mib * 1024} kB\n` });
  assert.deepEqual(await machine(memory(300)), ['ok', 'warning']);
  assert.deepEqual(await machine(memory(3_000)), ['ok']);
  assert.deepEqual(await machine({ ...memory(3_000), '/sys/fs/cgroup/memory.max': '268435456\n' }), [
    'ok',
    'warning',
  ]);
  assert.deepEqual(await machine({ ...memory(3_000), '/sys/fs/cgroup/memory.max': 'max\n' }), ['ok']);
});

test('a clock of long ago, or one that stands still, fails', async () => {
  const clocks = (clock: Clock) => statesOf(checkClocks({ clock, applicationUrl: null, database: null }));
  assert.deepEqual(await clocks(systemClock), ['ok']);
  assert.deepEqual(await clocks({ ...systemClock, nowMs: () => 1_000 }), ['failed']);
  assert.deepEqual(await clocks({ ...systemClock, monotonicMs: () => 5 }), ['failed']);
});

test('an application whose clock is more than 2 s apart is warned of, one that says nothing is not', async () => {
  let dateMs: number | null = systemClock.nowMs();
  const server = createServer((_request, response) => {
    response.sendDate = false;
    if (dateMs !== null) response.setHeader('Date', new Date(dateMs).toUTCString());
    response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const applicationUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clocks = async () => statesOf(checkClocks({ clock: systemClock, applicationUrl, database: null }));
  try {
    dateMs = systemClock.nowMs();
    assert.deepEqual(await clocks(), ['ok']);
    for (const apartMs of [-5_000, 5_000]) {
      dateMs = systemClock.nowMs() + apartMs;
      assert.deepEqual(await clocks(), ['warning'], String(apartMs));
    }
    dateMs = null;
    assert.deepEqual(await clocks(), ['ok']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  assert.deepEqual(await clocks(), ['ok'], 'that it is down is told elsewhere');
});

test('a sentinel is started and ended, and nothing is written', async () => {
  using scratch = scratchFolder();
  const stateDir = scratch.path;
  assert.deepEqual(await statesOf(checkSentinel({ stateDir, clock: systemClock })), ['ok']);
  assert.deepEqual(readdirSync(stateDir), []);
});

test('a sentinel that cannot be started fails', async () => {
  const start = () => Promise.reject(notStarted(new Error('no processes left')));
  const [finding] = await findingsOf(checkSentinel({ stateDir: '/nowhere', clock: systemClock, start }));
  assert.equal(finding?.state, 'failed');
  assert.ok(finding?.remedy);
});
