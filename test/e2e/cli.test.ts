import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Rig, runHere, startProgram } from '../../bench/rig/index.ts';
import { systemSeams } from '../../store/index.ts';
import { programFile } from '../helpers/project.ts';
import { backUpAndStopAt, failureOf, manifestsOf, smallRig } from '../helpers/small-rig.ts';

const hex64 = /^[0-9a-f]{64}$/;
const utc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

describe('the command line', () => {
  let rig: Rig;
  let elsewhere: string;
  /** As on a machine that has no configuration. */
  const bare = (args: readonly string[], env: Record<string, string> = {}) =>
    runHere([...args, '--json'], { cwd: elsewhere, env });
  const here = (args: readonly string[], env: Record<string, string> = {}) =>
    runHere([...args, '--json'], { cwd: rig.folder, env: { ...rig.env, ...env } });

  /** With nothing of this process: what Node itself would say on stderr is heard, too. */
  const asProcess = (args: readonly string[], env: Record<string, string> = {}) =>
    rig.program(args, { env, program: 'stillpoint' });

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 40, rows: 200, inProcess: true });
    elsewhere = join(rig.folder, 'elsewhere');
    mkdirSync(elsewhere);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('help names every command that is built, and no other is known', async () => {
    const { code, stdout, stderr } = await startProgram(['--help'], { cwd: elsewhere, env: {} }).ended;
    assert.deepEqual([code, stderr], [0, '']);
    for (const command of ['init', 'backup', 'snapshots', 'show', 'verify', 'restore', 'unlock', 'doctor'])
      assert.match(stdout, new RegExp(`^  ${command}\\b`, 'm'));
    for (const command of ['frobnicate', 'snapshot'])
      assert.deepEqual(failureOf(await bare([command])), { exit: 2, code: 'USAGE' });
  });

  test('what is misspelt or missing is a usage error, in one line with a remedy', async () => {
    for (const args of [['backup', '--bogus'], ['restore'], ['restore', 'latest'], ['snapshots', 'latest']])
      assert.deepEqual(failureOf(await bare(args)), { exit: 2, code: 'USAGE' }, args.join(' '));
    const { stdout, stderr } = await startProgram(['bakcup'], { cwd: elsewhere, env: {} }).ended;
    assert.equal(stdout, '');
    assert.match(stderr, /^stillpoint: Cannot .+\n {2}.*backup.*\n$/);
  });

  test('a working directory that was deleted is told in a sentence', () => {
    const gone = join(rig.folder, 'gone');
    mkdirSync(gone);
    const { status, stdout, stderr } = spawnSync(
      'sh',
      ['-c', 'rmdir "$0"; exec "$1" "$2" status', gone, process.execPath, programFile],
      { cwd: gone, encoding: 'utf8' },
    );
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^stillpoint: Cannot .+ deleted\n {2}.+\n$/);
  });

  test('without a configuration there is nothing to back up, and no store to list', async () => {
    assert.deepEqual(failureOf(await bare(['backup'])), { exit: 2, code: 'CONFIG_INVALID' });
    assert.deepEqual(failureOf(await bare(['snapshots'])), { exit: 2, code: 'USAGE' });
    const env = { STILLPOINT_CONFIG: 'absent.yaml' };
    assert.deepEqual(failureOf(await bare(['backup'], env)), { exit: 2, code: 'CONFIG_INVALID' });
  });

  test('a place without a store is 10, a wrong passphrase is 12', async () => {
    const env = { STILLPOINT_PASSPHRASE: 'wrong' };
    const missing = await bare(['snapshots', '--store', 'nowhere'], env);
    assert.deepEqual(failureOf(missing), { exit: 10, code: 'STORE_MISSING' });
    assert.deepEqual(failureOf(await bare(['snapshots', '--store', elsewhere], env)), {
      exit: 10,
      code: 'STORE_MISSING',
    });
    for (const command of [['snapshots'], ['backup']]) {
      const ended = await here(command, env);
      assert.deepEqual(failureOf(ended), { exit: 12, code: 'STORE_WRONG_PASSPHRASE' }, command[0]);
    }
    assert.equal(rig.instance.latches.length, 0);
  });

  test('a password in an argument is refused and not repeated', async () => {
    const env = { STILLPOINT_PASSPHRASE: 'any' };
    const home = join(rig.folder, 'never');
    for (const args of [
      ['snapshots', '--store', 's3://user:hunter2@host/bucket'],
      ['restore', 'latest', '--home', home, '--database', 'postgresql://u:hunter2@127.0.0.1/x'],
      ['restore', 'latest', '--home', home, '--database', 'postgresql://u@127.0.0.1/x?password=hunter2'],
    ]) {
      const ended = await bare(args, env);
      assert.deepEqual(failureOf(ended), { exit: 2, code: 'USAGE' });
      assert.doesNotMatch(ended.stdout + ended.stderr, /hunter2/);
    }
  });

  test('init makes no store where there is something', async () => {
    const before = contentsOf(rig.store);
    assert.deepEqual(failureOf(await here(['init'])), { exit: 1, code: 'STORE_EXISTS' });
    assert.deepEqual(contentsOf(rig.store), before);
    const full = join(rig.folder, 'full');
    mkdirSync(full);
    writeFileSync(join(full, 'something'), '');
    const ended = await here(['init', '--store', full]);
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'STORE_NOT_EMPTY' });
    assert.deepEqual(readdirSync(full), ['something']);
  });

  test('without a snapshot there is no latest, and none of any name', async () => {
    for (const name of ['latest', 'abcd', 'abc']) {
      const ended = await here(['show', name]);
      assert.deepEqual(failureOf(ended), { exit: 1, code: 'SNAPSHOT_UNKNOWN' }, name);
    }
    assert.deepEqual((await here(['snapshots'])).json[0]?.['snapshots'], []);
  });

  test('backup, snapshots, show and verify say in JSON what they promise, and nothing on stderr', async () => {
    const backup = await asProcess(['backup', '--json', '--tag', 'one', '--tag', 'two']);
    assert.deepEqual([backup.code, backup.stderr], [0, '']);
    assert.equal(backup.stdout.trimEnd().split('\n').length, backup.json.length);
    for (const { messageType } of backup.json.slice(0, -1))
      assert.match(String(messageType), /^(status|warning)$/);
    const summary = backup.json.at(-1)!;
    assertShape(summary, {
      messageType: 'summary',
      snapshot: hex64,
      parent: null,
      instance: 'bitbucket',
      durationMs: Number,
      latch: { heldMs: Number, lockMs: Number, drainMs: Number, captureMs: Number, unlockMs: Number },
      home: { files: Number, changed: Number, bytes: Number, changedInLatch: Number },
      database: { tables: Number, rows: Number, segments: Number, changedSegments: Number, bytes: Number },
      stored: { newChunks: Number, newBytes: Number, packedBytes: Number },
    });

    const listed = await rig.program(['snapshots', '--json']);
    assert.deepEqual([listed.code, listed.stderr, listed.json.length], [0, '', 1]);
    const [snapshot] = listed.json[0]!['snapshots'] as Record<string, unknown>[];
    assertShape(snapshot!, {
      id: String(summary['snapshot']),
      instance: 'bitbucket',
      time: utc,
      parent: null,
      fence: 'latched',
      latchHeldMs: Number,
      homeFiles: Number,
      homeBytes: Number,
      databaseRows: Number,
      verifiedAt: null,
      held: false,
    });
    assert.deepEqual(snapshot!['tags'], ['one', 'two']);

    const shown = await rig.program(['show', 'latest', '--json']);
    assert.deepEqual([shown.code, shown.stderr, shown.json[0]?.['id']], [0, '', summary['snapshot']]);

    const verified = await asProcess(['verify', '--read-data', '--json']);
    assert.deepEqual([verified.code, verified.stderr], [0, '']);
    const { ok, snapshots, damage, chunksChecked, bytesRead } = verified.json.at(-1)!;
    assert.deepEqual({ ok, snapshots, damage }, { ok: true, snapshots: 1, damage: [] });
    assert.ok(Number(chunksChecked) > 0 && Number(bytesRead) > 0);
  });

  test('for people: text on stdout, nothing on stderr unless progress is asked for', async () => {
    for (const args of [['backup'], ['list'], ['show', 'latest'], ['verify'], ['unlock'], ['doctor']]) {
      const { code, stdout, stderr } = await asProcess(args);
      assert.deepEqual([code, stderr], [0, ''], args[0]);
      assert.ok(stdout.length > 0 && !stdout.startsWith('{'));
    }
    const env = { STILLPOINT_PROGRESS_FPS: '100' };
    const { code, stderr } = await asProcess(['backup'], env);
    assert.equal(code, 0);
    assert.match(stderr, /pre-scan/);
    const quiet = await asProcess(['snapshots', '-q', '--store', 'nowhere']);
    assert.match(quiet.stderr, /^stillpoint: Cannot /);
  });

  test('a snapshot is named by its id or the beginning of it, if only one begins so', async () => {
    const twins = [await backUpNamed(rig, 'feed01'), await backUpNamed(rig, 'feed02')];
    for (const [name, id] of [
      ['feed01', twins[0]],
      ['FEED02', twins[1]],
      [twins[0]!, twins[0]],
      ['latest', twins[1]],
    ]) {
      assert.equal((await here(['show', name!])).json[0]?.['id'], id, name);
    }
    assert.deepEqual(failureOf(await here(['verify', 'feed'])), { exit: 2, code: 'SNAPSHOT_AMBIGUOUS' });
    assert.deepEqual(failureOf(await here(['show', 'fee'])), {
      exit: 1,
      code: 'SNAPSHOT_UNKNOWN',
    });
    const verified = await here(['verify', 'feed01', 'feed02']);
    assert.equal(verified.json.at(-1)?.['snapshots'], 2);
  });

  test('a second backup beside a running one is 11, and does not disturb it', async () => {
    const first = await backUpAndStopAt(rig, 'capture');
    const locked = rig.instance.latches.length;
    const second = await rig.program(['backup', '--json']);
    assert.deepEqual(failureOf(second), { exit: 11, code: 'RUN_ACTIVE' });
    const unlock = await rig.program(['unlock', '--json']);
    assert.deepEqual(failureOf(unlock), { exit: 11, code: 'RUN_ACTIVE' });
    assert.deepEqual([rig.instance.isLocked, rig.instance.latches.length], [true, locked]);
    first.tell('go on');
    const { code, json } = await first.ended;
    assert.deepEqual([code, json.at(-1)?.['messageType']], [0, 'summary']);
  });

  test('two instances are backed up into one store at a time, and latest must say of which', async () => {
    const file = join(rig.folder, 'other.yaml');
    writeFileSync(
      file,
      readFileSync(rig.configFile, 'utf8').replace('instance: bitbucket', 'instance: other'),
    );
    const first = await backUpAndStopAt(rig, 'commit');
    const other = await rig.summary(['backup', '--tag', 'weekly', '--config', file, '--json']);
    first.tell('go on');
    const { code, json } = await first.ended;
    assert.equal(code, 0);

    // A configuration says which instance is meant; without one it must be said.
    const store = { STILLPOINT_STORE: rig.store, STILLPOINT_PASSPHRASE_FILE: join(rig.folder, 'passphrase') };
    assert.deepEqual(failureOf(await bare(['show', 'latest'], store)), {
      exit: 2,
      code: 'SNAPSHOT_AMBIGUOUS',
    });
    assert.equal(
      (await bare(['show', 'latest', '--tag', 'weekly'], store)).json[0]?.['id'],
      other['snapshot'],
    );
    for (const [args, id] of [
      [[], json.at(-1)?.['snapshot']],
      [['--instance', 'bitbucket'], json.at(-1)?.['snapshot']],
      [['--instance', 'other'], other['snapshot']],
      [['--config', file], other['snapshot']],
    ] as const) {
      assert.equal((await here(['show', 'latest', ...args])).json[0]?.['id'], id);
    }
    const listed = (await here(['snapshots', '--instance', 'other'])).json[0]!;
    assert.deepEqual(
      (listed['snapshots'] as { id: unknown }[]).map(({ id }) => id),
      [other['snapshot']],
    );
    assert.equal((await here(['verify'])).json.at(-1)?.['snapshots'], manifestsOf(rig).length);
  });

  test('an application that somebody else locked is 11, and stays locked', async () => {
    const manifests = manifestsOf(rig);
    const { url, admin } = rig.instance;
    const headers = { authorization: `Basic ${btoa(`${admin.user}:${admin.password}`)}` };
    const answer = await fetch(`${url}/mvc/maintenance/lock`, { method: 'POST', headers });
    const { unlockToken } = (await answer.json()) as { unlockToken: string };
    assert.deepEqual(failureOf(await rig.program(['backup', '--json'])), { exit: 11, code: 'APP_LOCKED' });
    assert.deepEqual(failureOf(await rig.program(['unlock', '--json'])), {
      exit: 21,
      code: 'APP_STILL_LOCKED',
    });
    assert.equal(rig.instance.isLocked, true);
    assert.deepEqual(manifestsOf(rig), manifests);

    const tokenFile = join(rig.folder, 'token');
    writeFileSync(tokenFile, `${unlockToken}\n`);
    const { unlocked } = await rig.summary(['unlock', '--token-file', tokenFile, '--json']);
    assert.deepEqual([unlocked, rig.instance.isLocked], [1, false]);
  });

  test('a store that a newer program prunes is 10, and nothing is written or locked', async () => {
    mkdirSync(join(rig.store, 'gc'), { recursive: true });
    writeFileSync(join(rig.store, 'gc', '1.later'), 'whatever a later version writes');
    const before = contentsOf(rig.store);
    const latches = rig.instance.latches.length;
    assert.deepEqual(failureOf(await rig.program(['backup', '--json'])), { exit: 10, code: 'STORE_NEWER' });
    assert.deepEqual(contentsOf(rig.store), before);
    assert.equal(rig.instance.latches.length, latches);
  });
});

