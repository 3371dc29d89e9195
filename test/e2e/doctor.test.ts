import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ended, type Rig, runHere } from '../../bench/rig/index.ts';
import type { DoctorSeams, Finding } from '../../engine/index.ts';
import { sentinelOf } from '../helpers/processes.ts';
import { backUpAndStopAt, smallRig } from '../helpers/small-rig.ts';
import { filesBelow } from '../helpers/tree.ts';

describe('stillpoint doctor', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let noUnits: DoctorSeams;
  before(async () => {
    rig = await smallRig({ repositories: 2, files: 40, rows: 200 });
    chmodSync(rig.configFile, 0o600); // it holds a password
    noUnits = { unitFolders: [join(rig.folder, 'units')] };
    await rig.summary(['backup', '--json']);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const doctor = (
    args: readonly string[] = [],
    { env = {}, seams = noUnits }: { env?: Record<string, string>; seams?: DoctorSeams } = {},
  ): Promise<Ended> =>
    runHere(['doctor', '--json', ...args], {
      ...{ env: { ...rig.env, ...env }, cwd: rig.folder, doctorSeams: seams },
    });
  const findingsOf = ({ json }: Ended) => json.at(-1)!['findings'] as Finding[];
  /** What is wrong, as `state check`. */
  const wrong = (ended: Ended) =>
    findingsOf(ended)
      .filter(({ state }) => state !== 'ok')
      .map(({ state, check }) => `${state} ${check}`);
  const failedChecks = (ended: Ended) => wrong(ended).filter(one => one.startsWith('failed'));

  /** With another configuration. */
  const withConfig = async (
    change: (text: string) => string,
    args: readonly string[] = [],
  ): Promise<Ended> => {
    const file = join(rig.folder, 'changed.yaml');
    writeFileSync(file, change(readFileSync(rig.configFile, 'utf8')), { mode: 0o600 });
    return doctor(args, { env: { STILLPOINT_CONFIG: file } });
  };

  test('a set-up that will do ends with 0, and nothing is changed', async () => {
    const before = filesBelow(rig.folder);
    const writes = () => rig.instance.calls.filter(({ method }) => method !== 'GET').length;
    const writesBefore = writes();
    const ended = await doctor();
    assert.equal(ended.code, 0, ended.stdout);
    assert.equal(ended.json.at(-1)?.['ok'], true);
    assert.deepEqual(failedChecks(ended), []);
    const checks = new Set(findingsOf(ended).map(({ check }) => check));
    for (const check of [
      'configuration',
      'secrets',
      'state folder',
      'store',
      'store place',
      'home',
      'database',
    ])
      assert.ok(checks.has(check), check);
    for (const check of ['connections', 'application', 'clocks', 'sentinel', 'leftovers', 'host', 'pg_dump'])
      assert.ok(checks.has(check), check);
    assert.deepEqual(withoutLogs(filesBelow(rig.folder)), withoutLogs(before));
    assert.equal(rig.instance.isLocked, false);
    assert.equal(writes(), writesBefore, 'nothing but questions to the application');
  });

  /** The application writes its own. */
  const withoutLogs = (files: Map<string, string>) =>
    new Map([...files].filter(([name]) => !/^home\/(.*\/)?log\//.test(name)));

  test('each half is looked at, whatever is wrong with the others', async () => {
    const lost = await withConfig(text =>
      text.replace('passphraseFile: passphrase', 'passphraseFile: absent'),
    );
    assert.deepEqual([lost.code, failedChecks(lost)], [1, ['failed secrets', 'failed store']]);
    const noPassword = await withConfig(text => text.replace(/password: \w+/, 'passwordFile: absent'));
    assert.deepEqual(failedChecks(noPassword), ['failed configuration', 'failed secrets']);
    assert.ok(findingsOf(noPassword).some(({ check, state }) => check === 'database' && state === 'ok'));
    const noHome = await withConfig(text => text.replace(/path: \S+/, 'path: absent'));
    assert.deepEqual(failedChecks(noHome), ['failed home']);
    const none = await doctor([], { env: { STILLPOINT_CONFIG: 'absent.yaml' } });
    assert.deepEqual([none.code, failedChecks(none)], [1, ['failed configuration']]);
    const wrongKey = await doctor([], { env: { STILLPOINT_PASSPHRASE: 'wrong' } });
    assert.deepEqual([wrongKey.code, failedChecks(wrongKey)], [1, ['failed store']]);
  });

  test('a store in the home, a home on NFS and units without an end fail', async () => {
    const inside = await withConfig(text =>
      text.replace(/^store: .*$/m, `store: ${rig.instance.home}/store`),
    );
    assert.deepEqual(failedChecks(inside), ['failed store', 'failed store place']);
    const units = join(rig.folder, 'units');
    mkdirSync(units);
    writeFileSync(
      join(units, 'own.service'),
      '[Service]\nExecStart=/opt/stillpoint backup\nStateDirectory=s\n',
    );
    const seams: DoctorSeams = {
      ...noUnits,
      fileSystem: (path, facts) =>
        String(path).includes('/home') ? { ...facts, type: 'nfs', cached: true } : facts,
    };
    const checks = failedChecks(await doctor([], { seams }));
    assert.deepEqual(checks, ['failed home', 'failed systemd units', 'failed systemd units']);
    rmSync(units, { recursive: true });
  });

  test('a check that takes too long is a finding', async () => {
    const { code, json } = await doctor([], { seams: { ...noUnits, limitMs: 1 } });
    assert.equal(code, 1);
    assert.ok((json.at(-1)!['findings'] as Finding[]).some(({ check }) => check === 'sentinel'));
  });

  test('an application that is down, or locked by somebody else, fails', async () => {
    const authorization = `Basic ${Buffer.from(`${rig.instance.admin.user}:${rig.instance.admin.password}`).toString('base64')}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const url = `${rig.instance.url}/mvc/maintenance/lock`;
    const answer = await fetch(url, { method: 'POST', headers });
    const { unlockToken } = (await answer.json()) as { unlockToken: string };
    assert.deepEqual(failedChecks(await doctor()), ['failed application']);
    await fetch(`${url}?token=${unlockToken}`, { method: 'DELETE', headers });
    const down = await withConfig(text => text.replace(rig.instance.url, 'http://127.0.0.1:9'));
    assert.deepEqual(failedChecks(down), ['failed application']);
    const refused = await withConfig(text => text.replace(/password: \w+/, 'password: wrong'));
    assert.deepEqual(failedChecks(refused), ['failed application']);
  });

  test('beside a run that locks, the application is locked by it', async () => {
    const program = await backUpAndStopAt(rig, 'capture');
    const ended = await doctor();
    assert.deepEqual(failedChecks(ended), []);
    program.kill('SIGTERM');
    await program.ended;
  });

  test('--mend closes secrets, makes folders and releases the lock of a dead run; each is said', async () => {
    const program = await backUpAndStopAt(rig, 'capture');
    program.kill('SIGSTOP');
    process.kill(sentinelOf(program.pid)!, 'SIGKILL');
    program.kill('SIGKILL');
    await program.ended;
    const passphrase = join(rig.folder, 'passphrase');
    chmodSync(passphrase, 0o644);
    const env = { STILLPOINT_CACHE_DIR: join(rig.folder, 'new/cache') };
    const before = await doctor([], { env });
    assert.deepEqual(
      wrong(before).filter(one => /secrets|leftovers/.test(one)),
      ['warning secrets', 'warning leftovers'],
    );
    assert.equal(rig.instance.isLocked, true);
    const mended = findingsOf(await doctor(['--mend'], { env })).filter(one => one.mended);
    assert.deepEqual(
      mended.map(({ check }) => check),
      ['secrets', 'cache folder', 'leftovers'],
    );
    assert.equal(rig.instance.isLocked, false);
    assert.equal(statSync(passphrase).mode & 0o777, 0o600);
    assert.ok(statSync(env.STILLPOINT_CACHE_DIR).isDirectory());
    const again = await doctor(['--mend'], { env });
    assert.deepEqual([again.code, findingsOf(again).filter(one => one.mended)], [0, []]);
    await rig.summary(['backup', '--json']);
  });
});
