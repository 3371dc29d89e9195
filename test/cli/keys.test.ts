import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { createStore, openLocalBackend, openStore, type Store, systemSeams } from '../../store/index.ts';
import { decodeHeader, openSeal } from '../../store/seal/index.ts';
import { insideOf } from '../../store/store.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { failureOf } from '../helpers/small-rig.ts';
import { commitFiles, readFiles } from '../helpers/small-store.ts';
import { cheapKdf } from '../helpers/stores.ts';

/** A store in a folder, and the program that is run on it with a passphrase. */
async function storeFolder() {
  const scratch = scratchFolder();
  const place = join(scratch.path, 'store');
  const backend = await openLocalBackend(place, { create: true });
  await (await createStore(backend, { passphrase: 'first', seams: systemSeams, kdf: cheapKdf })).close();
  return {
    path: scratch.path,
    place,
    keys: (args: readonly string[], passphrase: string, env: Readonly<Record<string, string>> = {}) =>
      runHere(['keys', ...args, '--json'], {
        cwd: scratch.path,
        env: { STILLPOINT_STORE: place, STILLPOINT_PASSPHRASE: passphrase, ...env },
        kdf: cheapKdf,
      }),
    open: async (passphrase: string): Promise<Store> =>
      openStore(await openLocalBackend(place), { passphrase, seams: systemSeams }),
    write(name: string, text: string): string {
      writeFileSync(join(scratch.path, name), text);
      return name;
    },
    [Symbol.dispose]: () => scratch[Symbol.dispose](),
  };
}

function answer({ code, json, stderr }: Ended): Record<string, unknown> {
  assert.equal(code, 0, stderr);
  return json[0]!;
}

type SlotText = { readonly id: string; readonly label: string; readonly openedThisRun: boolean };

async function slots(store: Awaited<ReturnType<typeof storeFolder>>, passphrase: string) {
  return answer(await store.keys(['list'], passphrase))['slots'] as readonly SlotText[];
}

test('passphrases come and go, the keys rotate, and what was stored before and after is readable', async () => {
  using folder = await storeFolder();
  const first = await commitFiles(await folder.open('first'), new Map([['a', Buffer.from('a first day')]]));
  folder.write('second', 'second\nwhat follows the first line does not count\n');
  const added = answer(
    await folder.keys(['add', '--label', 'safe', '--new-passphrase-file', 'second'], 'first'),
  );
  const { id } = added['slot'] as SlotText;
  assert.deepEqual(
    (await slots(folder, 'second')).map(({ label, openedThisRun }) => [label, openedThisRun]),
    [
      ['', false],
      ['safe', true],
    ],
  );
  const [old] = (await slots(folder, 'first')).filter(slot => slot.id !== id);
  const refused = await folder.keys(['remove', old!.id.slice(0, 8)], 'first');
  assert.deepEqual(failureOf(refused), { exit: 1, code: 'STORE_SLOT_REFUSED' });
  const removed = answer(await folder.keys(['remove', old!.id.slice(0, 8)], 'second'));
  assert.deepEqual([removed['removed'], removed['revoked']], [old!.id, false]);
  assert.deepEqual(failureOf(await folder.keys(['list'], 'first')), {
    exit: 12,
    code: 'STORE_WRONG_PASSPHRASE',
  });
  const last = await folder.keys(['remove', 'safe'], 'second');
  assert.deepEqual(failureOf(last), { exit: 1, code: 'STORE_SLOT_REFUSED' });

  // Whoever has the old ring key, from before the rotation, and reads the store afterwards.
  const oldKeys = insideOf(await folder.open('second')).keys;
  const env = { STILLPOINT_NEW_PASSPHRASE_COMMAND: 'echo third' };
  const rotated = answer(await folder.keys(['rotate'], 'second', env));
  assert.deepEqual([rotated['epoch'], rotated['dropped'], rotated['newPassphrase']], [2, [], true]);
  assert.deepEqual(failureOf(await folder.keys(['list'], 'second')).exit, 12);
  const listed = answer(await folder.keys(['list'], 'third'));
  assert.deepEqual(listed['ring'], { number: 3, ringKey: 2 });
  assert.equal((listed['epochs'] as unknown[]).length, 2);

  const packsBefore = new Set(packsOf(folder.place));
  const store = await folder.open('third');
  const second = await commitFiles(store, new Map([['b', Buffer.from('and a second')]]));
  const again = await folder.open('third');
  for (const { root, files } of [first, second]) assert.deepEqual(await readFiles(again, root), files);
  const made = packsOf(folder.place).filter(name => !packsBefore.has(name));
  assert.ok(made.length > 0 && packsBefore.size > 0);
  for (const name of made) {
    const bytes = readFileSync(join(folder.place, name));
    const { epoch, kind } = decodeHeader(bytes, store.id && oldKeys.ring.blake3, name);
    assert.equal(epoch, 2);
    assert.throws(() => openSeal(oldKeys.ring, bytes, { kind, name }), { code: 'STORE_NEWER' });
  }
});

