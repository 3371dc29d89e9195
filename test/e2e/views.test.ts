import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkPair } from '../../bench/instance/index.ts';
import { type Ended, type Rig, runHere } from '../../bench/rig/index.ts';
import type { Phase } from '../../engine/index.ts';
import { configured } from '../helpers/configured.ts';
import {
  backUpAndStopAt,
  failureOf,
  manifestsOf,
  restoreInto,
  smallRig,
  toldBy,
  until,
} from '../helpers/small-rig.ts';

describe('a backup of a home that is frozen', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let mount: string;
  /** A copy is a view as long as nothing writes meanwhile: in the window nothing does. */
  let freeze: { take: unknown[]; mount: string; drop: unknown[] };

  before(async () => {
    rig = await smallRig({
      repositories: 2,
      files: 40,
      rows: 200,
      inProcess: true,
      writer: { perSecond: 6, pushesPerSecond: 0, repackEveryMs: 0 },
    });
    mount = join(rig.folder, 'view');
    freeze = {
      take: ['cp -a "$STILLPOINT_HOME" "$STILLPOINT_MOUNT"'],
      mount,
      drop: ['rm -rf "$STILLPOINT_MOUNT"'],
    };
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const backUp = (name: string, changes: Partial<typeof freeze> = {}, more: Record<string, unknown> = {}) =>
    runHere(['backup', '--json'], {
      cwd: rig.folder,
      env: configured(rig, name, { home: { freeze: { ...freeze, ...changes } }, more }),
    });
  const records = () => {
    const folder = join(rig.stateDir, 'views');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const summaryOf = (ended: Ended) => {
    assert.equal(ended.code, 0, ended.stderr);
    return ended.json.at(-1) as {
      snapshot: string;
      home: { changedInLatch: number };
      commands: { moment: string }[];
    };
  };

  test('agrees with the database, and reads nothing of the home in the window', async () => {
    let phase: Phase = 'open';
    let looked = 0;
    const ended = await runHere(['backup', '--json'], {
      cwd: rig.folder,
      env: environment(),
      backupSeams: {
        onPhase: begun => {
          phase = begun;
        },
        home: {
          statSeam: (_path, stats) => {
            if (phase !== 'finish') looked++;
            return stats;
          },
        },
      },
    });
    const { home, commands } = summaryOf(ended);
    assert.equal(looked, 0, 'nothing of the home is looked at before the unlock');
    assert.equal(home.changedInLatch, 0);
    assert.deepEqual(
      commands.map(({ moment }) => moment),
      ['freeze-take', 'freeze-drop'],
    );
    assert.equal(existsSync(mount), false);
    assert.deepEqual(records(), []);
    const told = toldBy(rig.instance, -1);
    const target = await restoreInto(rig, 'plain');
    const report = await checkPair({ home: target.home, databaseUrl: target.databaseUrl, told });
    assert.deepEqual(report.disagreements, []);
    assert.ok(report.acknowledged.expected > 0);
  });

  const assertNothingLeft = (manifests: readonly string[]) => {
    assert.equal(rig.instance.isLocked, false);
    assert.equal(existsSync(mount), false);
    assert.deepEqual(records(), []);
    assert.deepEqual(manifestsOf(rig), manifests);
  };
  const aboutViews = ({ json }: Ended) =>
    json.filter(
      ({ messageType, message }) => messageType === 'warning' && /view of the home/.test(String(message)),
    );
  const environment = (changes: Partial<typeof freeze> = {}, more: Record<string, unknown> = {}) =>
    configured(rig, 'other', { home: { freeze: { ...freeze, ...changes } }, more });

  test('is not saved when the view cannot be taken, and drops what there is of it', async () => {
    const manifests = manifestsOf(rig);
    const ended = await backUp('fails', { take: [...freeze.take, 'echo no >&2; exit 7'] });
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'COMMAND_FAILED' });
    assertNothingLeft(manifests);
  });

  test('is not saved when the view takes longer than it may', async () => {
    const manifests = manifestsOf(rig);
    const take = [...freeze.take, { run: 'sleep 100', timeout: '1s' }];
    assert.deepEqual(failureOf(await backUp('late', { take })), { exit: 1, code: 'COMMAND_FAILED' });
    assertNothingLeft(manifests);
  });

  test('is cut off by latch.maxHold while the view is taken, and drops it then', async () => {
    const manifests = manifestsOf(rig);
    const ended = await backUp(
      'held',
      { take: [...freeze.take, 'trap "" TERM; sleep 4'] },
      { latch: { maxHold: '1s' } },
    );
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'LATCH_OVERRUN' });
    const latch = rig.instance.latches.at(-1);
    assert.ok(latch?.unlocked && latch.unlocked.monotonicMs - latch.locked.monotonicMs < 6_000);
    assertNothingLeft(manifests);
  });

  test('is not saved when the view is no view, or is gone before it was read', async () => {
    const manifests = manifestsOf(rig);
    for (const take of [
      'true',
      'mkdir "$STILLPOINT_MOUNT"',
      'ln -s "$STILLPOINT_HOME" "$STILLPOINT_MOUNT"',
    ]) {
      assert.deepEqual(failureOf(await backUp('none', { take: [take] })), {
        exit: 1,
        code: 'HOME_UNREADABLE',
      });
      assertNothingLeft(manifests);
    }
    const afterUnlock = [`mv ${mount} ${mount}.gone && mkdir ${mount} && rm -rf ${mount}.gone`];
    const ended = await backUp('gone', {}, { hooks: { afterUnlock } });
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'HOME_UNREADABLE' });
    assertNothingLeft(manifests);
  });

  test('refuses before the lock where something is in the place of the view, and what a view cannot give', async () => {
    const manifests = manifestsOf(rig);
    const latches = rig.instance.latches.length;
    mkdirSync(mount);
    writeFileSync(join(mount, 'stale'), '');
    assert.deepEqual(failureOf(await backUp('stale')), { exit: 1, code: 'HOME_UNREADABLE' });
    rmSync(mount, { recursive: true });
    assert.deepEqual(failureOf(await backUp('no-drop', { drop: [] })), { exit: 2, code: 'CONFIG_INVALID' });
    const durable = await runHere(['backup', '--json', '--hold-until', 'durable'], {
      cwd: rig.folder,
      env: environment(),
    });
    assert.deepEqual(failureOf(durable), { exit: 2, code: 'USAGE' });
    assert.equal(rig.instance.latches.length, latches);
    assertNothingLeft(manifests);
  });

  test('is saved when the view cannot be dropped, says so, and the next run drops it first', async () => {
    const blocker = join(rig.folder, 'blocker');
    writeFileSync(blocker, '');
    const drop = [`test ! -e ${blocker}`, `test -e ${blocker} || rm -rf ${mount}`];
    const saved = await backUp('blocked', { drop });
    assert.equal(saved.code, 3, saved.stderr);
    assert.equal(aboutViews(saved).length, 1);
    assert.equal(existsSync(mount), true);
    const manifests = manifestsOf(rig);
    assert.ok(manifests.includes(String(saved.json.at(-1)?.['snapshot'])));

    const latches = rig.instance.latches.length;
    assert.deepEqual(failureOf(await backUp('plain')), { exit: 1, code: 'HOME_UNREADABLE' });
    assert.equal(rig.instance.latches.length, latches, 'nothing was locked');

    rmSync(blocker);
    const next = await backUp('plain', { drop: [`rm -rf ${mount}`] });
    summaryOf(next);
    assert.equal(aboutViews(next).length, 1, 'the view of the run before, by the commands of then');
    assertNothingLeft(manifestsOf(rig));
  });

  test('is saved with fence none, too: the view and the pin are all that the window is', async () => {
    const ended = await backUp('unfenced', {}, { app: { type: 'none' } });
    const { snapshot } = summaryOf(ended);
    const shown = await rig.summary(['show', snapshot, '--json']);
    assert.equal((shown['fence'] as { kind: string }).kind, 'none');
    const [root] = (shown['home'] as { roots: { path: string }[] }).roots;
    assert.equal(root?.path, rig.instance.home);
    assertNothingLeft(manifestsOf(rig));
  });

  test('and by commands: all that ran stands in the snapshot, in the order in which it ran', async () => {
    const hook = ['true'];
    const hooks = { beforeLock: hook, inWindow: hook, afterUnlock: hook };
    const app = { type: 'command', lock: 'echo token', unlock: 'true' };
    const { commands } = summaryOf(await backUp('commands', {}, { app, hooks }));
    assert.deepEqual(
      commands.map(({ moment }) => moment),
      ['before-lock', 'lock', 'in-window', 'freeze-take', 'unlock', 'after-unlock', 'freeze-drop'],
    );
    assertNothingLeft(manifestsOf(rig));
  });

  test('that is killed in any phase leaves no lock, no snapshot, and nothing that the next run does not drop', async () => {
    const manifests = manifestsOf(rig);
    const seen: Record<string, { hasView: boolean; hasDropped: boolean }> = {};
    for (const phase of ['lock', 'fence', 'finish', 'commit'] as const) {
      const program = await backUpAndStopAt(rig, phase, { env: environment() });
      const hasView = existsSync(mount);
      program.kill('SIGKILL');
      seen[phase] = { hasView, hasDropped: aboutViews(await program.ended).length > 0 };
      await until(() => !rig.instance.isLocked, 'unlocked');
      assert.deepEqual(manifestsOf(rig), manifests);
    }
    assert.deepEqual(seen, {
      lock: { hasView: false, hasDropped: false },
      fence: { hasView: true, hasDropped: false },
      finish: { hasView: true, hasDropped: true },
      commit: { hasView: false, hasDropped: true },
    });
    summaryOf(await backUp('plain'));
    assertNothingLeft(manifestsOf(rig));
  });

  for (const phase of ['fence', 'finish'] as const) {
    test(`that is terminated at the start of ${phase} drops its view`, async () => {
      const manifests = manifestsOf(rig);
      const program = await backUpAndStopAt(rig, phase, { env: environment() });
      program.kill('SIGTERM');
      program.tell('go on');
      assert.deepEqual(failureOf(await program.ended), { exit: 143, code: 'TERMINATED' });
      assertNothingLeft(manifests);
    });
  }

  test('that is killed while the view is taken: `unlock` ends what is still at it, and drops it', async () => {
    const manifests = manifestsOf(rig);
    const [begun, go, late] = ['begun', 'go', 'late'].map(name => join(rig.folder, name)) as [
      string,
      string,
      string,
    ];
    const wait = `until test -e ${go}; do sleep 0.05; done`; // it would go on as soon as it is let, were it still there
    const take = [...freeze.take, `touch ${begun}; ${wait}; touch ${late} ${mount}/late`];
    const program = rig.start(['backup', '--json'], { env: environment({ take }) });
    await until(() => existsSync(begun), 'the view is being taken');
    program.kill('SIGKILL');
    await program.ended;
    await until(() => !rig.instance.isLocked, 'unlocked');
    const ended = await runHere(['unlock', '--json'], { cwd: rig.folder, env: environment() });
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(ended.json.at(-1)?.['viewsDropped'], [mount]);
    assertNothingLeft(manifests);
    writeFileSync(go, '');
    await new Promise(resolve => setTimeout(resolve, 500));
    assert.equal(existsSync(late), false, 'the command was ended');
  });
});
