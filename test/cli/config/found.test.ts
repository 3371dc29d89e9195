import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runHere } from '../../../bench/rig/index.ts';
import { tellCase } from '../../helpers/cases.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { failureOf } from '../../helpers/small-rig.ts';

const invalid = { exit: 2, code: 'CONFIG_INVALID' };

describe('the configuration that is used', () => {
  const check = (cwd: string, args: readonly string[] = [], env: Record<string, string> = {}) =>
    runHere(['config', '--check', '--json', ...args], { cwd, env });

  test('is that of --config, of STILLPOINT_CONFIG, the one here, or the one in the home: the first there is', async () => {
    using folder = scratchFolder();
    const place = (name: string) => {
      const file = join(folder.path, name);
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, `instance: ${name.replaceAll('/', '-')}\n`);
      return file;
    };
    assert.deepEqual(failureOf(await check(folder.path)), invalid);
    const inHome = place('user/.config/stillpoint/config.yaml');
    assert.equal((await check(folder.path)).json[0]?.['file'], inHome);
    const here = place('stillpoint.yaml');
    assert.equal((await check(folder.path)).json[0]?.['file'], here);
    const env = { STILLPOINT_CONFIG: place('by-variable.yaml') };
    assert.equal((await check(folder.path, [], env)).json[0]?.['file'], env.STILLPOINT_CONFIG);
    place('by-option.yaml');
    const { json } = await check(folder.path, ['--config', 'by-option.yaml'], env);
    assert.equal(json[0]?.['file'], join(folder.path, 'by-option.yaml'));
    assert.equal(json[0]?.['instance'], 'by-option.yaml');
  });

  test('is refused where it is no file of text, whoever names it', async context => {
    using folder = scratchFolder();
    mkdirSync(join(folder.path, 'folder'));
    symlinkSync('loop', join(folder.path, 'loop'));
    writeFileSync(join(folder.path, 'utf16'), Buffer.from('\ufeffstore: /s\n', 'utf16le'));
    writeFileSync(join(folder.path, 'latin1'), Buffer.from('store: /s\ninstance: caf\xe9\n', 'latin1'));
    writeFileSync(join(folder.path, 'zeros'), Buffer.alloc(100));
    writeFileSync(join(folder.path, 'large'), `# ${'x'.repeat(1024 * 1024)}\n`);
    for (const name of [
      'absent',
      'folder',
      'latin1/below',
      'loop',
      'utf16',
      'latin1',
      'zeros',
      'large',
      '/dev/zero',
    ]) {
      assert.deepEqual(failureOf(await check(folder.path, ['--config', name])), invalid, name);
      assert.deepEqual(failureOf(await check(folder.path, [], { STILLPOINT_CONFIG: name })), invalid, name);
    }
    const { stderr } = await check(folder.path, ['--config', 'latin1']);
    assert.match(stderr, /latin1:2/);
    mkdirSync(join(folder.path, 'stillpoint.yaml'));
    assert.deepEqual(failureOf(await check(folder.path)), invalid);
    context.diagnostic('a folder, a loop, UTF-16, Latin-1, zeros, a device and 1 MiB were refused');
  });

  test('may begin with a mark of byte order, and end its lines as Windows does', async () => {
    using folder = scratchFolder();
    writeFileSync(join(folder.path, 'stillpoint.yaml'), '\ufeffinstance: one\r\nlatch:\r\n  maxHold: 7m\r\n');
    const { json } = await check(folder.path);
    const { latch } = json[0]!['configuration'] as { latch: { maxHold: number } };
    assert.deepEqual([json[0]?.['instance'], latch.maxHold], ['one', 420_000]);
  });

  test('is refused as a whole for an unknown key and a wrong value, which --json lists', async context => {
    using folder = scratchFolder();
    writeFileSync(join(folder.path, 'stillpoint.yaml'), 'sotre: /s\nlatch: { maxHold: fast }\n');
    for (const command of [['config', '--check'], ['snapshots'], ['backup']]) {
      const ended = await runHere([...command, '--json'], { cwd: folder.path, env: {} });
      assert.deepEqual(failureOf(ended), invalid, command[0]);
      const { mistakes } = JSON.parse(ended.stderr) as { mistakes: { line: number; key: string }[] };
      assert.deepEqual(
        mistakes.map(({ line, key }) => [line, key]),
        [
          [1, 'sotre'],
          [2, 'latch.maxHold'],
        ],
      );
    }
    tellCase(context, 'unknown key in the configuration', 'exit 2 CONFIG_INVALID');
    tellCase(context, 'wrong value in the configuration', 'exit 2 CONFIG_INVALID');
  });

  test('may name what a later version will have, and is then refused by name', async () => {
    using folder = scratchFolder();
    for (const [text, name] of [
      ['database: { url: postgresql://h/d }\nstore: s3://key:hunter2@host/bucket?secret=hunter2', 's3:'],
    ] as const) {
      writeFileSync(join(folder.path, 'stillpoint.yaml'), `${text}\n`);
      for (const command of [['config', '--check'], ['backup']]) {
        const ended = await runHere([...command, '--json'], {
          cwd: folder.path,
          env: { STILLPOINT_PASSPHRASE: 'x' },
        });
        assert.deepEqual(failureOf(ended), invalid, text);
        assert.ok(ended.stderr.includes(name), ended.stderr);
        assert.doesNotMatch(ended.stderr, /hunter2/);
      }
    }
    writeFileSync(join(folder.path, 'stillpoint.yaml'), 'store: s3://host/bucket\n');
    const ended = await runHere(['snapshots', '--json'], {
      cwd: folder.path,
      env: { STILLPOINT_PASSPHRASE: 'x' },
    });
    assert.deepEqual(failureOf(ended), invalid);
  });
});