/** Backs up with an id that begins as told. */
async function backUpNamed(rig: Rig, beginning: string): Promise<string> {
  const { clock, randomness } = systemSeams;
  const bytes = (count: number) => {
    const random = randomness.bytes(count);
    if (count === 32) random.set(Buffer.from(beginning, 'hex'));
    return random;
  };
  const seams = { clock, randomness: { bytes } };
  const { code, json, stderr } = await runHere(['backup', '--json'], {
    cwd: rig.folder,
    env: rig.env,
    seams,
  });
  assert.equal(code, 0, stderr);
  return String(json.at(-1)?.['snapshot']);
}

/** Every file with its size and time. */
function contentsOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map(file => `${file} ${statSync(file).mtimeMs} ${readFileSync(file).length}`)
    .sort();
}

type Shape = Readonly<Record<string, unknown>>;

/** Fails unless the document has at least these fields: values, patterns, numbers, documents. */
function assertShape(document: Shape, shape: Shape): void {
  for (const [name, expected] of Object.entries(shape)) {
    const value = document[name];
    if (expected === Number) assert.ok(typeof value === 'number' && value >= 0, `${name} is ${value}`);
    else if (expected instanceof RegExp) assert.match(String(value), expected);
    else if (typeof expected === 'object' && expected !== null)
      assertShape(value as Shape, expected as Shape);
    else assert.equal(value, expected, name);
  }
}
