import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type Ended, runHere, startProgram } from '../../../bench/rig/index.ts';
import { exampleConfig } from '../../../cli/config/example.ts';
import { configJsonSchema } from '../../../cli/config/json-schema.ts';
import { parseConfig } from '../../../cli/config/load.ts';
import { configSchema } from '../../../cli/config/schema.ts';
import { alternatives, below, keysOf, shapeOf } from '../../../cli/config/shape.ts';
import { accepts } from '../../helpers/json-schema.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { failureOf } from '../../helpers/small-rig.ts';

const config = (
  cwd: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Ended> => runHere(['config', ...args], { cwd, env });
const usage = { exit: 2, code: 'USAGE' };
const schema = configJsonSchema();

/** Each setting that is commented out begins with # and no space. */
const uncommented = exampleConfig()
  .replace(/^( *)#(?=\S)/gm, '$1')
  .replace(/^ *password: .*\n/gm, '');

test('the example is a configuration, as it stands and with every setting set', () => {
  for (const text of [exampleConfig(), uncommented]) {
    const values = parseConfig(text, { file: '/etc/stillpoint/config.yaml', env: {} });
    assert.equal(values.home?.path, '/var/atlassian/application-data/bitbucket');
    assert.equal(accepts(schema, parse(text)), true);
  }
});

test('the example has every key, and every key says what it means', () => {
  const described: string[] = [];
  const visit = (these: ReturnType<typeof alternatives>, path: string): void => {
    for (const shape of these.map(shapeOf)) {
      for (const [name, child] of Object.entries(shape ?? {})) {
        const text = (child as { description?: string }).description;
        assert.match(text ?? '', /^[A-Z].*\.$/s, `${path}${name}`);
        assert.match(exampleConfig(), new RegExp(`\\b${name}:`), `${path}${name}`);
        described.push(`${path}${name}`);
        visit([...alternatives(child), ...below(alternatives(child), 0)], `${path}${name}.`);
      }
    }
  };
  visit(alternatives(configSchema), '');
  assert.ok(described.includes('home.freeze.take.timeout') && described.includes('retention.keepTag'));
});

test('the JSON Schema takes what the program takes, and refuses what it refuses', () => {
  const texts: [boolean, string][] = [
    [true, 'store: /s'],
    [
      true,
      'home: { path: /h, excludeRepositories: [12, "a"], freeze: { take: [x, { run: y, timeout: 90s }], mount: /m } }',
    ],
    [true, 'latch: { maxHold: 300000 }'],
    [true, 'app: { type: stopped }\nhooks: { restore: [{ run: x, name: y }] }'],
    [false, 'sotre: /s'],
    [false, 'home: { dataStores: [] }'],
    [false, 'home: /h'],
    [false, 'latch: { maxHold: fast }'],
    [false, 'latch: { maxHold: 5 }'],
    [false, 'app: { type: bitbuket }'],
    [false, 'hooks: { restore: x }'],
    [false, 'hooks: { restore: [{ run: x, timeot: 5s }] }'],
    [false, 'retention: { keepDaily: -1 }'],
    [false, 'retention: { keepDaily: 1.5 }'],
    [false, 'home: { path: /h, freeze: { take: [], mount: /m } }'],
    [false, 'store: ""'],
    [false, '[]'],
  ];
  for (const [isGood, text] of texts) {
    assert.equal(accepts(schema, parse(text)), isGood, text);
    const taken = () => parseConfig(text, { file: '/c', env: {} });
    if (isGood) taken();
    else assert.throws(taken, { code: 'CONFIG_INVALID' }, text);
  }
  assert.deepEqual(keysOf(alternatives(configSchema)), Object.keys(schema['properties'] as object));
});

test('config prints the example, and its schema, as text and as JSON', async () => {
  using folder = scratchFolder();
  const text = await config(folder.path);
  assert.deepEqual([text.code, text.stdout, text.stderr], [0, exampleConfig(), '']);
  assert.equal((await config(folder.path, ['--json'])).json[0]?.['example'], exampleConfig());
  const printed = await config(folder.path, ['--schema']);
  assert.deepEqual(JSON.parse(printed.stdout), JSON.parse(JSON.stringify(schema)));
  assert.equal((await config(folder.path, ['--schema', '--json'])).stdout.trimEnd().split('\n').length, 1);
});

test('config --write makes a file for its owner alone, and overwrites nothing', async () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'new.yaml');
  assert.equal((await config(folder.path, ['--write', 'new.yaml'])).code, 0);
  assert.equal(readFileSync(file, 'utf8'), exampleConfig());
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await config(folder.path, ['--check', '--config', 'new.yaml'])).code, 0);
  writeFileSync(file, 'mine');
  symlinkSync('nowhere', join(folder.path, 'link'));
  mkdirSync(join(folder.path, 'folder'));
  for (const name of ['new.yaml', 'link', 'folder', 'absent/new.yaml', 'new.yaml/below', ''])
    assert.deepEqual(failureOf(await config(folder.path, ['--write', name, '--json'])), usage, name);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  const both = await config(folder.path, ['--write', 'other.yaml', '--check', '--json']);
  assert.deepEqual(failureOf(both), usage);
});

