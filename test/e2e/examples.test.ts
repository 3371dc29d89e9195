import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Rig, runHere } from '../../bench/rig/index.ts';
import { commands } from '../../cli/program/commands/index.ts';
import { argumentsOf } from '../helpers/command-line.ts';
import { smallRig } from '../helpers/small-rig.ts';

/** Commands whose examples change nothing that another one needs, beside those of these lines. */
const reading = new Set(['snapshots', 'show', 'ls', 'cat', 'diff', 'verify', 'hold', 'doctor', 'completion']);
const lines = new Set([
  'stillpoint backup --dry-run',
  'stillpoint prune --dry-run',
  'stillpoint config',
  'stillpoint config --check',
  'stillpoint unlock',
]);

describe('the examples of the help', () => {
  let rig: Rig;
  let ids: string[];

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 40, rows: 200, inProcess: true });
    const backup = async () =>
      String((await rig.summary(['backup', '--json', '--tag', 'before-upgrade']))['snapshot']);
    ids = [await backup(), await backup()];
    await rig.summary(['verify', '--witness', join(rig.folder, 'witness'), '--json']);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('do what they say, where they only look', async () => {
    /** Names of a rig in place of those of the examples. */
    const here: readonly (readonly [string, string])[] = [
      ['5d41', ids[0]!.slice(0, 12)],
      ['9a0c', ids[1]!.slice(0, 12)],
      ['repositories/12', `repositories/${rig.instance.repositoryIds[0]}`],
      ['/mnt/second/stillpoint', rig.store],
      ['/mnt/away/witness', join(rig.folder, 'witness')],
      ['/etc/stillpoint/config.yaml', rig.configFile],
    ];
    let ran = 0;
    for (const { name, examples } of commands) {
      for (const { line } of examples.filter(one => reading.has(name) || lines.has(one.line))) {
        const args = argumentsOf(here.reduce((text, [from, to]) => text.replaceAll(from, to), line));
        const { code, stdout, stderr } = await runHere(args, { cwd: rig.folder, env: rig.env });
        assert.deepEqual([code, stderr], [0, ''], line);
        assert.notEqual(stdout, '', line);
        ran++;
      }
    }
    assert.ok(ran >= 24, String(ran));
  });
});
