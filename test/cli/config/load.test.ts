import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../cli/config/load.ts';
import type { StillpointError } from '../../../store/index.ts';

const parse = (text: string, env: NodeJS.ProcessEnv = {}) =>
  parseConfig(text, { file: '/etc/stillpoint/config.yaml', env });

function refusal(text: string, env: NodeJS.ProcessEnv = {}): StillpointError {
  try {
    parse(text, env);
  } catch (error) {
    return error as StillpointError;
  }
  throw new assert.AssertionError({ message: 'the configuration was taken' });
}

const complete = `
instance: bitbucket
store: ../backups
passphraseFile: passphrase
home:
  path: home
  exclude: ['/tmp']
database:
  url: postgresql://bitbucket@127.0.0.1/bitbucket
app:
  url: http://127.0.0.1:7990
  user: admin
  password: \${BITBUCKET_PASSWORD}
latch:
  drainTimeout: 90s
retention: { timeZone: Europe/Berlin, keepHourly: 24 }
`;

test('relative paths are from the folder of the configuration', () => {
  const config = parse(complete, { BITBUCKET_PASSWORD: 'secret' });
  assert.equal(config.store, '/etc/backups');
  assert.equal(config.passphraseFile, '/etc/stillpoint/passphrase');
  assert.equal(config.home?.path, '/etc/stillpoint/home');
});

test('durations are read and have defaults', () => {
  const config = parse(complete, { BITBUCKET_PASSWORD: 'secret' });
  assert.equal(config.latch.drainTimeout, 90_000);
  assert.equal(config.latch.maxHold, 300_000);
  assert.equal(parse('').latch.drainTimeout, 60_000);
});

test('variables are replaced, have defaults, and can be written literally', () => {
  assert.equal(parse('instance: "a${X}c"', { X: 'b' }).instance, 'abc');
  assert.equal(parse('instance: "${X:-none}"').instance, 'none');
  assert.equal(parse('instance: "$${X}"').instance, '${X}');
});

test('a value from the environment cannot add keys of its own', () => {
  const config = parse('home: { path: "${X}" }', { X: '/a\nstore: /elsewhere' });
  assert.equal(config.home?.path, '/a\nstore: /elsewhere');
  assert.equal(config.store, undefined);
});

test('an unset variable is refused with its line', () => {
  const error = refusal('store: /s\ninstance: ${NO_SUCH}');
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /config\.yaml:2/);
});

test('an unknown key is refused with its line and the nearest known one', () => {
  const error = refusal('store: /s\nhome:\n  path: /h\n  exlude: []\n');
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /config\.yaml:4/);
  assert.match(error.remedy ?? '', /exclude/);
});

test('an unknown key at the top is refused too', () => {
  const error = refusal('sotre: /s\n');
  assert.match(error.message, /config\.yaml:1/);
  assert.match(error.remedy ?? '', /store/);
});

test('a wrong value is refused with its line', () => {
  const error = refusal('store: /s\nlatch:\n  maxHold: fast\n');
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /config\.yaml:3/);
});

test('broken YAML is refused with its line', () => {
  const error = refusal('store: /s\nhome: {path: [}\n');
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /config\.yaml:2/);
});

test('a hold of less than a second is refused; a number is ms, as show --config prints it', () => {
  assert.equal(refusal('latch:\n  maxHold: 0s\n').code, 'CONFIG_INVALID');
  assert.equal(refusal('latch:\n  maxHold: 10\n').code, 'CONFIG_INVALID');
  assert.equal(parse('latch: { maxHold: 300000 }').latch.maxHold, 300_000);
});

test('retention is checked when it is read: time zone, counts, duration, with the line', () => {
  const lines = (rule: string) => `store: /s\nretention:\n  keepDaily: 7\n  ${rule}\n`;
  for (const rule of [
    'timeZone: Europe/Belrin',
    'timeZone: +02:00',
    'keepHourly: -1',
    'keepHourly: 1.5',
    'keepHourly: many',
    'keepWithin: 7',
    'keepWithin: 6mo',
    'keepWithin: 0d',
    'keepTag: upgrade',
    'keepDialy: 3',
  ]) {
    const error = refusal(lines(rule));
    assert.equal(error.code, 'CONFIG_INVALID', rule);
    assert.match(error.message, /config\.yaml:4/, rule);
  }
  const retention = { timeZone: 'UTC', keepLast: 0, keepWithin: '26h', keepTag: ['a'] };
  assert.deepEqual(parse(`retention: ${JSON.stringify(retention)}`).retention, retention);
});
