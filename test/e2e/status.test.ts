import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ended, type Rig, runHere } from '../../bench/rig/index.ts';
import { systemSeams } from '../../store/index.ts';
import { sentinelOf } from '../helpers/processes.ts';
import { backUpAndStopAt, failureOf, smallRig, until } from '../helpers/small-rig.ts';
import { filesBelow } from '../helpers/tree.ts';

const hourMs = 3_600_000;

describe('stillpoint status', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  before(async () => {
    rig = await smallRig({ repositories: 2, files: 40, rows: 200, inProcess: true });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** With a clock that is so many hours ahead. */
  const statusOf = (
    args: readonly string[],
    { aheadMs = 0, env = {} }: { aheadMs?: number; env?: Record<string, string> } = {},
  ): Promise<Ended> => {
    const clock = { ...systemSeams.clock, nowMs: () => systemSeams.clock.nowMs() + aheadMs };
    return runHere(['status', ...args], {
      ...{
        env: { ...rig.env, ...env },
        cwd: 'HOME' in env ? rig.store : rig.folder,
        seams: { ...systemSeams, clock },
      },
    });
  };
  const summaryOf = async (args: readonly string[] = []) => {
    const { json, stdout } = await statusOf(['--json', ...args]);
    assert.equal(stdout.split('\n').length, 2, 'one document');
    return json.at(-1) as {
      instances: { instance: string; newest: { id: string }; ageMs: number; overdue: boolean | null }[];
      running: { instance: string; pid: number; phase: string }[];
      locks: { pid: number; running: boolean; token: boolean }[];
      application: { serving: boolean; lockedBy: string | null; version: string | null } | null;
      ok: boolean;
    };
  };

  test('before the first backup nothing is known, and with a limit that is too old', async () => {
    const { instances, running, locks, application, ok } = await summaryOf();
    assert.deepEqual(
      [instances, running, locks, ok],
      [
        [{ instance: 'bitbucket', newest: null, newestProven: null, ageMs: null, overdue: null }],
        [],
        [],
        true,
      ],
    );
    assert.deepEqual([application?.serving, application?.lockedBy], [true, null]);
    assert.equal((await statusOf(['--max-age', '26h'])).code, 22);
    assert.equal((await statusOf(['--max-age', '26h'], { env: withoutConfig() })).code, 22);
  });

  const withoutConfig = () => ({
    ...{ STILLPOINT_CONFIG: '', HOME: rig.store, STILLPOINT_STORE: rig.store },
    STILLPOINT_PASSPHRASE_FILE: join(rig.folder, 'passphrase'),
  });

  test('is done while the newest pair is young enough, and 22 once it is not', async () => {
    await rig.summary(['backup', '--json']);
    for (const env of [{}, withoutConfig()]) {
      const cwd = { env };
      assert.equal((await statusOf(['--max-age', '26h'], cwd)).code, 0);
      assert.equal((await statusOf(['--max-age', '26h'], { ...cwd, aheadMs: 25 * hourMs })).code, 0);
      assert.equal((await statusOf(['--max-age', '26h'], { ...cwd, aheadMs: 27 * hourMs })).code, 22);
      assert.equal((await statusOf([], { ...cwd, aheadMs: 999 * hourMs })).code, 0);
      // a clock that was set back: the pair is from the future
      assert.equal((await statusOf(['--max-age', '26h'], { ...cwd, aheadMs: -2 * hourMs })).code, 22);
    }
    assert.equal((await statusOf(['--max-age', '26h', '--instance', 'another'])).code, 22);
    assert.deepEqual(failureOf(await statusOf(['--json', '--max-age', 'soon'])), { exit: 2, code: 'USAGE' });
    const { instances, ok } = await summaryOf(['--max-age', '26h']);
    assert.deepEqual([instances[0]?.overdue, ok], [false, true]);
  });

  test('without a configuration the limit holds for each instance of a store', async () => {
    const file = join(rig.folder, 'other.yaml');
    writeFileSync(
      file,
      `instance: other\nstore: ${rig.store}\npassphraseFile: passphrase\nhome: { path: little }`,
    );
    mkdirSync(join(rig.folder, 'little'));
    await rig.summary(['backup', '--json'], { env: { STILLPOINT_CONFIG: file } });
    const { json, code } = await statusOf(['--max-age', '26h', '--json'], { env: withoutConfig() });
    const found = json.at(-1)!['instances'] as { instance: string; overdue: boolean }[];
    assert.deepEqual(
      [code, found.map(one => [one.instance, one.overdue])],
      [
        0,
        [
          ['bitbucket', false],
          ['other', false],
        ],
      ],
    );
    // with one it holds for its own
    const { instances } = await summaryOf(['--max-age', '26h']);
    assert.deepEqual(
      instances.map(one => one.overdue),
      [false, null],
    );
  });

  test('says who runs, in which phase, and that it locks', async () => {
    const program = await backUpAndStopAt(rig, 'capture');
    const before = filesBelow(rig.store);
    const { running, locks, application, ok } = await summaryOf();
    const [run] = running;
    assert.deepEqual([run?.instance, run?.pid, run?.phase], ['bitbucket', program.pid, 'capture']);
    assert.deepEqual(
      [locks[0]?.pid, locks[0]?.running, locks[0]?.token, application?.lockedBy, ok],
      [program.pid, true, true, 'run', true],
    );
    assert.match((await statusOf([])).stdout, /^running .*\bcapture\b/m);
    assert.deepEqual(filesBelow(rig.store), before, 'nothing was written in the store');
    assert.equal(rig.instance.isLocked, true);
    program.kill('SIGTERM');
    await program.ended;
  });

  test('names the lock of a dead run, and what releases it', async () => {
    const program = await backUpAndStopAt(rig, 'capture');
    program.kill('SIGSTOP');
    process.kill(sentinelOf(program.pid)!, 'SIGKILL');
    program.kill('SIGKILL');
    await program.ended;
    const { running, locks, application, ok } = await summaryOf();
    assert.deepEqual([running, locks[0]?.running, application?.lockedBy, ok], [[], false, 'dead-run', false]);
    assert.match((await statusOf([])).stdout, /stillpoint unlock/);
    // A monitor hears of it by the code: people are locked out.
    const monitored = await statusOf(['--max-age', '26h', '--json']);
    assert.deepEqual(failureOf(monitored), { exit: 21, code: 'APP_STILL_LOCKED' });
    await rig.summary(['unlock', '--json']);
    assert.equal((await summaryOf()).ok, true);
  });

  test('tells a lock of somebody else from an application that is down', async () => {
    const authorization = `Basic ${Buffer.from(`${rig.instance.admin.user}:${rig.instance.admin.password}`).toString('base64')}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const url = `${rig.instance.url}/mvc/maintenance/lock`;
    const answer = await fetch(url, { method: 'POST', headers });
    const { unlockToken } = (await answer.json()) as { unlockToken: string };
    const { application, ok } = await summaryOf();
    assert.deepEqual([application?.serving, application?.lockedBy, ok], [false, 'other', false]);
    await fetch(`${url}?token=${unlockToken}`, { method: 'DELETE', headers });
    const restarted = rig.instance.restart({ downMs: 1_500 });
    const down = await summaryOf();
    assert.deepEqual([down.application?.serving, down.application?.lockedBy], [false, null]);
    assert.ok(down.instances.length > 0);
    await restarted;
    await until(async () => (await summaryOf()).ok, 'it serves again');
  });

  test('a store that cannot be opened is an error after what is known here', async () => {
    for (const [env, exit, code] of [
      [{ STILLPOINT_STORE: join(rig.folder, 'nowhere') }, 10, 'STORE_MISSING'],
      [{ STILLPOINT_PASSPHRASE: 'wrong' }, 12, 'STORE_WRONG_PASSPHRASE'],
    ] as const) {
      const ended = await statusOf(['--json', '--max-age', '26h'], { env });
      assert.deepEqual(failureOf(ended), { exit, code });
      const { instances, application, ok } = ended.json.at(-1)!;
      assert.deepEqual([instances, ok], [[], false]);
      assert.equal((application as { serving: boolean }).serving, true);
    }
  });

  test('a manifest that cannot be read proves nothing, and is 20', async () => {
    const copy = join(rig.folder, 'damaged');
    cpSync(rig.store, copy, { recursive: true });
    for (const name of readdirSync(join(copy, 'manifests'))) {
      writeFileSync(join(copy, 'manifests', name), 'no manifest at all');
    }
    const env = { STILLPOINT_STORE: copy };
    assert.equal((await statusOf([], { env })).code, 20);
    assert.equal((await statusOf(['--max-age', '26h'], { env })).code, 22);
  });
});