function packsOf(place: string): string[] {
  return readdirSync(join(place, 'packs'), { recursive: true, encoding: 'utf8' })
    .filter(name => /\/[0-9a-f]{64}$/.test(name))
    .map(name => `packs/${name}`);
}

test('a rotation says who would lose access, and goes on with the passphrases that it is given', async () => {
  using folder = await storeFolder();
  answer(await folder.keys(['add', '--label', 'safe'], 'first', { STILLPOINT_NEW_PASSPHRASE: 'second' }));
  assert.deepEqual(failureOf(await folder.keys(['rotate'], 'first')), {
    exit: 1,
    code: 'STORE_SLOT_REFUSED',
  });
  folder.write('wrong', 'neither\n');
  folder.write('right', 'second\n');
  const wrong = await folder.keys(['rotate', '--keep-passphrase-file', 'wrong'], 'first');
  assert.deepEqual(failureOf(wrong), { exit: 12, code: 'STORE_WRONG_PASSPHRASE' });
  const kept = answer(await folder.keys(['rotate', '--keep-passphrase-file', 'right'], 'first'));
  assert.equal((kept['slots'] as unknown[]).length, 2);
  const dropped = answer(await folder.keys(['rotate', '--drop-others'], 'first'));
  assert.deepEqual(
    (dropped['dropped'] as SlotText[]).map(({ label }) => label),
    ['safe'],
  );
  assert.equal(failureOf(await folder.keys(['list'], 'second')).exit, 12);
});

test('one passphrase is changed without touching the key that it wraps', async () => {
  using folder = await storeFolder();
  const env = { STILLPOINT_NEW_PASSPHRASE: 'changed' };
  answer(await folder.keys(['rotate', '--passphrase'], 'first', env));
  assert.equal(failureOf(await folder.keys(['list'], 'first')).exit, 12);
  assert.deepEqual(answer(await folder.keys(['list'], 'changed'))['ring'], { number: 2, ringKey: 1 });
  const both = await folder.keys(['rotate', '--passphrase', '--drop-others'], 'changed', env);
  assert.deepEqual(failureOf(both), { exit: 2, code: 'USAGE' });
});

test('a new passphrase is not empty, not taken from a terminal that is not there, and from one place only', async () => {
  using folder = await storeFolder();
  folder.write('empty', '\nnot this\n');
  const none = await folder.keys(['add'], 'first');
  assert.deepEqual(failureOf(none), { exit: 2, code: 'USAGE' });
  assert.match(none.stderr, /--new-passphrase-file/);
  const empty = await folder.keys(['add', '--new-passphrase-file', 'empty'], 'first');
  assert.deepEqual(failureOf(empty), { exit: 2, code: 'CONFIG_INVALID' });
  const command = ['--new-passphrase-command', 'echo second'];
  const two = await folder.keys(['add', '--new-passphrase-file', 'empty', ...command], 'first');
  assert.deepEqual(failureOf(two), { exit: 2, code: 'USAGE' });
  const long = await folder.keys(['add', '--label', 'é'.repeat(32), ...command], 'first');
  assert.deepEqual(failureOf(long), { exit: 2, code: 'USAGE' });
  assert.equal((await slots(folder, 'first')).length, 1);
});

test('what an action does not take is a mistake', async () => {
  using folder = await storeFolder();
  for (const args of [
    ['list', '--drop-others'],
    ['list', 'safe'],
    ['add', 'safe'],
    ['remove'],
    ['remove', 'safe', '--label', 'x'],
    ['add', '--keep-passphrase-file', 'x'],
    ['shuffle'],
    [],
  ])
    assert.deepEqual(failureOf(await folder.keys(args, 'first')), { exit: 2, code: 'USAGE' }, args.join(' '));
  assert.deepEqual(failureOf(await folder.keys(['remove', 'nobody'], 'first')), {
    exit: 1,
    code: 'STORE_SLOT_UNKNOWN',
  });
});

test('for a person, list is a table, and a damaged slot is told without hiding the others', async () => {
  using folder = await storeFolder();
  writeFileSync(join(folder.place, 'keys', 'f'.repeat(64)), 'not a slot');
  const env = { STILLPOINT_STORE: folder.place, STILLPOINT_PASSPHRASE: 'first' };
  const { code, stdout, stderr } = await runHere(['keys', 'list'], { cwd: folder.path, env });
  assert.equal(code, 20);
  assert.match(stdout, /opened this run/);
  assert.match(stderr, /ffffffff/);
  assert.deepEqual(
    answer({ ...(await folder.keys(['remove', 'ffff'], 'first')) })['removed'],
    'f'.repeat(64),
  );
  assert.equal((await folder.keys(['list'], 'first')).code, 0);
});

