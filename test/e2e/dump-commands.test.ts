import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { runIn } from '../helpers/run-in.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { failureOf } from '../helpers/small-rig.ts';
import { testPassphrase } from '../helpers/stores.ts';

/** A text as a dump tool prints it: 40,000 rows, none like another. */
const rowsOf = (count: number): string =>
  Array.from(
    { length: count },
    (_, i) => `INSERT INTO t VALUES (${i}, '${(i * 2_654_435_761) % 2 ** 32}');\n`,
  ).join('');

describe('database.type: command', { skip: process.platform === 'win32' }, () => {
  const scratch = scratchFolder();
  const at = (name: string) => join(scratch.path, name);
  /** What commands did, a line each. */
  const said = () => (existsSync(at('log')) ? readFileSync(at('log'), 'utf8').trim().split('\n') : []);
  const snapshots = () =>
    existsSync(at('store/manifests')) ? readdirSync(at('store/manifests')).sort() : [];
  const outside = process.env['STILLPOINT_PASSPHRASE'];
  let known: readonly string[] = [];

  const here = (args: readonly string[], env: Record<string, string> = {}) =>
    runIn(scratch.path, args, { env });
  const configure = (database: Record<string, unknown>, more: Record<string, unknown> = {}) => {
    const config = {
      instance: 'forge',
      store: 'store',
      home: { path: 'home' },
      database: { type: 'command', ...database },
      app: {
        type: 'command',
        lock: 'echo lock >> log; touch locked',
        unlock: 'echo unlock >> log; rm -f locked',
      },
      ...more,
    };
    writeFileSync(at('stillpoint.yaml'), JSON.stringify(config));
  };
  const succeed = (ended: Ended) => {
    assert.equal(ended.code, 0, ended.stderr);
    return ended.json.at(-1) as {
      snapshot: string;
      parent: string;
      database: Record<string, number>;
      definitions: unknown;
      stored: { newBytes: number };
    };
  };

  before(async () => {
    mkdirSync(at('home'));
    writeFileSync(at('home/file'), 'of the home');
    writeFileSync(at('rows'), rowsOf(40_000));
    process.env['STILLPOINT_PASSPHRASE'] = 'no command is told';
    configure({ dump: 'cat rows' });
    succeed(await here(['init']));
  });
  beforeEach(() => {
    rmSync(at('log'), { force: true });
    known = snapshots();
  });
  after(() => {
    if (outside === undefined) delete process.env['STILLPOINT_PASSPHRASE'];
    else process.env['STILLPOINT_PASSPHRASE'] = outside;
    scratch[Symbol.dispose]();
  });

  test('what it prints inside the window is stored once, and comes back through the restore command', async () => {
    const dump =
      'test -e locked && test -z "$STILLPOINT_PASSPHRASE" && echo "$STILLPOINT_MOMENT $STILLPOINT_INSTANCE" >> log && cat rows';
    const restore =
      'test "$STILLPOINT_MOMENT" = restore-database && echo "$STILLPOINT_SNAPSHOT" >> log && cat > "$STILLPOINT_DATABASE"';
    configure({ dump, restore, check: 'test ! -e "$STILLPOINT_DATABASE"' });
    const first = succeed(await here(['backup']));
    assert.deepEqual(said(), ['lock', 'dump forge', 'unlock']);
    assert.equal(first.database['bytes'], rowsOf(40_000).length);
    const again = succeed(await here(['backup']));
    assert.equal(again.database['changedSegments'], 0);
    const lines = rowsOf(40_000).split('\n');
    lines.splice(20_000, 0, 'INSERT INTO t VALUES (-1, 0);');
    writeFileSync(at('rows'), lines.join('\n'));
    const third = succeed(await here(['backup']));
    assert.equal(third.database['changedSegments'], 1);
    assert.ok(third.stored.newBytes < first.stored.newBytes / 4, `${third.stored.newBytes} bytes are new`);

    const listed = await here(['ls', 'latest', 'database:']);
    assert.match(listed.stdout, /database:dump/);
    const printed = await runHere(['cat', 'latest', 'database:dump'], {
      cwd: scratch.path,
      env: { STILLPOINT_STORE: at('store'), STILLPOINT_PASSPHRASE: testPassphrase },
    });
    assert.equal(printed.stdout, lines.join('\n'));
    const compared = await here(['diff', third.parent, third.snapshot]);
    assert.deepEqual(succeed(compared).definitions, ['dump']);
    assert.equal((await here(['verify', '--read-data'])).code, 0);

    const target = ['restore', 'latest', '--home', at('back'), '--database', 'restored.sql'];
    succeed(await here(target));
    assert.equal(readFileSync(at('restored.sql'), 'utf8'), lines.join('\n'));
    assert.equal(readFileSync(at('back/file'), 'utf8'), 'of the home');
    assert.deepEqual(
      failureOf(await here(['restore', 'latest', '--home', at('other'), '--database', 'restored.sql'])),
      {
        exit: 1,
        code: 'TARGET_NOT_EMPTY',
      },
    );
    assert.equal(existsSync(at('other')), false, 'nothing was written');
    assert.deepEqual(failureOf(await here([...target, '--set-jdbc'])), { exit: 2, code: 'USAGE' });
  });

  for (const [dump, code] of [
    ['cat rows; exit 3', 'COMMAND_FAILED'],
    ['cat rows; kill -9 $$', 'COMMAND_FAILED'],
    ['true', 'DATABASE_FAILED'],
    ['false | gzip', 'DATABASE_FAILED'],
    ['false; echo', 'DATABASE_FAILED'],
    ['cat rows; sleep 60 & echo done', 'COMMAND_FAILED'],
    ['trap "" TERM; cat rows; sleep 60; sleep 60', 'COMMAND_FAILED'],
  ] as const) {
    test(`one that does \`${dump}\` leaves neither a snapshot nor a lock`, async () => {
      configure({ dump: { run: dump, timeout: '1s' } });
      assert.deepEqual(failureOf(await here(['backup'])), { exit: 1, code });
      assert.equal(existsSync(at('locked')), false);
      assert.deepEqual(snapshots(), known);
    });
  }

  test('one that certainly cannot run is refused before the lock', async () => {
    configure({ dump: 'no-such-dump-tool --all' });
    assert.deepEqual(failureOf(await here(['backup'])), { exit: 2, code: 'CONFIG_INVALID' });
    assert.deepEqual(said(), []);
  });

  test('an id that it prints last is recorded, shown and handed to the restore command', async () => {
    configure({
      dump: 'echo working; echo snap-17',
      output: 'id',
      restore: 'echo "$STILLPOINT_OUTPUT" >> log',
    });
    succeed(await here(['backup']));
    const { database } = (await here(['show', 'latest'])).json.at(-1) as {
      database: Record<string, unknown>;
    };
    assert.deepEqual([database['type'], database['id'], database['output']], ['command', 'snap-17', 'id']);
    succeed(await here(['restore', 'latest', '--only', 'database', '--database', 'wherever']));
    assert.equal(said().at(-1), 'snap-17');
    assert.equal((await here(['verify'])).code, 0);
  });

  test('a dump after the unlock needs a view that was pinned in the window, and lets it go', async () => {
    const pin = 'test -e locked && cp rows view && echo view';
    const dump = 'echo dump >> log; cat "$STILLPOINT_OUTPUT"; echo position-9 >&3';
    const unpin = 'echo unpin >> log; rm -f view';
    configure({ pin, dump, unpin });
    const planned = succeed(await here(['backup', '--dry-run'])) as unknown as {
      commands: { moment: string }[];
    };
    assert.deepEqual(
      planned.commands.map(({ moment }) => moment),
      ['pin', 'dump', 'unpin'],
    );
    assert.deepEqual(said(), [], 'a dry run runs none');
    succeed(await here(['backup']));
    assert.deepEqual(said(), ['lock', 'unlock', 'dump', 'unpin']);
    const { database } = (await here(['show', 'latest'])).json.at(-1) as { database: { id: string } };
    assert.equal(database.id, 'position-9');
    configure({ pin, dump: 'exit 4', unpin });
    assert.equal((await here(['backup'])).code, 1);
    assert.equal(said().at(-1), 'unpin');
    configure({ pin: 'true', dump, unpin });
    assert.deepEqual(failureOf(await here(['backup'])), { exit: 1, code: 'DATABASE_FAILED' });
    assert.equal(existsSync(at('locked')), false);
    configure({ pin, dump });
    assert.deepEqual(failureOf(await here(['backup'])), { exit: 2, code: 'CONFIG_INVALID' });
  });

  test('a restore command that fails leaves the mark, and the same restore goes on', async () => {
    configure({ dump: 'cat rows' });
    succeed(await here(['backup']));
    const target = ['restore', 'latest', '--home', at('half'), '--database', 'half.sql'];
    assert.deepEqual(failureOf(await here(target)), { exit: 2, code: 'USAGE' });
    for (const restore of ['cat > /dev/null; exit 5', 'head -c 10 > /dev/null']) {
      configure({ dump: 'cat rows', restore });
      assert.deepEqual(failureOf(await here(target)), { exit: 1, code: 'COMMAND_FAILED' }, restore);
      assert.ok(readdirSync(at('half')).some(name => name.startsWith('.stillpoint-restore-unfinished')));
    }
    configure({ dump: 'cat rows', restore: 'cat > "$STILLPOINT_DATABASE"' });
    succeed(await here(target));
    assert.equal(readFileSync(at('half.sql'), 'utf8'), readFileSync(at('rows'), 'utf8'));
    assert.deepEqual(readdirSync(at('half')), ['file']);
  });
});
