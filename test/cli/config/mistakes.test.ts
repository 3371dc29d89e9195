import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../cli/config/load.ts';
import type { StillpointError } from '../../../store/index.ts';

interface Told {
  readonly line: number;
  readonly key: string;
  readonly problem: string;
  readonly remedy: string;
}

const parse = (text: string, env: NodeJS.ProcessEnv = {}) =>
  parseConfig(text, { file: '/etc/stillpoint/config.yaml', env });

function refusal(text: string, env: NodeJS.ProcessEnv = {}): StillpointError {
  try {
    parse(text, env);
  } catch (error) {
    const refused = error as StillpointError;
    assert.equal(refused.code, 'CONFIG_INVALID', text);
    // Words of the libraries are for programmers.
    assert.doesNotMatch(
      `${refused.message} ${refused.remedy}`,
      /Invalid|expected|Unrecognized|received|undefined|null/,
    );
    return refused;
  }
  throw new assert.AssertionError({ message: `the configuration was taken: ${text}` });
}

const told = (text: string, env?: NodeJS.ProcessEnv) =>
  refusal(text, env).context['mistakes'] as readonly Told[];
const places = (text: string, env?: NodeJS.ProcessEnv) =>
  told(text, env).map(({ line, key }) => `${line} ${key}`);

test('of two passwords nobody knows which counts', () => {
  for (const text of [
    'database: { url: "postgresql://a:b@h/d", passwordFile: /p }',
    'database: { url: "postgresql://a@h/d?password=b", passwordFile: /p }',
    'app: { password: b, passwordFile: /p }',
  ]) {
    const [mistake] = told(text);
    assert.match(`${mistake?.key}`, /\.passwordFile$/, text);
    assert.match(mistake?.remedy ?? '', /leave one of the two out/);
  }
  assert.equal(parse('database: { url: "postgresql://a@h/d", passwordFile: /p }').app, undefined);
});

test('every mistake is told at once, in the order of its lines', () => {
  const text = [
    'home:',
    '  path: /h',
    '  exlude: []',
    'retention: { keepdaily: 3, keepHourly: -1, keepWithin: 6mo }',
    'latch:',
    '  maxHold: fast',
    'app: { type: bitbuket, user: [x] }',
  ].join('\n');
  assert.deepEqual(places(text), [
    '3 home.exlude',
    '4 retention.keepdaily',
    '4 retention.keepHourly',
    '4 retention.keepWithin',
    '6 latch.maxHold',
    '7 app.type',
    '7 app.user',
  ]);
  const { message, remedy = '' } = refusal(text);
  assert.match(message, /^[^\n]*config\.yaml:3: [^\n]*home\.exlude[^\n]*$/);
  for (const name of ['"exclude"', '"keepDaily"', '"bitbucket"', 'config.yaml:7: app.user'])
    assert.ok(remedy.includes(name), name);
});

test('of very many mistakes the first ten are told, and the others counted', () => {
  const text = Array.from({ length: 30 }, (_, index) => `key${index}: 1`).join('\n');
  assert.equal(told(text).length, 10);
  assert.match(refusal(text).message, /\b29\b/);
});

test('a mistake inside a command is told as what it is', () => {
  const cases: [string, string[], RegExp][] = [
    ['hooks: { restore: [{ run: x, timeot: 3s }] }', ['1 hooks.restore[0].timeot'], /"timeout"/],
    ['hooks: { restore: [{ rum: x }] }', ['1 hooks.restore[0].rum'], /"run"/],
    [
      'hooks: { restore: [a, { run: "", timeout: 5 }] }',
      ['1 hooks.restore[1].run', '1 hooks.restore[1].timeout'],
      /26h/,
    ],
    ['hooks: { restore: [[x]] }', ['1 hooks.restore[0]'], /\{ run, timeout, name \}/],
    ['hooks: { restore: pg_ctl start }', ['1 hooks.restore'], /list/],
    ['app: { lock: { timeout: 5s } }', ['1 app.lock.run'], /command/],
    ['app: { lock: [x] }', ['1 app.lock'], /\{ run, timeout, name \}/],
    ['home: { path: /h, freeze: { take: [], mount: /m } }', ['1 home.freeze.take'], /at least 1/],
  ];
  for (const [text, expected, remedy] of cases) {
    assert.deepEqual(places(text), expected, text);
    assert.match(refusal(text).remedy ?? '', remedy, text);
  }
});

