import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Rig } from '../../../bench/rig/index.ts';
import { loadBlake3 } from '../../../store/hash.ts';
import { assertEndings, configured, errorOf, type Mishap, rigAtWork } from '../../helpers/endings.ts';

describe('a run that cannot begin', () => {
  let rig: Rig;

  before(async () => {
    rig = await rigAtWork();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** Nothing was locked: the application never heard of it. */
  async function unheard(context: Parameters<typeof assertEndings>[0], mishaps: readonly Mishap[]) {
    const latches = rig.instance.latches.length;
    const ended = await assertEndings(context, rig, mishaps);
    assert.equal(rig.instance.latches.length, latches + 1, 'locked by the last run alone');
    return ended;
  }

  test('with the wrong passphrase', async context => {
    const wrong = { name: 'wrong passphrase', exit: 12, code: 'STORE_WRONG_PASSPHRASE' } as const;
    const env = { STILLPOINT_PASSPHRASE: 'wrong' };
    await unheard(context, [
      { ...wrong, where: 'backup', env },
      { ...wrong, where: 'verify', env, args: ['verify'] },
    ]);
  });

  test('without a store', async context => {
    const missing = { name: 'no store', exit: 10, code: 'STORE_MISSING' } as const;
    const away = join(rig.folder, 'away');
    await unheard(context, [
      { ...missing, where: 'no such folder', args: ['backup', '--store', 'nowhere'] },
      { ...missing, where: 'a folder that is none', args: ['backup', '--store', rig.stateDir] },
      {
        ...missing,
        where: 'its disk is not mounted',
        args: ['snapshots', '--store', away],
        arrange: () => {
          mkdirSync(away);
          return () => rmdirSync(away);
        },
      },
    ]);
  });

  test('on a store that a newer version wrote, whose needed version is named', async context => {
    const newer = { name: 'newer store', exit: 10, code: 'STORE_NEWER' } as const;
    const config = join(rig.store, 'config');
    const mark = join(rig.store, 'gc', '1.later');
    const blake3 = await loadBlake3();
    const [format, pruned] = await unheard(context, [
      {
        ...newer,
        where: 'format 2',
        arrange: () => {
          const before = readFileSync(config);
          const [text = ''] = before.toString('latin1').split('check ');
          const later = text
            .replace('"format": 1', '"format": 2')
            .replace(/"needs": "[^"]*"/, '"needs": "7.1.0"');
          const check = Buffer.from(blake3.hash(Buffer.from(later))).toString('hex', 0, 16);
          writeFileSync(config, `${later}check ${check}\n`);
          return () => writeFileSync(config, before);
        },
      },
      {
        ...newer,
        where: 'pruned by it',
        arrange: () => {
          mkdirSync(join(rig.store, 'gc'), { recursive: true });
          writeFileSync(mark, 'whatever a later version writes');
          return () => rmSync(mark);
        },
      },
    ]);
    assert.match(errorOf(format!).remedy, /\b7\.1\.0\b/);
    assert.match(errorOf(pruned!).remedy, /newer/i);
  });

  test('with a configuration that it does not understand', async context => {
    const lines = (text: string) => text.split('\n').length;
    let line = 0;
    const adding = (more: string) =>
      configured(rig, text => {
        line = lines(text) + 1;
        return `${text}\n${more}\n`;
      });
    const wrong = { exit: 2, code: 'CONFIG_INVALID' } as const;
    const unknown = { name: 'unknown key in the configuration', ...wrong } as const;
    const [misspelt] = await unheard(context, [{ ...unknown, env: adding('retentoin: {}') }]);
    const told = errorOf(misspelt!);
    assert.match(told.message, new RegExp(`stillpoint\\.yaml:${line}\\b.*retentoin`));
    assert.match(told.remedy, /"retention"/);

    const values = [
      'latch: { maxHold: soon }',
      'retention: { timeZone: Europe/Nowhere }',
      'tags: ${NO_SUCH}',
    ];
    const ended = await unheard(
      context,
      values.map(where => ({
        name: 'wrong value in the configuration',
        ...wrong,
        where,
        env: adding(where),
      })),
    );
    for (const one of ended) assert.match(errorOf(one).message, new RegExp(`stillpoint\\.yaml:${line}\\b`));
  });

  test('with a command line that it does not understand', async context => {
    const usage = { name: 'wrong use of the command line', exit: 2, code: 'USAGE' } as const;
    const url = 'postgresql://u:hunter2@127.0.0.1/x';
    const ended = await unheard(context, [
      { ...usage, where: 'unknown command', args: ['bakcup'] },
      { ...usage, where: 'unknown option', args: ['backup', '--dryrun'] },
      { ...usage, where: 'missing argument', args: ['restore'] },
      { ...usage, where: 'too many arguments', args: ['backup', 'now'] },
      { ...usage, where: 'missing value', args: ['backup', '--tag'] },
      { ...usage, where: 'wrong choice', args: ['backup', '--hold-until', 'done'] },
      { ...usage, where: 'no duration', args: ['backup', '--wait', 'long'] },
      {
        ...usage,
        where: 'a password in a URL',
        args: ['restore', 'latest', '--home', 'restored', '--database', url],
      },
    ]);
    for (const { stdout, stderr } of ended) assert.doesNotMatch(stdout + stderr, /hunter2/);
    assert.match(errorOf(ended[0]!).remedy, /backup/);
    assert.match(errorOf(ended[1]!).remedy, /--dry-run/);
  });
});
