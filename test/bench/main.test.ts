import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const program = join(import.meta.dirname, '../../bench/instance/main.js');

test('as a program it says where it is, serves, and ends cleanly on SIGTERM, leaving nothing behind', async () => {
  const temporary = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));
  const child = spawn(process.execPath, [program, '--repositories', '2', '--writes-per-second', '30'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], TMPDIR: temporary, HOME: '' },
  });
  const ended = once(child, 'exit');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const told = JSON.parse(String(line)) as { url: string; pid: number; home: string; databaseUrl: string };
  assert.equal(told.pid, child.pid);
  assert.ok(existsSync(join(told.home, 'shared', 'bitbucket.properties')));
  assert.match(told.databaseUrl, /^postgresql:\/\/bitbucket:.+@127\.0\.0\.1:\d+\/bitbucket$/);
  assert.equal((await fetch(`${told.url}/status`)).status, 200);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(readdirSync(temporary), []);
  rmSync(temporary, { recursive: true });
});

test('as a program it says how it is used', () => {
  const help = spawnSync(process.execPath, [program, '--help'], { encoding: 'utf8' });
  assert.deepEqual([help.status, help.stderr], [0, '']);
  assert.match(help.stdout, /--writes-per-second N/);
  const wrong = spawnSync(process.execPath, [program, '--nonsense'], { encoding: 'utf8' });
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /^Usage: /m);
});
