import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Ended } from '../../bench/rig/index.ts';
import { runIn } from '../helpers/run-in.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { failureOf, until } from '../helpers/small-rig.ts';

/** Writes rows as fast as it can, in WAL mode and with checkpoints, but for as long as it is locked. */
const sqliteWriter = `
import os, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA journal_mode=WAL'); db.execute('PRAGMA wal_autocheckpoint=20')
db.execute('CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b TEXT)'); db.commit()
n = 0
while True:
    if os.path.exists('locked'):
        with open('rested.new', 'w') as f: f.write(str(db.execute('SELECT count(*) FROM t').fetchone()[0]))
        os.rename('rested.new', 'rested')
        while os.path.exists('locked'): time.sleep(0.005)
        os.remove('rested')
    for _ in range(20):
        db.execute('INSERT INTO t (b) VALUES (?)', ('x' * (n % 900),)); n += 1
    db.commit()
`;

/** Writes through memory into a page that is dirty already, of which no time of the file tells. */
const memoryWriter = `
import mmap, os, sys, time
f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0)
m[0:5] = b'early'
open('mapped', 'w').close()
while not os.path.exists('now'): time.sleep(0.005)
m[0:5] = b'later'
open('written', 'w').close()
time.sleep(60)
`;

const canPython = spawnSync('python3', ['-c', 'import sqlite3, mmap']).status === 0;

describe('database.type: internal', { skip: canPython ? false : 'python3 with sqlite3 is not here' }, () => {
  const scratch = scratchFolder();
  const at = (name: string) => join(scratch.path, name);
  let writer: ChildProcess | undefined;

  const here = (args: readonly string[]) => runIn(scratch.path, args);
  const configure = (more: Record<string, unknown> = {}) => {
    const config = {
      instance: 'forge',
      store: 'store',
      home: { path: 'home' },
      database: { type: 'internal' },
      app: { type: 'command', lock: 'touch locked', unlock: 'rm -f locked' },
      ...more,
    };
    writeFileSync(at('stillpoint.yaml'), JSON.stringify(config));
  };
  const succeed = (ended: Ended) => {
    assert.equal(ended.code, 0, ended.stderr);
    return ended.json.at(-1)!;
  };
  const start = (script: string, file: string) => {
    writer = spawn('python3', ['-c', script, file], { cwd: scratch.path, stdio: 'inherit' });
  };
  const ask = (file: string, sql: string): string => {
    const script =
      'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])';
    return spawnSync('python3', ['-c', script, file, sql], { encoding: 'utf8' }).stdout.trim();
  };

  before(async () => {
    mkdirSync(at('home/shared/data'), { recursive: true });
    writeFileSync(at('home/file'), 'of the home');
    configure();
    succeed(await here(['init']));
  });
  afterEach(async () => {
    const ended = writer && new Promise(resolve => writer!.once('exit', resolve));
    writer?.kill('SIGKILL');
    await ended;
    writer = undefined;
    for (const name of ['locked', 'rested']) rmSync(at(name), { force: true });
  });
  after(() => scratch[Symbol.dispose]());

  test('a database that is written to until the lock is whole, with every row of then and none of later', async () => {
    const file = at('home/shared/data/db.sqlite');
    const wait = 'for i in $(seq 500); do test -e rested && exit 0; sleep 0.01; done; exit 1';
    configure({
      app: { type: 'command', lock: 'touch locked', wait, unlock: 'rm -f locked' },
      hooks: { inWindow: [{ run: 'cat rested', name: 'rows' }] },
    });
    start(sqliteWriter, file);
    await until(
      () => existsSync(file) && Number(ask(file, 'SELECT count(*) FROM t')) > 100,
      'rows are there',
    );
    for (const n of [1, 2]) {
      const { commands } = succeed(await here(['backup'])) as {
        commands: { name: string; output: string }[];
      };
      const rows = commands.find(({ name }) => name === 'rows')?.output;
      if (n === 2) succeed(await here(['verify', '--read-data']));
      succeed(await here(['restore', 'latest', '--home', at(`back${n}`)]));
      const restored = at(`back${n}/shared/data/db.sqlite`);
      assert.equal(ask(restored, 'SELECT count(*) FROM t'), rows);
      assert.equal(ask(restored, 'PRAGMA integrity_check'), 'ok');
    }
    const { internal } = succeed(await here(['show', 'latest'])) as { internal: { path: string }[] };
    assert.ok(internal.some(({ path }) => path === 'shared/data/db.sqlite'));
    assert.ok(internal.some(({ path }) => path === 'shared/data/db.sqlite-wal'));
  });

  test('what is written through memory is read in the window, though no time of the file tells of it', async () => {
    const file = at('home/shared/data/db.h2.mv.db');
    writeFileSync(file, Buffer.alloc(64 * 1024, 'h2'));
    start(memoryWriter, file);
    await until(() => existsSync(at('mapped')), 'mapped');
    await new Promise(resolve => setTimeout(resolve, 100)); // the write is older than the look
    const write = 'touch now; for i in $(seq 500); do test -e written && exit 0; sleep 0.01; done; exit 1';
    configure({ hooks: { beforeLock: [write] } });
    succeed(await here(['backup']));
    succeed(await here(['restore', 'latest', '--home', at('mapped-back')]));
    const restored = readFileSync(at('mapped-back/shared/data/db.h2.mv.db'));
    assert.equal(restored.subarray(0, 5).toString(), 'later');
  });

  test('it is refused where nothing keeps its files still, and where there are none', async () => {
    for (const wrong of [
      { app: { type: 'none' } },
      { home: undefined },
      { database: { type: 'internal', url: 'postgresql://h/d' } },
    ]) {
      configure(wrong);
      for (const command of [['backup'], ['config', '--check']])
        assert.deepEqual(failureOf(await here(command)), { exit: 2, code: 'CONFIG_INVALID' });
    }
    configure({ database: { type: 'internal', files: ['/data/nothing.*'] } });
    assert.deepEqual(failureOf(await here(['backup'])), { exit: 1, code: 'DATABASE_FAILED' });
    assert.equal(existsSync(at('locked')), false);
    const both = ['restore', 'latest', '--home', at('x'), '--database', 'postgresql://h/d'];
    assert.deepEqual(failureOf(await here(both)), { exit: 2, code: 'USAGE' });
  });
});
