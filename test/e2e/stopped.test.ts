import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkPair } from '../../bench/instance/index.ts';
import type { Rig } from '../../bench/rig/index.ts';
import { backUpAndStopAt, failureOf, manifestsOf, restoreInto, smallRig } from '../helpers/small-rig.ts';

const program = fileURLToPath(new URL('../../bench/instance/main.js', import.meta.url));

describe('the cold backup', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let env: { STILLPOINT_CONFIG: string };

  /** The rig's configuration with another application, and without one of its halves. */
  function configure(app: string, without = 'nothing'): { STILLPOINT_CONFIG: string } {
    const lines = readFileSync(rig.configFile, 'utf8').split('\n');
    const kept = lines.filter(line => !line.startsWith('app:') && !line.startsWith(`${without}:`));
    const file = join(rig.folder, `stopped-without-${without}.yaml`);
    writeFileSync(file, [...kept, app].join('\n'));
    return { STILLPOINT_CONFIG: file };
  }

  before(async () => {
    rig = await smallRig({ inProcess: true });
    env = configure(`app: { type: stopped, url: "${rig.instance.url}" }`);
    await rig.instance.stop(); // the one in this process
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** The application as a program of its own, on the address that is configured. */
  async function startApplication() {
    const { port, home, databaseUrl } = rig.instance;
    const args = ['--home', home, '--database', databaseUrl, '--port', `${port}`, '--until-eof'];
    const child = spawn(process.execPath, [program, ...args], {
      cwd: home,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const end = async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    };
    return { pid: child.pid ?? 0, end, [Symbol.asyncDispose]: end };
  }

  test('takes the pair while the application is down, and says so', async () => {
    const summary = await rig.summary(['backup', '--json'], { env });
    assert.equal(summary['fence'], 'stopped');
    assert.equal((summary['latch'] as { heldMs: number }).heldMs, 0);
    const { home, databaseUrl } = await restoreInto(rig, 'cold');
    assert.deepEqual((await checkPair({ home, databaseUrl })).disagreements, []);
    assert.match((await rig.program(['show', 'latest'])).stdout, /^fence {6}stopped/m);
    assert.match((await rig.program(['snapshots'])).stdout, /stopped/);
    assert.equal((await rig.program(['verify'])).code, 0);
  });

  test('refuses while it runs, and names its process, its port and its sessions', async () => {
    await using application = await startApplication();
    const manifests = manifestsOf(rig);
    // As a process: what it started itself is no application, and this process started both.
    const ended = await rig.program(['backup', '--json'], { env, program: 'stillpoint' });
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'APP_RUNNING' });
    assert.match(ended.stderr, new RegExp(`process ${application.pid} \\(`));
    assert.ok(ended.stderr.includes(rig.instance.url));
    assert.match(ended.stderr, /database session \d+ /);
    assert.deepEqual(manifestsOf(rig), manifests);
  });

  test('discards the pair when the application was started before the end', async () => {
    const manifests = manifestsOf(rig);
    const backup = await backUpAndStopAt(rig, 'fence', { env });
    await using _application = await startApplication();
    backup.tell('go on');
    assert.deepEqual(failureOf(await backup.ended), { exit: 1, code: 'APP_RUNNING' });
    assert.deepEqual(manifestsOf(rig), manifests);
  });

  test('works with half of a pair, and copies all in the window when told to', async () => {
    const app = `app: { type: stopped, url: "${rig.instance.url}" }`;
    for (const [without, args] of [
      ['home', []],
      ['database', []],
      ['nothing', ['--hold-until', 'durable']],
    ] as const) {
      const { fence } = await rig.summary(['backup', '--json', ...args], {
        env: configure(app, without),
      });
      assert.equal(fence, 'stopped');
    }
  });
});