test('a key that is indented wrongly is told where it belongs', () => {
  assert.match(told('maxHold: 5m')[0]?.remedy ?? '', /below latch\b/);
  assert.match(told('home:\n  path: /h\n  store: /s')[0]?.remedy ?? '', /at the top/);
  assert.match(told('passwordFile: /p')[0]?.remedy ?? '', /below database or below app\b/);
});

test('a key that is missing because it is misspelt is one mistake', () => {
  assert.deepEqual(places('home: { pth: /h }'), ['1 home.pth']);
  assert.deepEqual(places('home: { dataStores: [] }'), ['1 home.path']);
});

test('a duplicate key is refused, with all of its name', () => {
  assert.deepEqual(places('store: /a\nhome:\n  path: /h\n  path: /i\nstore: /b'), ['4 home.path', '5 store']);
});

test('what stands in place of a mapping is told', () => {
  for (const text of ['hello', '- a\n- b', 'home: /h', 'home:\n', 'home:\n  - path: /h', '12'])
    assert.equal(told(text).length, 1, text);
  assert.deepEqual(places('store: /s\nhome:\nlatch:\n'), ['2 home', '3 latch']);
});

test('YAML that cannot be read is refused with its line', () => {
  const cases: [string, number][] = [
    ['home:\n\tpath: x', 2],
    ['store: /s\nhome: { path: x', 2],
    ['store: "x', 1],
    ['store: a: b', 1],
    ['store: @x', 1],
    ['store: *x', 1],
    ['store: !x y', 1],
    ['store: x\n---\nstore: y', 2],
    ['store: x\n  y: z', 1],
    ['%YAML 9.9\n---\nstore: x', 1],
    ['home: { path: ${HOME} }', 1],
  ];
  for (const [text, line] of cases)
    assert.deepEqual(
      told(text).map(one => one.line),
      [line],
      text,
    );
});

test('a bomb of aliases or of brackets is refused, and quickly', () => {
  const level = (name: string, below: string) =>
    `${name}: &${name} [${Array(9).fill(`*${below}`).join(',')}]`;
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...['b', 'c', 'd', 'e', 'f', 'g'].map((name, index) => level(name, 'abcdef'[index]!)),
  ];
  assert.deepEqual(places(bomb.join('\n')), ['1 ']);
  refusal('['.repeat(100_000));
  refusal(`home: ${'{a: '.repeat(5_000)}`);
  refusal('home: &h { path: /h, exclude: *h }');
});

test('an anchor may be used', () => {
  const config = parse('home:\n  path: &h /h\n  dataStores: [*h]\napp: { lock: &c { run: x }, unlock: *c }');
  assert.deepEqual(config.home?.dataStores, ['/h']);
  assert.deepEqual(config.app?.unlock, { run: 'x', timeout: 60_000 });
});

test('a text is taken as it is written, whatever YAML would make of it', () => {
  const config = parse(
    'instance: 2024\napp: { password: 0123, user: true }\ndatabase: { passwordFile: 1e3 }',
  );
  assert.equal(config.instance, '2024');
  assert.deepEqual(
    [config.app?.password, config.app?.user, config.database?.passwordFile],
    ['0123', 'true', '/etc/stillpoint/1e3'],
  );
  assert.deepEqual(parse('home: { path: 12, excludeRepositories: [12, "034"] }').home?.excludeRepositories, [
    12,
    '034',
  ]);
});

test('addresses that nothing could use are refused where they stand', () => {
  for (const url of ['not a url', 'http://h/d', 'postgresql://h:99999/d', 'postgresql://u:p%zz@h/d'])
    assert.deepEqual(places(`database: { url: "${url}" }`), ['1 database.url'], url);
  for (const url of ['ftp://h/x', 'h:7990', 'http://h:99999'])
    assert.deepEqual(places(`app: { url: "${url}" }`), ['1 app.url'], url);
  assert.deepEqual(places('instance: "a\\nb"'), ['1 instance']);
});