test('config --write that cannot write all of the example leaves nothing', async () => {
  using folder = scratchFolder();
  const under = ['/bin/sh', '-c', 'ulimit -f 1; exec "$@"', 'sh'];
  const args = ['config', '--write', 'new.yaml', '--json'];
  const ended = await startProgram(args, { cwd: folder.path, env: {}, under }).ended;
  assert.deepEqual(failureOf(ended), { exit: 1, code: 'TARGET_FAILED' });
  assert.equal(existsSync(join(folder.path, 'new.yaml')), false);
});

test('config --check prints the file and its values with every default, and no secret', async () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'stillpoint.yaml');
  writeFileSync(
    file,
    [
      'home: { path: home, exclude: ["a$${b}"] }',
      'database: { url: "postgresql://u:hunter2@h/d?password=hunter2" }',
      'app: { url: "http://u:hunter2@h", user: admin, password: "${SECRET}" }',
      'passphraseCommand: "echo ${SECRET}"',
      'hooks: { inWindow: ["curl -u ${SECRET} x $${i}"] }',
    ].join('\n'),
  );
  const env = { SECRET: 'hunter2' };
  const text = await config(folder.path, ['--check'], env);
  assert.deepEqual([text.code, text.stderr], [0, '']);
  const values = parse(text.stdout) as Record<string, Record<string, unknown>>;
  assert.equal(values['instance'], 'home-d');
  assert.deepEqual(values['latch'], { drainTimeout: '1m', maxHold: '5m' });
  assert.deepEqual(values['hooks']?.['inWindow'], [{ run: 'curl -u $${SECRET} x $${i}', timeout: '1m' }]);
  assert.ok(text.stdout.startsWith(`# ${file}\n`));
  const { json, stdout } = await config(folder.path, ['--check', '--json'], env);
  assert.deepEqual([json.length, json[0]?.['ok'], json[0]?.['file']], [1, true, file]);
  assert.doesNotMatch(text.stdout + stdout, /hunter2/);
  // What it prints is a configuration that says the same.
  writeFileSync(join(folder.path, 'again.yaml'), text.stdout);
  const again = await config(folder.path, ['--check', '--config', 'again.yaml', '--json'], env);
  const { instance, ...rest } = again.json[0]!['configuration'] as Record<string, unknown>;
  assert.deepEqual([instance, rest], ['home-d', json[0]?.['configuration']]);
  // The store is the one that would be used.
  for (const [args, more] of [
    [['--store', '/other'], {}],
    [[], { STILLPOINT_STORE: '/other' }],
  ] as const) {
    const other = await config(folder.path, ['--check', '--json', ...args], { ...env, ...more });
    assert.equal((other.json[0]!['configuration'] as { store: string }).store, '/other');
  }
});
