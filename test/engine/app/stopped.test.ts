import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { stoppedApplication } from '../../../engine/app/index.ts';
import type { OtherSession } from '../../../engine/database/index.ts';
import { withLatch } from '../../../engine/latch/index.ts';
import { systemClock } from '../../../store/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const { signal } = new AbortController();
const scratch = scratchFolder();
const started: number[] = [];
/** Owns no process. */
const stranger = 54_321;
after(() => {
  for (const pid of started) process.kill(pid, 'SIGKILL');
  scratch[Symbol.dispose]();
});

/** Starts a command that does not descend from this process, as an application does not; its pid. */
function startStranger(command: string): number {
  const script = `(exec ${command}) >/dev/null 2>&1 </dev/null & echo $!`;
  const pid = Number(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }));
  started.push(pid);
  return pid;
}

function home(name: string): string {
  const root = join(realpathSync(scratch.path), name);
  mkdirSync(join(root, 'log'), { recursive: true });
  writeFileSync(join(root, 'log', 'app.log'), 'started\n');
  return root;
}

interface Found {
  readonly code?: string;
  readonly message?: string;
}

async function look(options: {
  readonly root?: string;
  readonly url?: string;
  readonly sessions?: readonly OtherSession[];
}): Promise<Found> {
  const { root, url = null, sessions } = options;
  const app = stoppedApplication({ home: root === undefined ? null : { root, dataStores: [] }, url });
  try {
    await app.checkStopped({
      database: sessions ? { otherSessions: async () => sessions } : null,
      signal,
    });
    return {};
  } catch (error) {
    return error as Found;
  }
}

describe('a stopped application', { skip: process.platform !== 'linux' }, () => {
  const uses: Readonly<Record<string, (root: string) => string>> = {
    'works in the home': root => `sh -c 'cd ${root}/log && exec sleep 60'`,
    'has a file of it open': root => `sh -c 'exec sleep 60 3>>${root}/log/app.log'`,
    'has a deleted file of it open': root =>
      `sh -c 'exec 3>${root}/log/gone && rm ${root}/log/gone && exec sleep 60'`,
    'runs a program of it': root =>
      `sh -c 'cp "$(command -v sleep)" ${root}/log/app && exec ${root}/log/app 60'`,
  };
  for (const [what, commandOf] of Object.entries(uses)) {
    test(`is not taken for stopped while a process ${what}; the process is named`, async () => {
      const root = home(`used-${started.length}`);
      assert.deepEqual(await look({ root }), {});
      const pid = startStranger(commandOf(root));
      let found: Found = {};
      for (let tries = 0; tries < 100 && found.code === undefined; tries++) {
        await systemClock.sleep(20);
        found = await look({ root });
      }
      assert.equal(found.code, 'APP_RUNNING');
      assert.match(found.message ?? '', new RegExp(`process ${pid} \\((sleep|app|sh)\\)`));
      assert.ok(found.message?.includes(root));
    });
  }

  test('is known by what its home is, not by the path that leads to it', async () => {
    const root = home('linked');
    const link = join(scratch.path, 'link');
    symlinkSync(root, link);
    startStranger(`sh -c 'cd ${root} && exec sleep 60'`);
    await systemClock.sleep(100);
    assert.equal((await look({ root: link })).code, 'APP_RUNNING');
    assert.deepEqual(await look({ root: home('linke') }), {}, 'nor by a name that begins like it');
  });

  test('is not told by what this process, or a child of it, does in the home', async () => {
    const root = home('own');
    const found = execFileSync('/bin/sh', ['-c', `cd ${root} && exec 3>>log/app.log && pwd`]);
    assert.ok(found.length > 0);
    const folder = process.cwd();
    process.chdir(root);
    try {
      assert.deepEqual(await look({ root }), {});
    } finally {
      process.chdir(folder);
    }
  });

  test('cannot be told from the processes of its owner by another user; the rest of what was not seen is said', {
    skip: process.getuid?.() !== 0 && 'only root can become another user',
  }, async () => {
    const theirs = home('theirs');
    const ours = home('ours');
    chmodSync(scratch.path, 0o755);
    chownSync(ours, stranger, stranger);
    process.setegid?.(stranger);
    process.seteuid?.(stranger);
    try {
      const denied = await look({ root: theirs });
      assert.equal(denied.code, 'APP_RUNNING');
      assert.match(denied.message ?? '', /cannot be looked into/);
      const app = stoppedApplication({ home: { root: ours, dataStores: [] }, url: null });
      assert.equal((await app.checkStopped({ database: null, signal })).length, 1);
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
  });

  test('has its port closed, and none of its clients in the database', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    const url = `http://127.0.0.1:${address.port}`;
    const open = await look({ url });
    assert.equal(open.code, 'APP_RUNNING');
    assert.ok(open.message?.includes(url));
    await new Promise(resolve => server.close(resolve));
    assert.deepEqual(await look({ url, sessions: [] }), {});
    const session = { pid: 4711, user: 'wiki', application: 'JDBC', address: '10.0.0.5' };
    const connected = await look({ url, sessions: [session] });
    assert.equal(connected.code, 'APP_RUNNING');
    for (const text of ['4711', 'wiki', 'JDBC', '10.0.0.5']) assert.ok(connected.message?.includes(text));
  });

  test('cannot be told by a name that is not known', async () => {
    assert.equal((await look({ url: 'http://nowhere.invalid:7990' })).code, 'APP_UNREACHABLE');
    assert.throws(() => stoppedApplication({ home: null, url: 'nonsense' }), { code: 'CONFIG_INVALID' });
  });

  test('that starts while it is captured ends the window; one that starts at its end leaves no result', async () => {
    for (const isAtEnd of [false, true]) {
      const sessions: OtherSession[] = [];
      const start = () => sessions.push({ pid: 1, user: 'wiki', application: '', address: '' });
      const held = withLatch(
        {
          app: stoppedApplication({ home: null, url: null }),
          database: { otherSessions: async () => sessions },
          stateDir: '/nowhere',
          instance: 'wiki',
          drainTimeoutMs: 1,
          maxHoldMs: 1,
          clock: systemClock,
        },
        async window => {
          start();
          if (isAtEnd) return;
          await new Promise((_, reject) =>
            window.signal.addEventListener('abort', () => reject(new Error('cut'))),
          );
        },
      );
      await assert.rejects(held, { code: 'APP_RUNNING' });
    }
  });
});
