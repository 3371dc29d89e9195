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
    rig = await smallRig({ repositories: 2, files: 40, rows: 200, inProcess: true });
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
    seams: DoctorSeams = noUnits,
  ): Promise<Ended> => {
    const file = join(rig.folder, 'changed.yaml');
    writeFileSync(file, change(readFileSync(rig.configFile, 'utf8')), { mode: 0o600 });
    return doctor([], { env: { STILLPOINT_CONFIG: file }, seams });
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
      text
        .replace('passphraseFile: passphrase', 'passphraseFile: absent')
        .replace(rig.instance.url, nobodyThere),
    );
    assert.deepEqual(
      [lost.code, failedChecks(lost)],
      [1, ['failed secrets', 'failed store', 'failed application']],
    );
    const bare = await withConfig(text =>
      text.replace(/password: \w+/, 'passwordFile: absent').replace(/path: \S+/, 'path: absent'),
    );
    assert.deepEqual(failedChecks(bare), ['failed configuration', 'failed secrets', 'failed home']);
    assert.ok(findingsOf(bare).some(({ check, state }) => check === 'database' && state === 'ok'));
    const none = await doctor([], { env: { STILLPOINT_CONFIG: 'absent.yaml' } });
    assert.deepEqual([none.code, failedChecks(none)], [1, ['failed configuration']]);
  });

  const nobodyThere = 'http://127.0.0.1:9';

  test('a store in the home, a home on NFS, a refused login and units that do not unlock fail', async () => {
    const units = join(rig.folder, 'units');
    mkdirSync(units);
    writeFileSync(
      join(units, 'own.service'),
      '[Service]\nExecStart=/opt/stillpoint backup\nStateDirectory=s\n',
    );
    const fileSystem: DoctorSeams['fileSystem'] = (path, facts) =>
      String(path).includes('/home') ? { ...facts, type: 'nfs', cached: true } : facts;
    const all = await withConfig(
      text =>
        text
          .replace(/^store: .*$/m, `store: ${rig.instance.home}/store`)
          .replace(/password: \w+/, 'password: wrong'),
      { ...noUnits, fileSystem },
    );
    assert.deepEqual(failedChecks(all), [
      ...['failed store', 'failed store place', 'failed home', 'failed application'],
      ...['failed systemd units', 'failed systemd units'],
    ]);
    rmSync(units, { recursive: true });
  });

  test('an application that somebody else locked fails', async () => {
    const { user, password } = rig.instance.admin;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const url = `${rig.instance.url}/mvc/maintenance/lock`;
    const answer = await fetch(url, { method: 'POST', headers });
    const { unlockToken } = (await answer.json()) as { unlockToken: string };
    assert.deepEqual(failedChecks(await doctor()), ['failed application']);
    await fetch(`${url}?token=${unlockToken}`, { method: 'DELETE', headers });
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
      ['warning secrets', 'failed leftovers'],
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
