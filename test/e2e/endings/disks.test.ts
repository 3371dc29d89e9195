import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ended, Rig } from '../../../bench/rig/index.ts';
import type { Phase } from '../../../engine/index.ts';
import {
  askHere,
  assertSaved,
  assertUnlocked,
  backUpHere,
  configured,
  tell,
} from '../../helpers/bad-sources.ts';
import { errorOf } from '../../helpers/endings.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { pseudoRandom } from '../../helpers/home-tree.ts';
import { mountSmallDisk, noSmallDisk, type SmallDisk } from '../../helpers/small-disk.ts';
import { failureOf, smallRig } from '../../helpers/small-rig.ts';

const mebibyte = 1 << 20;

describe('a disk that is full', { skip: noSmallDisk }, () => {
  let rig: Rig;
  let home: string;
  let place: string;
  const disks: SmallDisk[] = [];
  let env: Record<string, string>;

  before(async () => {
    rig = await smallRig({ repositories: 1, files: 0, rows: 50, log: 'off' });
    home = join(rig.folder, 'full home');
    mkdirSync(home);
    for (let i = 0; i < 20; i += 1) writeFileSync(join(home, `file${i}`), pseudoRandom(50_000, i + 1));
    env = configured(rig, { home: `{ path: ${JSON.stringify(home)} }`, database: '{ type: none }' });
    place = rig.store;
    assertSaved(await backUpHere(rig, { env }), { rig });
  });
  after(async () => {
    for (const one of disks) one[Symbol.dispose]();
    await rig[Symbol.asyncDispose]();
  });

  function disk(name: string, options: { readonly bytes: number; readonly inodes?: number }): SmallDisk {
    const made = mountSmallDisk(join(rig.folder, name), options);
    disks.push(made);
    return made;
  }

  const snapshots = () => readdirSync(join(place, 'manifests')).sort();

  let changes = 100;
  /** New content, so that a run has something to store. */
  function change(bytes = 50_000): void {
    changes += 1;
    writeFileSync(join(home, 'changing'), pseudoRandom(bytes, changes));
  }

  describe('under the store', () => {
    let small: SmallDisk;

    before(async () => {
      small = disk('store disk', { bytes: 24 * mebibyte, inodes: 500 });
      place = join(small.path, 'store');
      env = configured(rig, {
        store: place,
        home: `{ path: ${JSON.stringify(home)} }`,
        database: '{ type: none }',
      });
      assert.equal((await ask(['init'])).code, 0);
      assert.equal((await backUpHere(rig, { env })).code, 0);
    });

    const ask = (args: readonly string[]) => askHere(rig, args, env);
    async function assertNothingVisible(ended: Ended, was: readonly string[]): Promise<void> {
      assert.deepEqual(failureOf(ended), { exit: 1, code: 'STORE_WRITE_FAILED' }, ended.stderr);
      assertUnlocked(rig);
      assert.deepEqual(snapshots(), was);
    }

    for (const phase of ['open', 'pre-scan', 'lock', 'capture', 'finish', 'commit'] as const) {
      test(`ends with nothing half-visible when it is full from ${phase} on`, async context => {
        const was = snapshots();
        change();
        const onPhase = (now: Phase) => {
          if (now === phase) small.fill();
          if (now === 'capture') change();
        };
        const ended = await backUpHere(rig, { env, seams: { onPhase } });
        tell(context, { name: 'full disk under the store', ended, more: `full from ${phase} on` });
        small.free();
        if (ended.code !== 0) {
          await assertNothingVisible(ended, was);
          assert.match(errorOf(ended).remedy, /[Ff]ree space/);
        }
        const next = await backUpHere(rig, { env });
        assert.equal(next.code, 0, next.stderr);
      });
    }

    test('is reclaimed by prune: what failed runs left does not stay for ever', async () => {
      const before = small.freeBytes;
      for (let run = 0; run < 3; run += 1) {
        change(4 * mebibyte);
        small.fill({ leaveBytes: 3 * mebibyte });
        const ended = await backUpHere(rig, { env });
        assert.deepEqual(failureOf(ended), { exit: 1, code: 'STORE_WRITE_FAILED' }, ended.stderr);
        small.free();
      }
      const pruned = await ask(['prune', '--keep-last', '50']);
      assert.equal(pruned.code, 0, pruned.stderr);
      assert.ok(small.freeBytes >= before - 200_000, `${small.freeBytes} of ${before} bytes are free again`);
    });

    test('can be pruned when it is full to the last byte', async context => {
      for (const fillUp of [() => small.fill(), () => small.fillInodes()]) {
        change(4 * mebibyte);
        assert.equal((await backUpHere(rig, { env })).code, 0);
        change(1000);
        assert.equal((await backUpHere(rig, { env })).code, 0);
        fillUp();
        const unnoted = await ask(['verify', '--read-data']);
        assert.deepEqual([unnoted.code, unnoted.json.at(-1)?.['noted']], [0, false], unnoted.stderr);
        assert.match(JSON.stringify(unnoted.json), /This was not noted in the store: .*no space is left/);
        const before = small.freeBytes;
        const pruned = await ask(['prune', '--keep-last', '1']);
        assert.equal(pruned.code, 0, pruned.stderr);
        const { freedBytes } = pruned.json.at(-1) as { freedBytes: number };
        context.diagnostic(
          `a full store: ${freedBytes} bytes are free again, ${small.freeBytes - before} on the disk`,
        );
        assert.ok(freedBytes > 3 * mebibyte);
        small.free();
      }
      const verified = await ask(['verify', '--read-data']);
      assert.equal(verified.code, 0, verified.stdout);
    });

    test('ends when there are no inodes left', async context => {
      const was = snapshots();
      change();
      small.fillInodes();
      const ended = await backUpHere(rig, { env });
      tell(context, { name: 'full disk under the store', ended, more: 'no inodes' });
      small.free();
      await assertNothingVisible(ended, was);
      assert.equal((await backUpHere(rig, { env })).code, 0);
    });

    test('ends when it is mounted read-only', async context => {
      const was = snapshots();
      small.setReadOnly('read-only');
      const ended = await backUpHere(rig, { env });
      tell(context, { name: 'full disk under the store', ended, more: 'read-only' });
      small.setReadOnly('writable');
      await assertNothingVisible(ended, was);
      assert.match(errorOf(ended).message, /read-only/);
      assert.equal((await backUpHere(rig, { env })).code, 0);
    });
  });

  test('does without its cache when that disk is full, and says so', async context => {
    const small = disk('cache disk', { bytes: 256 * 1024 });
    const cached = { ...env, STILLPOINT_CACHE_DIR: join(small.path, 'cache') };
    assert.equal((await backUpHere(rig, { env: cached })).code, 0);
    for (const what of ['full from the start', 'still full']) {
      small.fill();
      change();
      const ended = await backUpHere(rig, { env: cached });
      tell(context, { name: 'full disk under the cache', ended, more: what });
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stdout, /"messageType":"warning".*cache/);
      assertUnlocked(rig);
    }
    small.free();
    const next = await backUpHere(rig, { env: cached });
    assert.equal(next.code, 0, next.stderr);
    assert.doesNotMatch(next.stdout, /"messageType":"warning".*cache/);
  });

  describe('under the state', () => {
    let small: SmallDisk;
    let state: string;
    before(() => {
      small = disk('state disk', { bytes: 64 * 1024 });
      state = join(small.path, 'state');
    });
    for (const phase of ['before', 'lock', 'drain', 'capture'] as const) {
      test(`leaves the application unlocked when it is full ${phase === 'before' ? 'at the start' : `from ${phase} on`}`, async context => {
        const was = snapshots();
        const latches = rig.instance.latches.length;
        if (phase === 'before') small.fill();
        const onPhase = (now: Phase) => {
          if (now === phase) small.fill();
        };
        const ended = await backUpHere(rig, {
          env: { ...env, STILLPOINT_STATE_DIR: state },
          seams: { onPhase },
        });
        tell(context, { name: 'full disk under the state', ended, more: phase });
        small.free();
        assert.equal(rig.instance.isLocked, false);
        if (phase === 'before') {
          assert.deepEqual(failureOf(ended), { exit: 2, code: 'CONFIG_INVALID' }, ended.stderr);
          assert.equal(rig.instance.latches.length, latches, 'nothing was locked');
        }
        if (ended.code === 0) {
          // Nobody waits for this disk in the window: a whole one may be over before the token could not be written.
          assert.equal(snapshots().length, was.length + 1);
        } else {
          if (phase !== 'before')
            assert.deepEqual(failureOf(ended), { exit: 1, code: 'LATCH_LAPSED' }, ended.stderr);
          assert.match(errorOf(ended).remedy, /STILLPOINT_STATE_DIR/);
          assert.deepEqual(snapshots(), was);
        }
        const next = await backUpHere(rig, { env: { ...env, STILLPOINT_STATE_DIR: state } });
        assert.equal(next.code, 0, next.stderr);
      });
    }
  });

  describe('under the restore target', () => {
    let small: SmallDisk;
    let restoring: string[];
    before(() => {
      small = disk('target disk', { bytes: 4 * mebibyte, inodes: 200 });
      restoring = ['restore', 'latest', '--only', 'home', '--home', join(small.path, 'home')];
    });
    const restore = () => askHere(rig, restoring, env);

    test('is refused before a byte is written when the free space is too little', async context => {
      change();
      assert.equal((await backUpHere(rig, { env })).code, 0);
      small.fill({ leaveBytes: 100_000 });
      const ended = await restore();
      tell(context, { name: 'full disk under the restore target', ended, more: 'too little is free' });
      assert.deepEqual(failureOf(ended), { exit: 1, code: 'TARGET_FAILED' }, ended.stderr);
      assert.equal(existsSync(join(small.path, 'home')), false);
      small.free();
    });

    test('keeps its mark when it fills up halfway; the same command begins again', async context => {
      let isFull = false;
      const watch = setInterval(() => {
        const mark = join(small.path, 'home', '.stillpoint-restore-unfinished');
        if (isFull || !existsSync(mark)) return;
        isFull = true;
        small.fill();
      }, 0);
      const ended = await restore();
      clearInterval(watch);
      assert.ok(isFull);
      tell(context, { name: 'full disk under the restore target', ended, more: 'halfway' });
      assert.deepEqual(failureOf(ended), { exit: 1, code: 'TARGET_FAILED' }, ended.stderr);
      assert.ok(statSync(join(small.path, 'home', '.stillpoint-restore-unfinished')).isFile());
      assert.match(errorOf(ended).remedy, /room/);
      small.free();
      const again = await restore();
      assert.equal(again.code, 0, again.stderr);
      await assertEqualHomes(home, join(small.path, 'home'), { ignore: [] });
    });

    test('is refused when it is read-only, or has no inodes left', async context => {
      const other = ['restore', 'latest', '--only', 'home', '--home', join(small.path, 'other')];
      small.setReadOnly('read-only');
      const closed = await askHere(rig, other, env);
      tell(context, { name: 'full disk under the restore target', ended: closed, more: 'read-only' });
      small.setReadOnly('writable');
      assert.deepEqual(failureOf(closed), { exit: 1, code: 'TARGET_FAILED' }, closed.stderr);
      small.fillInodes();
      const without = await askHere(rig, other, env);
      tell(context, { name: 'full disk under the restore target', ended: without, more: 'no inodes' });
      small.free();
      assert.deepEqual(failureOf(without), { exit: 1, code: 'TARGET_FAILED' }, without.stderr);
      const again = await askHere(rig, other, env);
      assert.equal(again.code, 0, again.stderr);
    });
  });
});
