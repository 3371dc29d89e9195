import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { startProgram } from '../../../bench/rig/index.ts';
import { programs } from '../../../bench/rig/program.ts';
import { secretLine } from '../../../cli/settings/terminal.ts';
import { createStore, openLocalBackend, systemSeams } from '../../../store/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { cheapKdf } from '../../helpers/stores.ts';

/** util-linux's, which gives a command a terminal of its own and ends as it does. */
const script = 'script';
const hasScript = spawnSync(script, ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux');

test('what is typed in raw mode is a line, with its last characters taken back', () => {
  const typed = (...keys: string[]): string | undefined => {
    const line = secretLine();
    return keys.map(key => line(Buffer.from(key))).at(-1);
  };
  assert.equal(typed('open sesame\r'), 'open sesame');
  assert.equal(typed('o', 'pen\n'), 'open');
  assert.equal(typed('opeé\u007fn\r'), 'open');
  assert.equal(typed('never mind\u0015open\r'), 'open');
  assert.equal(typed('\u007f\b\r'), '');
  assert.equal(typed('not yet'), undefined);
  assert.equal(typed(' a\tb \r'), ' ab ');
  for (const key of ['\u0003', 'half\u0003', '\u0004'])
    assert.throws(() => typed(key), { code: 'INTERRUPTED' });
});

async function makeStoreFolder(path: string): Promise<string> {
  const place = join(path, 'store');
  const backend = await openLocalBackend(place, { create: true });
  await (await createStore(backend, { passphrase: 'sésame', seams: systemSeams, kdf: cheapKdf })).close();
  return place;
}

/** Runs the program on a terminal, and types when it asks. */
function atTerminal(args: readonly string[], { place, keys }: { place: string; keys: string }) {
  const command = [process.execPath, programs.stillpoint, ...args].map(word => `'${word}'`).join(' ');
  const child = spawn(script, ['-qec', `${command}; code=$?; stty -a; exit $code`, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', HOME: place, STILLPOINT_STORE: place, SHELL: '/bin/sh' },
    stdio: 'pipe',
  });
  let shown = '';
  let hasTyped = false;
  child.stdout.setEncoding('utf8').on('data', text => {
    shown += text;
    if (hasTyped || !shown.includes('assphrase')) return;
    hasTyped = true;
    child.stdin.write(keys);
  });
  return new Promise<{ code: number | null; shown: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ code, shown }));
  });
}

test('at a terminal the passphrase is asked for, and not shown', {
  skip: hasScript ? false : 'needs script of util-linux',
}, async () => {
  using scratch = scratchFolder();
  const place = await makeStoreFolder(scratch.path);
  const [right, wrong, stopped] = await Promise.all([
    atTerminal(['keys', 'list'], { place, keys: 'sésame\r' }),
    atTerminal(['keys', 'list'], { place, keys: 'barley\r' }),
    atTerminal(['keys', 'list'], { place, keys: 'sés\u0003' }),
  ]);
  assert.equal(right.code, 0, right.shown);
  assert.match(right.shown, /opened this run/);
  assert.equal(wrong.code, 12, wrong.shown);
  assert.equal(stopped.code, 130, stopped.shown);
  for (const { shown } of [right, wrong, stopped]) {
    assert.doesNotMatch(shown, /sés|barley/);
    assert.match(shown, /[^-]icanon.*[^-]echo\b/s, 'the terminal is as it was');
  }
});

test('without a terminal nobody is asked, and the message says what to set', async () => {
  using scratch = scratchFolder();
  const place = await makeStoreFolder(scratch.path);
  const running = startProgram(['keys', 'list'], { cwd: scratch.path, env: { STILLPOINT_STORE: place } });
  const { code, stderr } = await running.ended;
  assert.equal(code, 2);
  assert.match(stderr, /STILLPOINT_PASSPHRASE_FILE/);
});
