import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runHere } from '../../../bench/rig/index.ts';
import { exitCodeMeanings, exitCodes } from '../../../cli/exit-codes.ts';
import { commands } from '../../../cli/program/commands/index.ts';
import { always, commonOptions, exitCodesOf } from '../../../cli/program/describe.ts';
import { buildProgram } from '../../../cli/program/index.ts';
import { argumentsOf } from '../../helpers/command-line.ts';
import { projectRoot } from '../../helpers/project.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { failureOf } from '../../helpers/small-rig.ts';

const here = (args: readonly string[]) => runHere(args, { cwd: projectRoot, env: {} });

test('the help of each command tells its options, what it can end with, and its examples', async () => {
  for (const command of commands) {
    const { name, alias, options = [], examples } = command;
    const { code, stdout, stderr } = await here([name, '--help']);
    assert.deepEqual([code, stderr], [0, ''], name);
    for (const { flags } of [...options, ...commonOptions])
      assert.ok(stdout.includes(/--[a-z-]+/.exec(flags)![0]), `${name} ${flags}`);
    const told = [...stdout.matchAll(/^ {2}(\d+) {2,}\S/gm)].map(([, code]) => Number(code));
    assert.deepEqual(told, exitCodesOf(command), name);
    assert.ok(examples.length >= 2 && examples.length <= 6, name);
    for (const { line } of examples) assert.ok(stdout.includes(line), line);
    assert.equal((await here(['help', name])).stdout, stdout);
    assert.equal((await here([name, 'latest', '--bogus', '--help'])).stdout, stdout);
    if (alias) assert.equal((await here([alias, '--help'])).stdout, stdout);
  }
});

test('no line of a help is wider than 80 columns, but an example', async () => {
  for (const args of [['--help'], ...commands.map(({ name }) => [name, '--help'])]) {
    const [text = ''] = (await here(args)).stdout.split('\nExamples:\n');
    assert.deepEqual(
      text.split('\n').filter(line => line.length > 80),
      [],
      args.join(' '),
    );
  }
});

test('the help of the program tells every command, variable and exit code', async () => {
  const { code, stdout } = await here(['--help']);
  assert.equal(code, 0);
  for (const { name } of commands) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
  for (const exit of Object.keys(exitCodeMeanings))
    assert.match(stdout, new RegExp(`^  ${exit} {2,}\\S`, 'm'));
  const read = new Set<string>();
  for (const file of readdirSync(join(projectRoot, 'cli'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.startsWith('program/')) continue;
    const text = readFileSync(join(projectRoot, 'cli', file), 'utf8');
    for (const [, name = ''] of text.matchAll(/\benv\['(STILLPOINT_[A-Z_]+)'\]/g)) read.add(name);
  }
  assert.ok(read.size >= 8);
  for (const name of read) assert.ok(stdout.includes(name), name);
});

test('every exit code has a meaning, and what a command can end with is in the README', () => {
  assert.deepEqual(
    Object.keys(exitCodeMeanings).map(Number),
    Object.values(exitCodes).sort((a, b) => a - b),
  );
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| ([\d, ]+) \| /gm)].flatMap(([, codes]) =>
    codes!.split(', ').map(Number),
  );
  const declared = new Set([...always, ...commands.flatMap(({ exitCodes: own = [] }) => own)]);
  for (const name of declared) assert.ok(rows.includes(exitCodes[name]), name);
});

test('each example is understood by the program itself', async () => {
  class Understood extends Error {}
  const stream = process.stderr;
  for (const { name, examples } of commands) {
    for (const { line } of examples) {
      const argv = argumentsOf(line);
      const program = buildProgram({
        contextFor: () => Promise.reject(new Understood(name)),
        version: '0',
        stdout: stream,
        stderr: stream,
      });
      assert.equal(argv[0], name, line);
      await assert.rejects(program(argv), Understood, line);
    }
  }
});

test('a help loads no more than the command line itself', () => {
  using coverage = scratchFolder();
  const argvs = [['--help'], ['--version'], ['help'], [], ...commands.map(({ name }) => [name, '--help'])];
  const main = join(projectRoot, 'dist/cli/run.js');
  const script = `
    const { run } = await import(${JSON.stringify(main)});
    const nowhere = { write: () => true };
    for (const argv of ${JSON.stringify(argvs)})
      await run({ argv, env: {}, cwd: '/', stdout: nowhere, stderr: nowhere });`;
  const env = { ...process.env, NODE_V8_COVERAGE: coverage.path };
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
  assert.equal(ended.status, 0, ended.stderr);
  // V8 names every script that ran, however it was loaded.
  const [report = ''] = readdirSync(coverage.path);
  const { result } = JSON.parse(readFileSync(join(coverage.path, report), 'utf8')) as {
    result: { url: string }[];
  };
  const loaded = result
    .map(({ url }) => url)
    .filter(url => url.startsWith('file:') && !url.includes('[eval'));
  const isLight = /\/dist\/cli\/(run|exit-codes|program\/.*|render\/wrap)\.js$|\/node_modules\/commander\//;
  assert.ok(loaded.some(url => url.endsWith('/cli/program/commands/taking.js')));
  assert.deepEqual(
    loaded.filter(url => !isLight.test(url)),
    [],
  );
});

test('an unknown command names the nearest, no command at all shows the help: both are usage errors', async () => {
  const unknown = await here(['bakcup', '--json']);
  assert.deepEqual(failureOf(unknown), { exit: 2, code: 'USAGE' });
  assert.match(unknown.stderr, /\bbackup\b/);
  assert.match((await here(['prune', '--keep-dialy', '3'])).stderr, /--keep-daily/);
  const none = await here([]);
  assert.equal(none.code, 2);
  assert.equal(none.stdout + none.stderr, (await here(['--help'])).stdout);
  for (const args of [
    ['help', 'frobnicate'],
    ['help', 'bakcup'],
  ])
    assert.deepEqual(failureOf(await here([...args, '--json'])), { exit: 2, code: 'USAGE' });
  assert.match((await here(['help', 'bakcup'])).stderr, /\bbackup\b/);
  assert.match((await here(['restore'])).stderr, /stillpoint restore --help/);
});

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  for (const option of ['--version', '-V']) assert.equal((await here([option])).stdout, `${version}\n`);
});
