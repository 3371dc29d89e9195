import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Rig } from '../../../bench/rig/index.ts';
import { phases } from '../../../engine/index.ts';
import { tellCase } from '../../helpers/cases.ts';
import { assertEndings, atPhase, backUpHere, rigAtWork, runOn } from '../../helpers/endings.ts';
import { failureOf, manifestsOf, restoreArguments } from '../../helpers/small-rig.ts';

const signals = [
  ['Ctrl-C in every phase', 'SIGINT', 130, 'INTERRUPTED'],
  ['SIGTERM in every phase', 'SIGTERM', 143, 'TERMINATED'],
  ['SIGHUP in every phase', 'SIGHUP', 143, 'TERMINATED'],
] as const;

describe('a run that is told to end', () => {
  let rig: Rig;

  before(async () => {
    rig = await rigAtWork();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  for (const [name, signal, exit, code] of signals) {
    test(`by ${signal} in any phase of a backup`, async context => {
      await assertEndings(
        context,
        rig,
        phases.map(where => ({
          name,
          where,
          exit,
          code,
          backupSeams: atPhase(where, () => process.emit(signal, signal)),
        })),
      );
      assert.equal(process.listenerCount(signal), 0, 'the next signal ends the process, as it should');
    });

    test(`by ${signal} while it restores, verifies or prunes: nothing was locked, and the same command works then`, async context => {
      const latches = rig.instance.latches.length;
      const target = rig.target(`restored_${signal.toLowerCase()}`);
      const restore = [...restoreArguments(target)];
      const marked = () => existsSync(join(target.home, '.stillpoint-restore-unfinished'));
      assert.deepEqual(failureOf(await raisedWhen(signal, marked, restore)), { exit, code });
      assert.ok(existsSync(target.home), 'it had begun');
      assert.equal((await runOn(rig, { args: restore })).code, 0, 'it is taken up again');

      for (const args of [
        ['verify', '--read-data'],
        ['prune', '--keep-last', '2'],
      ]) {
        const manifests = manifestsOf(rig);
        assert.deepEqual(failureOf(await raisedWhen(signal, () => true, args)), { exit, code }, args[0]);
        assert.deepEqual(manifestsOf(rig), manifests);
        const again = await runOn(rig, { args });
        assert.equal(again.code, 0, again.stderr);
      }
      assert.equal(rig.instance.latches.length, latches);
      await backUpHere(rig);
      tellCase(context, name, `exit ${exit} ${code} (restore, verify, prune)`);
    });
  }

  /** Runs the program, and raises the signal as soon as something is so after it began to listen. */
  async function raisedWhen(signal: NodeJS.Signals, isSo: () => boolean, args: readonly string[]) {
    const running = runOn(rig, { args });
    let hasEnded = false;
    const end = running.then(() => {
      hasEnded = true;
    });
    while (!hasEnded && !(process.listenerCount(signal) > 0 && isSo()))
      await Promise.race([end, new Promise(resolve => setImmediate(resolve))]);
    assert.ok(!hasEnded, `${args[0]} came to its end before: ${hasEnded ? (await running).stderr : ''}`);
    process.emit(signal, signal);
    return running;
  }
});