test('where nothing says the passphrase it is asked for at the terminal, a new one twice', async () => {
  using scratch = scratchFolder();
  const asked: string[] = [];
  const at = (...typed: (string | undefined)[]) => ({
    async askSecret(question: string) {
      asked.push(question);
      return typed.shift();
    },
  });
  const env = { STILLPOINT_STORE: join(scratch.path, 'store') };
  const program = (args: readonly string[], terminal: ReturnType<typeof at>) =>
    runHere([...args, '--json'], { cwd: scratch.path, env, terminal, kdf: cheapKdf });
  for (const [typed, code] of [
    [['one', 'other'], 'USAGE'],
    [[''], 'USAGE'],
    [[undefined], 'USAGE'],
  ] as const)
    assert.deepEqual(failureOf(await program(['init'], at(...typed))), { exit: 2, code });
  asked.length = 0;
  assert.equal((await program(['init'], at('one', 'one'))).code, 0);
  assert.equal(asked.length, 2);
  assert.equal((await program(['keys', 'add'], at('one', 'two', 'two'))).code, 0);
  assert.equal((await program(['keys', 'list'], at('two'))).code, 0);
  assert.deepEqual(failureOf(await program(['keys', 'list'], at('three'))).exit, 12);
});

test('a host’s key file that is cut, changed, empty or another file is told with its path and what to do', async () => {
  using folder = await storeFolder();
  answer(await folder.keys(['add', '--write-only', '--name', 'attic', '-o', 'host.key'], 'first'));
  const whole = readFileSync(join(folder.path, 'host.key'));
  const changed = Buffer.from(whole);
  changed[60]! ^= 1;
  const file = join(folder.path, 'bad.key');
  const env = { STILLPOINT_STORE: folder.place, STILLPOINT_KEY_FILE: file };
  for (const bytes of [
    whole.subarray(0, 90),
    changed,
    Buffer.alloc(0),
    Buffer.from('another file\n'.repeat(9)),
  ]) {
    writeFileSync(file, bytes);
    const ended = await runHere(['snapshots', '--json'], { cwd: folder.path, env });
    assert.deepEqual(failureOf(ended), { exit: 12, code: 'STORE_WRONG_KEY' });
    assert.ok(ended.stderr.includes(file) && ended.stderr.includes('--renew'), ended.stderr);
    assert.equal(
      (await folder.keys(['add', '--write-only', '--renew', file, '-o', 'new'], 'first')).code,
      12,
    );
  }
});

test('a key file that cannot be written is a matter of its own place, and a label is shown in one line', async () => {
  using folder = await storeFolder();
  const nowhere = ['add', '--write-only', '--name', 'attic', '-o', join('none', 'host.key')];
  const ended = await folder.keys(nowhere, 'first');
  assert.deepEqual(failureOf(ended), { exit: 1, code: 'TARGET_FAILED' });
  assert.match(ended.stderr, /Make the folder/);
  assert.doesNotMatch(ended.stderr, /the store/);
  const env = {
    STILLPOINT_STORE: folder.place,
    STILLPOINT_PASSPHRASE: 'first',
    STILLPOINT_NEW_PASSPHRASE: 'second',
  };
  const inText = (...args: string[]) => runHere(['keys', ...args], { cwd: folder.path, env });
  const { stdout } = await inText('add', '--label', 'one\nslot of nobody\u001b[2J');
  const listed = (await inText('list')).stdout;
  for (const text of [stdout, listed]) {
    assert.ok(text.includes('one\\x0aslot of nobody'), text);
    assert.ok(!text.includes('\nslot of'), text);
  }
});

test('list says which hosts are to renew after a rotation, until they are', async () => {
  using folder = await storeFolder();
  answer(await folder.keys(['add', '--write-only', '--name', 'attic', '-o', 'host.key'], 'first'));
  const toRenew = async () =>
    (answer(await folder.keys(['list'], 'first'))['hosts'] as { toRenew: boolean }[]).map(
      host => host.toRenew,
    );
  answer(await folder.keys(['rotate'], 'first'));
  assert.deepEqual(await toRenew(), [true]);
  answer(await folder.keys(['add', '--write-only', '--renew', 'host.key', '-o', 'new.key'], 'first'));
  assert.deepEqual(await toRenew(), [false]);
  const text = await runHere(['status'], {
    cwd: folder.path,
    env: { STILLPOINT_STORE: folder.place, STILLPOINT_KEY_FILE: 'new.key' },
  });
  assert.equal(text.code, 0, text.stderr);
  assert.doesNotMatch(text.stdout, /No snapshots/);
});
