import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Ended, type RestoreTarget, type Rig, runHere } from '../../bench/rig/index.ts';
import { configured } from '../helpers/configured.ts';
import { assertGroupEnds } from '../helpers/processes.ts';
import {
  backUpAndStopAt,
  failureOf,
  manifestsOf,
  restoreArguments,
  smallRig,
  until,
} from '../helpers/small-rig.ts';

type Hooks = Readonly<
  Partial<Record<'beforeLock' | 'inWindow' | 'afterUnlock' | 'onFailure' | 'restore', unknown[]>>
>;

describe('hooks', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  /** What hooks wrote, a line each; a line counts once it has ended. */
  let log: string;
  let manifests: readonly string[];
  /** A command that prints 200 while people are served. */
  let isServed: string;

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 20, rows: 100, commitsPerRepository: 2, inProcess: true });
    log = join(rig.folder, 'log');
    await rig.summary(['backup', '--json']);
    const script = `const { status } = await fetch('${rig.instance.url}/projects'); console.log(status);`;
    writeFileSync(join(rig.folder, 'ask.mjs'), script);
    isServed = `"${process.execPath}" ${join(rig.folder, 'ask.mjs')}`;
  });
  beforeEach(() => {
    rmSync(log, { force: true });
    manifests = manifestsOf(rig);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const run = (args: readonly string[], hooks: Hooks, more: Record<string, unknown> = {}) =>
    runHere([...args, '--json'], {
      cwd: rig.folder,
      env: configured(rig, 'hooks', { more: { hooks, ...more } }),
    });
  const restore = (target: RestoreTarget, hooks: Hooks) =>
    rig.program([...restoreArguments(target), '--json'], {
      env: configured(rig, 'restoring', { more: { hooks } }),
    });
  /** A command that says which one it is, and what it knows. */
  const say = (text: string) => `echo "${text}" >> ${log}`;
  const said = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []);
  const recordsOf = ({ json }: Ended) => json.at(-1)?.['commands'] as Record<string, unknown>[];
  const warningsOf = ({ json }: Ended) => json.filter(({ messageType }) => messageType === 'warning');
  const assertNothingDone = () => {
    assert.equal(rig.instance.isLocked, false);
    assert.deepEqual(manifestsOf(rig), manifests);
  };

  test('run in their order, each told where it is, and what they print last is in the snapshot', async () => {
    const hooks = {
      beforeLock: [say(`$STILLPOINT_MOMENT $(${isServed})`), 'echo one; echo two'],
      inWindow: [{ run: `${say(`$STILLPOINT_MOMENT $(${isServed})`)}; echo id-17`, name: 'search' }],
      afterUnlock: [
        say(`$STILLPOINT_MOMENT $(${isServed}) $STILLPOINT_INSTANCE $STILLPOINT_HOME $STILLPOINT_DATABASE`),
      ],
      onFailure: [say('failed')],
      restore: [say('restored')],
    };
    const planned = await run(['backup', '--dry-run'], hooks);
    assert.deepEqual(
      recordsOf(planned).map(({ moment }) => moment),
      ['before-lock', 'before-lock', 'in-window', 'after-unlock'],
    );
    assert.deepEqual(said(), [], 'a dry run runs none');
    const ended = await run(['backup'], hooks);
    assert.equal(ended.code, 0, ended.stderr);
    const { host, pathname } = new URL(rig.instance.databaseUrl);
    assert.deepEqual(said(), [
      'before-lock 200',
      'in-window 503',
      `after-unlock 200 bitbucket ${rig.instance.home} ${host}${pathname}`,
    ]);
    const outputs = recordsOf(ended).map(({ moment, name, output }) => ({ moment, name, output }));
    assert.deepEqual(outputs, [
      { moment: 'before-lock', name: null, output: '' },
      { moment: 'before-lock', name: null, output: 'two' },
      { moment: 'in-window', name: 'search', output: 'id-17' },
      { moment: 'after-unlock', name: null, output: '' },
    ]);
    const shown = await rig.summary(['show', 'latest', '--json']);
    const stored = shown['commands'] as { moment: string }[];
    assert.deepEqual(
      stored.map(({ moment }) => moment),
      outputs.map(({ moment }) => moment),
    );
  });

  for (const [hook, how] of [
    ['beforeLock', 'exit 3'],
    ['inWindow', 'exit 3'],
    ['inWindow', 'sleep 60'],
  ] as const) {
    test(`${hook} that does \`${how}\` ends the run, unlocked and without a snapshot`, async () => {
      const latches = rig.instance.latches.length;
      const ended = await run(['backup'], {
        [hook]: [{ run: how, timeout: '1s' }, say('next')],
        afterUnlock: [say('after')],
        onFailure: [say('$STILLPOINT_MOMENT $STILLPOINT_ERROR_CODE')],
      });
      assert.deepEqual(failureOf(ended), { exit: 1, code: 'COMMAND_FAILED' });
      assert.deepEqual(said(), ['on-failure COMMAND_FAILED']);
      assert.equal(rig.instance.latches.length, hook === 'beforeLock' ? latches : latches + 1);
      assertNothingDone();
    });
  }

  test('inWindow is bounded by the window', async () => {
    const ended = await run(
      ['backup'],
      { inWindow: ['sleep 60'] },
      { latch: { maxHold: '2s', drainTimeout: '60s' } },
    );
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'LATCH_OVERRUN' });
    assertNothingDone();
  });

  test('afterUnlock that fails does not lose the pair: it is a warning, and the next ones run', async () => {
    const ended = await run(['backup'], {
      afterUnlock: [{ run: 'echo broken >&2; exit 4', name: 'copy' }, say('next')],
      onFailure: [say('failed')],
    });
    assert.equal(ended.code, 3, ended.stderr);
    assert.deepEqual(said(), ['next']);
    assert.match(String(warningsOf(ended)[0]?.['message']), /copy.*broken/);
    const shown = await rig.summary(['show', 'latest', '--json']);
    assert.equal(shown['id'], ended.json.at(-1)?.['snapshot']);
    assert.match(String((shown['warnings'] as string[]).at(-1)), /copy/);
  });

  test('onFailure runs when the application refuses us, and what it does hides nothing', async () => {
    const hooks = { onFailure: ['exit 9', say('$STILLPOINT_ERROR_CODE: $STILLPOINT_ERROR')] };
    const app = { url: rig.instance.url, user: rig.instance.admin.user, password: 'wrong' };
    const refused = await run(['backup'], hooks, { app });
    assert.deepEqual(failureOf(refused), { exit: 1, code: 'APP_REFUSED' });
    assert.equal(warningsOf(refused).length, 1);
    assert.equal(said().length, 1);
    assert.match(said()[0]!, /^APP_REFUSED: Cannot/);
    assert.deepEqual(failureOf(await run(['backup', '--dry-run'], hooks, { app })), {
      exit: 1,
      code: 'APP_REFUSED',
    });
    assert.equal(said().length, 1, 'a dry run runs none');
    const nowhere = await run(['backup'], hooks, { store: join(rig.folder, 'nowhere') });
    assert.deepEqual(failureOf(nowhere), { exit: 10, code: 'STORE_MISSING' });
    assert.match(said()[1]!, /^STORE_MISSING/);
    assertNothingDone();
  });

  test('onFailure runs once all is unlocked, also when a signal ends the run', async () => {
    const env = configured(rig, 'signal', {
      more: { hooks: { onFailure: [say(`$STILLPOINT_ERROR_CODE $(${isServed})`)] } },
    });
    const program = await backUpAndStopAt(rig, 'capture', { env });
    program.kill('SIGTERM');
    program.tell('go on');
    assert.deepEqual(failureOf(await program.ended), { exit: 143, code: 'TERMINATED' });
    assert.deepEqual(said(), ['TERMINATED 200']);
    assertNothingDone();
  });

  test('onFailure that hangs is ended by the next signal, with all that it started', async () => {
    const env = configured(rig, 'again', {
      more: { hooks: { beforeLock: ['exit 3'], onFailure: [`${say('$$')}; sleep 60 & wait`] } },
    });
    const program = rig.start(['backup', '--json'], { env });
    await until(() => said().length > 0, 'the hook hangs');
    const [group] = said();
    program.kill('SIGINT');
    assert.equal((await program.ended).code, 130);
    await assertGroupEnds(Number(group));
    assertNothingDone();
  });

  test('onFailure runs when the application cannot be unlocked, which beats all else', async () => {
    rig.instance.faults.add({ route: 'unlock', misbehave: { kind: 'status', status: 500 } });
    const ended = await runHere(['backup', '--json'], {
      cwd: rig.folder,
      env: configured(rig, 'stuck', {
        more: { hooks: { inWindow: ['exit 3'], onFailure: [say('$STILLPOINT_ERROR_CODE')] } },
      }),
      backupSeams: { patience: { unlockMs: 100, sentinelMs: 30_000 } },
    });
    assert.deepEqual(failureOf(ended), { exit: 21, code: 'APP_STILL_LOCKED' });
    assert.deepEqual(said(), ['APP_STILL_LOCKED']);
    rig.instance.faults.clear();
    await until(() => !rig.instance.isLocked, 'the sentinel unlocks');
    assertNothingDone();
  });

  for (const hook of ['inWindow', 'afterUnlock'] as const) {
    test(`${hook} ends when a signal ends the run`, async () => {
      const env = configured(rig, 'hanging', { more: { hooks: { [hook]: [`${say('begun')}; sleep 60`] } } });
      const program = rig.start(['backup', '--json'], { env });
      await until(() => said().length > 0, 'the hook runs');
      program.kill('SIGINT');
      assert.deepEqual(failureOf(await program.ended), { exit: 130, code: 'INTERRUPTED' });
      assertNothingDone();
    });
  }

  test('restore runs those that are configured where it runs, each told what its twin said, and none of the snapshot’s', async () => {
    const evil = join(rig.folder, 'evil');
    const made = await run(['backup'], {
      inWindow: [
        { run: 'echo id-17', name: 'search' },
        { run: `touch ${evil}.window`, name: 'evil' },
      ],
      restore: [`touch ${evil}`],
    });
    assert.equal(made.code, 0, made.stderr);
    rmSync(`${evil}.window`);
    const target = rig.target('hooked');
    const ended = await restore(target, {
      restore: [
        {
          run: say('$STILLPOINT_MOMENT $STILLPOINT_OUTPUT $STILLPOINT_HOME $STILLPOINT_DATABASE'),
          name: 'search',
        },
        say('$' + '{STILLPOINT_OUTPUT-none} $STILLPOINT_SNAPSHOT').replaceAll('${', '$${'),
        'printf %s "$STILLPOINT_RECORDS"',
      ],
    });
    assert.equal(ended.code, 0, ended.stderr);
    const { host, pathname } = new URL(target.databaseUrl);
    assert.deepEqual(said(), [
      `restore id-17 ${target.home} ${host}${pathname}`,
      `none ${made.json.at(-1)?.['snapshot']}`,
    ]);
    const told = JSON.parse(String(recordsOf(ended)[2]?.['output'])) as { output: string }[];
    assert.deepEqual(
      told.map(({ output }) => output),
      ['id-17', ''],
    );
    assert.deepEqual([existsSync(evil), existsSync(`${evil}.window`)], [false, false]);

    const bare = await restore(rig.target('bare'), {});
    assert.equal(bare.code, 0, bare.stderr);
    assert.match(JSON.stringify(bare.json.at(-1)?.['afterwards']), /--config/);
    assert.deepEqual([existsSync(evil), existsSync(`${evil}.window`)], [false, false]);
  });

  test('restore is whole when one of its hooks fails: it says so, then ends with 1, and a part runs none', async () => {
    const hooks = { restore: [{ run: 'exit 5' }, say('next')] };
    const target = rig.target('half');
    const ended = await run(['restore', 'latest', '--only', 'home', '--home', target.home], hooks);
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'COMMAND_FAILED' });
    const summary = ended.json.at(-1);
    assert.equal(summary?.['messageType'], 'summary');
    assert.equal(summary?.['verified'], true);
    assert.deepEqual(said(), []);
    const part = await run(['restore', 'latest', '--home', `${target.home}-part`, '--path', 'shared'], {
      restore: [say('part')],
    });
    assert.equal(part.code, 0, part.stderr);
    assert.deepEqual(said(), []);
  });
});