test('a variable that is unset, unfinished or nested is refused', () => {
  for (const text of ['${NO}', 'a${NO', '${}', '${NO:=x}', '${1X}', '${A:-${B}}'])
    assert.deepEqual(places(`store: /s\ninstance: "${text}"`), ['2 instance'], text);
  assert.deepEqual(places('latch: { maxHold: "${NO}" }'), ['1 latch.maxHold']);
  assert.equal(parse('instance: "${A:-}b"').instance, 'b');
  assert.equal(parse('instance: "${A:-x}"', { A: '' }).instance, 'x');
  assert.equal(parse('instance: "$${A}$${"').instance, '${A}${');
  assert.equal(parse('latch: { maxHold: "${A}" }', { A: '7m' }).latch.maxHold, 420_000);
});

test('variables of a command are left to its shell, once they are known to be set', () => {
  const config = parse('passphraseCommand: "pass ${A}"\nhooks: { restore: ["echo ${A} $${i} ${A%.*}"] }', {
    A: 'secret',
  });
  assert.equal(config.passphraseCommand, 'pass ${A}');
  assert.equal(config.hooks.restore[0]?.run, 'echo ${A} ${i} ${A%.*}');
  assert.deepEqual(places('hooks: { restore: ["echo ${NO}"] }'), ['1 hooks.restore[0]']);
});

test('a path with ~ is refused: only a shell knows what it means', () => {
  for (const text of [
    'store: ~/s',
    'home: { path: "~" }',
    'passphraseFile: ~root/p',
    'home: { path: /h, dataStores: [~/d] }',
  ])
    assert.match(told(text)[0]?.remedy ?? '', /\$\{HOME\}/, text);
  assert.equal(parse('store: a~b').store, '/etc/stillpoint/a~b');
});

test('every path is from the folder of the file, globs and URLs as they are', () => {
  const config = parse(
    'store: s3://bucket/x\nhome: { path: h, dataStores: [stores/*], freeze: { take: [x], mount: ../m } }\napp: { passwordFile: a }\ndatabase: { passwordFile: d }',
  );
  assert.equal(config.store, 's3://bucket/x');
  assert.equal(config.home?.path, '/etc/stillpoint/h');
  assert.deepEqual(config.home?.dataStores, ['/etc/stillpoint/stores/*']);
  assert.equal(config.home?.freeze?.mount, '/etc/m');
  assert.deepEqual(
    [config.app?.passwordFile, config.database?.passwordFile],
    ['/etc/stillpoint/a', '/etc/stillpoint/d'],
  );
});

test('no mistake repeats what may be a secret', () => {
  for (const text of [
    'app: { password: [hunter2] }',
    'app: { password: *hunter2 }',
    'app: { password: !hunter2 x }',
    'app: { password: "a${hunter2!}" }',
    'hooks: { restore: "curl -u admin:hunter2 x" }',
    'database: { url: "postgresql://u:hunter2@h/d", typ: x }',
    'latch: { maxHold: "${SECRET}" }',
    'instance: a\napp: { password: *n, user: [&n 314159] }',
    'retention: { keepLast: &n 314159 }\napp: { password: *n }',
  ]) {
    const { message, remedy } = refusal(text, { SECRET: 'hunter2' });
    assert.doesNotMatch(`${message} ${remedy}`, /hunter2|314159/, text);
  }
});

test('a unit that is none, a size and a bare number of seconds are no durations', () => {
  for (const text of ['5min', '1h30m', '90 s', '64MiB', '-5m', '0.5s', '500', '30d', '""', '[5m]', 'true'])
    assert.match(told(`latch: { maxHold: ${text} }`)[0]?.remedy ?? '', /26h/, text);
});

test('an empty configuration is one', () => {
  for (const text of ['', '\n', '# nothing\n', '---\n', '{}', 'null'])
    assert.equal(parse(text).store, undefined, text);
});
