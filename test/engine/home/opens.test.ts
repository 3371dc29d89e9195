import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../helpers/project.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const strace = spawnSync('strace', ['-V']).status === 0;

/** Two backups in one process; the second one between two marks in the trace. */
const program = (root: string): string => `
  import { statSync } from 'node:fs';
  import { captureHome } from '${join(projectRoot, 'dist/test/helpers/one-home.js')}';
  const before = await captureHome('${root}');
  const mark = name => { try { statSync('/mark/' + name); } catch {} };
  mark('begin');
  const { result } = await captureHome('${root}', { base: before.base, chunks: before.chunks });
  mark('end');
  if (result.changed !== 0 || result.files !== 60) throw new Error(JSON.stringify(result));
`;

test('a run over an unchanged home opens nothing below its root, as strace sees it', {
  skip: strace ? false : 'strace is not installed (apt-get install strace)',
}, () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  for (const folder of ['a/b/c', 'many', 'repo/refs']) mkdirSync(`${root}/${folder}`, { recursive: true });
  for (let i = 0; i < 20; i++) {
    for (const folder of ['a/b/c', 'many', 'repo/refs'])
      writeFileSync(`${root}/${folder}/${i}`, 'x'.repeat(i * 20));
  }
  const trace = `${scratch.path}/trace`;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60); // what was just written is to be clearly old
  const ran = spawnSync(
    'strace',
    // every call that takes a path: whatever opens, lists or reads attributes would show
    [
      '-f',
      '-e',
      'trace=%file,getdents64',
      '-o',
      trace,
      process.execPath,
      '--input-type=module',
      '-e',
      program(root),
    ],
    { encoding: 'utf8' },
  );
  assert.equal(ran.status, 0, ran.stderr);
  const lines = readFileSync(trace, 'latin1').split('\n');
  const at = (name: string): number => lines.findIndex(line => line.includes(`"/mark/${name}"`));
  const [first, second] = [lines.slice(0, at('begin')), lines.slice(at('begin') + 1, at('end'))];
  const opened = (some: readonly string[]): string[] =>
    some.filter(
      line => /\bopen(at2?)?\(/.test(line) && (line.includes(`"${root}`) || !/AT_FDCWD|"\//.test(line)),
    );
  assert.ok(opened(first).length > 60, 'the first run opens every file');
  assert.deepEqual(
    opened(second).filter(line => !line.includes(`"${root}",`)),
    [],
  );
  assert.deepEqual(
    second.filter(line => /getdents64\(|listxattr\(/.test(line) && line.includes(root)),
    [],
  );
  assert.ok(second.filter(line => line.includes('statx(')).length > 120, 'both looks ask about every file');
});
