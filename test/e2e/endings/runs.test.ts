import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ended, Rig } from '../../../bench/rig/index.ts';
import { pending } from '../../../engine/waiting.ts';
import { systemClock } from '../../../store/index.ts';
import { whyNoTracing } from '../../faults/tools.ts';
import { tellCase } from '../../helpers/cases.ts';
import { atPhase, backUpHere, recordsOf, rigAtWork, runOn } from '../../helpers/endings.ts';
import { failureOf, manifestsOf } from '../../helpers/small-rig.ts';

describe('runs beside one another, and runs that nobody watches', () => {
  let rig: Rig;

  before(async () => {
    rig = await rigAtWork();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** A backup that stands at the beginning of its window while something else happens, and then goes on to its end. */
  async function beside(happens: (goOn: () => void) => Promise<void>): Promise<Ended> {
    const stands = pending<void>();
    const goes = pending<void>();
    const running = runOn(rig, {
      backupSeams: atPhase('capture', () => {
        stands.resolve();
        return goes.promise;
      }),
    });
    await stands.promise;
    try {
      await happens(() => goes.resolve());
    } finally {
      goes.resolve();
    }
    return running;
  }

  const elsewhere = () => ({ STILLPOINT_STATE_DIR: join(rig.folder, 'other-host') });

  for (const [where, env, code] of [
    ['on one host', () => ({}), 'RUN_ACTIVE'],
    ['on two hosts', elsewhere, 'APP_LOCKED'],
  ] as const) {
    test(`${where}: the second ends with 11, and does not disturb the first`, async context => {
      const manifests = manifestsOf(rig);
      const first = await beside(async () => {
        const second = await runOn(rig, { env: env() });
        assert.deepEqual(failureOf(second), { exit: 11, code }, second.stderr);
        assert.equal(rig.instance.isLocked, true, "the first one's lock is left alone");
        assert.deepEqual(manifestsOf(rig), manifests);
      });
      assert.equal(first.code, 0, first.stderr);
      assert.equal(manifestsOf(rig).length, manifests.length + 1);
      assert.deepEqual([rig.instance.isLocked, recordsOf(rig)], [false, []]);
      await backUpHere(rig);
      tellCase(context, 'two runs at once', `exit 11 ${code} (${where})`);
    });

    test(`${where}: the second waits when it is told to`, async context => {
      const manifests = manifestsOf(rig);
      let second: Promise<Ended> | undefined;
      const first = await beside(async goOn => {
        second = runOn(rig, { args: ['backup', '--wait', '60s'], env: env() });
        const early = await Promise.race([second, systemClock.sleep(1_500)]);
        assert.equal(early, undefined, 'it waits');
        goOn();
      });
      const ended = await second;
      assert.deepEqual([first.code, ended?.code], [0, 0], `${first.stderr}${ended?.stderr}`);
      assert.equal(manifestsOf(rig).length, manifests.length + 2);
      assert.equal(rig.instance.isLocked, false);
      await backUpHere(rig);
      tellCase(context, 'two runs at once', `exit 0 (${where}, with --wait)`);
    });
  }

  test('a backup whose output nobody reads any more goes on to its end', async context => {
    const manifests = manifestsOf(rig);
    const under = ['/bin/sh', '-c', '{ "$@"; echo "ended with $?" >&2; } | true', 'sh'];
    const { stderr } = await rig.program(['backup', '--json'], { under });
    assert.equal(stderr, 'ended with 0\n');
    assert.equal(manifestsOf(rig).length, manifests.length + 1);
    assert.deepEqual([rig.instance.isLocked, recordsOf(rig)], [false, []]);
    await backUpHere(rig);
    tellCase(context, 'output that nobody reads', 'exit 0 (a pipe)');
  });

  test('a program whose output goes to a medium that fails to sync ends', {
    skip: whyNoTracing({ install: false }) ?? false,
  }, async () => {
    const output = join(rig.folder, 'output');
    const inject = '-P "$0" -e trace=fsync -e inject=fsync:error=EIO';
    const under = [
      '/bin/sh',
      '-c',
      `timeout 30 strace -f -qq -o /dev/null ${inject} "$@" > "$0" 2>&1`,
      output,
    ];
    const { code } = await rig.program(['doctor'], { under });
    assert.equal(code, 0, readFileSync(output, 'utf8'));
  });

  test('a backup without stdin, stdout and stderr does as well', async context => {
    const manifests = manifestsOf(rig);
    const under = ['/bin/sh', '-c', '"$@" <&- >&- 2>&-; echo "ended with $?"', 'sh'];
    const { stdout } = await rig.program(['backup'], { under });
    assert.equal(stdout, 'ended with 0\n');
    assert.equal(manifestsOf(rig).length, manifests.length + 1);
    assert.equal(rig.instance.isLocked, false);
    tellCase(context, 'output that nobody reads', 'exit 0 (closed)');
  });
});
