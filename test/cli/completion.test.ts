import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runHere } from '../../bench/rig/index.ts';
import { commands } from '../../cli/program/commands/index.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { failureOf } from '../helpers/small-rig.ts';

const scriptFor = async (shell: string) => {
  const { code, stdout, stderr } = await runHere(['completion', shell], { cwd: '/', env: {} });
  assert.deepEqual([code, stderr], [0, '']);
  return stdout;
};
const isThere = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status === 0;
const unlessThere = (shell: string) => (isThere(shell) ? {} : { skip: `${shell} is not installed` });

/** What bash would offer for each line, the last word of which is being typed. */
async function offered(lines: readonly string[], cwd: string): Promise<string[][]> {
  const calls = lines.map(
    line => `
      COMP_WORDS=(${line
        .split(' ')
        .map(word => `'${word}'`)
        .join(' ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      $(complete -p stillpoint | sed 's/.*-F \\([^ ]*\\).*/\\1/') stillpoint
      printf '%s\\n' "\${COMPREPLY[@]}" end of line`,
  );
  const text = `${await scriptFor('bash')}\n${calls.join('\n')}`;
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '--noprofile', '-c', text], {
    cwd,
    encoding: 'utf8',
  });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout
    .split('end\nof\nline\n')
    .slice(0, -1)
    .map(words => words.split('\n').filter(word => word !== ''));
}

describe('completion', () => {
  test('each script is one that its shell can read', async context => {
    using folder = scratchFolder();
    for (const shell of ['bash', 'zsh', 'fish']) {
      const script = await scriptFor(shell);
      for (const { name } of commands) assert.match(script, new RegExp(`\\b${name}\\b`), shell);
      if (!isThere(shell)) {
        context.diagnostic(`${shell} is not installed`);
        continue;
      }
      const file = join(folder.path, shell);
      writeFileSync(file, script);
      const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
      assert.deepEqual([status, stderr], [0, ''], shell);
    }
  });

  test('bash offers commands, options, and what an option may be', unlessThere('bash'), async () => {
    using folder = scratchFolder();
    writeFileSync(join(folder.path, 'a file.yaml'), '');
    mkdirSync(join(folder.path, 'a folder'));
    const cases: [string, readonly string[]][] = [
      ['stillpoint b', ['backup']],
      ['stillpoint li', ['list']],
      ['stillpoint --config x rest', ['restore']],
      ['stillpoint --store = x dif', ['diff']],
      ['stillpoint -q --json verif', ['verify']],
      ['stillpoint help ver', ['verify']],
      ['stillpoint backup --hold-until ', ['captured', 'durable']],
      ['stillpoint backup --hold-until = d', ['durable']],
      ['stillpoint backup --tag ', []],
      ['stillpoint restore latest --o', ['--only', '--owner']],
      ['stillpoint list --i', ['--instance']],
      ['stillpoint show l', ['latest']],
      ['stillpoint show --config l', ['latest']],
      ['stillpoint completion ', ['bash', 'zsh', 'fish']],
      ['stillpoint unlock --token-file a', ['a file.yaml', 'a folder']],
      ['stillpoint restore latest --home a', ['a folder']],
      ['stillpoint --store a', ['a folder']],
      ['stillpoint frobnicate ', []],
    ];
    const all = await offered(
      cases.map(([line]) => line),
      folder.path,
    );
    cases.forEach(([line, expected], index) => {
      assert.deepEqual([...(all[index] ?? [])].sort(), [...expected].sort(), line);
    });
    const [names = []] = await offered(['stillpoint '], folder.path);
    for (const { name } of commands) assert.ok(names.includes(name), name);
  });

  test('a shell that is not known is a usage error', async () => {
    for (const args of [['tcsh'], []]) {
      const ended = await runHere(['completion', ...args, '--json'], { cwd: '/', env: {} });
      assert.deepEqual(failureOf(ended), { exit: 2, code: 'USAGE' });
    }
  });
});
