import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type RestoreTarget, type Rig, runHere, startProgram } from '../../bench/rig/index.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { failureOf, restoreArguments, smallRig, until } from '../helpers/small-rig.ts';

const marker = '.stillpoint-restore-unfinished';

describe('a restore', () => {
  let rig: Rig;
  let ids: string[];

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 600, rows: 400, inProcess: true });
    const summaries = [await rig.summary(['backup', '--json']), await rig.summary(['backup', '--json'])];
    ids = summaries.map(({ snapshot }) => String(snapshot));
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('into a folder that holds something is refused before anything is written', async () => {
    const target = rig.target('full_home');
    mkdirSync(target.home, { recursive: true });
    writeFileSync(join(target.home, 'mine'), 'mine');
    const ended = await rig.program([...restoreArguments(target), '--json']);
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    assert.deepEqual(readdirSync(target.home), ['mine']);
    assert.equal(await isDatabase(target), false);
  });

  test('into a database that holds something is refused before anything is written', async () => {
    const target = rig.target('full_database');
    await rig.server.createDatabase('full_database');
    await query(target, 'CREATE TABLE mine (id int); INSERT INTO mine VALUES (1)');
    const ended = await rig.program([...restoreArguments(target), '--json']);
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    assert.equal(existsSync(target.home), false);
    const tables = await query(
      target,
      "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    );
    assert.deepEqual(tables, [{ relname: 'mine' }]);
  });

  test('into the store, the live home or a template of databases is refused', async () => {
    const inside = (folder: string) => [
      'restore',
      'latest',
      '--only',
      'home',
      '--home',
      join(folder, 'inside'),
    ];
    for (const folder of [rig.store, rig.instance.home]) {
      const ended = await rig.program([...inside(folder), '--json']);
      assert.deepEqual(failureOf(ended), { exit: 2, code: 'USAGE' }, folder);
      assert.equal(existsSync(join(folder, 'inside')), false);
    }
    const { databaseArgument } = rig.target('template1');
    const only = ['restore', 'latest', '--only', 'database', '--database'];
    const template = await rig.program([...only, databaseArgument, '--json']);
    assert.deepEqual(failureOf(template), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    const nameless = await rig.program([...only, databaseArgument.replace('template1', ''), '--json']);
    assert.deepEqual(failureOf(nameless), { exit: 2, code: 'USAGE' });
  });

  test('without a way into the server is refused before anything is written', async () => {
    const target = rig.target('no_way');
    const env = { PGPASSWORD: 'wrong' };
    const ended = await rig.program([...restoreArguments(target), '--json'], { env });
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'DATABASE_RIGHTS' });
    assert.equal(existsSync(target.home), false);
  });

  test('that was killed leaves a marker: another snapshot is refused, the same command begins again', async () => {
    const target = rig.target('killed');
    const [other, same] = ids;
    const program = rig.start(restoreArguments(target, same));
    await until(() => isMarked(target), 'it writes');
    program.kill('SIGKILL');
    assert.equal((await program.ended).code, null);

    const before = readdirSync(target.home).sort();
    assert.ok(before.includes(marker));
    for (const only of [[], ['--only', 'home'], ['--only', 'database']]) {
      const refused = await rig.program([...restoreArguments(target, other), ...only, '--json']);
      assert.deepEqual(failureOf(refused), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    }
    assert.deepEqual(readdirSync(target.home).sort(), before);

    const { code, stderr, json } = await rig.program([...restoreArguments(target, same), '--json']);
    assert.deepEqual([code, stderr], [0, '']);
    assertSummary(json.at(-1)!);
    await assertEqualsOriginal(rig.instance, target.home);
    await assertDatabasesEqual(rig.instance.databaseUrl, target.databaseUrl);
    const again = await rig.program([...restoreArguments(target, same), '--json']);
    assert.deepEqual(failureOf(again), { exit: 1, code: 'TARGET_NOT_EMPTY' });
  });

  test('that was killed after the database lost its mark and before the home did begins again, too', async () => {
    const target = rig.target('killed');
    const { host } = new URL(target.databaseUrl);
    writeFileSync(join(target.home, marker), `${ids[1]}\n${host}/killed\n`);
    const refused = await rig.program([...restoreArguments(target, ids[0]), '--json']);
    assert.deepEqual(failureOf(refused), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    assertSummary(await rig.summary([...restoreArguments(target, ids[1]), '--json']));
    await assertEqualsOriginal(rig.instance, target.home);
    await assertDatabasesEqual(rig.instance.databaseUrl, target.databaseUrl);
  });

  function assertSummary(summary: Readonly<Record<string, unknown>>): void {
    const { messageType, snapshot, verified, durationMs, afterwards, home, database } = summary;
    assert.deepEqual([messageType, snapshot, verified], ['summary', ids[1], true]);
    assert.ok(Number(durationMs) > 0);
    const counts = { ...(home as object), ...(database as object) } as Record<string, number>;
    for (const name of ['files', 'bytes', 'tables', 'rows']) assert.ok(counts[name]! > 0, name);
    const [first] = afterwards as string[];
    assert.match(String(first), /jdbc\.url/, 'a twin must not write to the live database');
  }

  test('of one table, for another owner, or as SQL for psql', async () => {
    const here = (args: readonly string[]) => runHere(args, { cwd: rig.folder, env: rig.env });
    const target = rig.target('one_table');
    const table = ['restore', 'latest', '--table', 'public.comment', '--database', target.databaseArgument];
    const { database } = await rig.summary([...table, '--no-database-owner', '--no-grants', '--json']);
    const [found] = await query(
      target,
      'SELECT count(*)::int AS rows, (SELECT tableowner FROM pg_tables WHERE tablename = $$comment$$) AS owner FROM public.comment',
    );
    assert.deepEqual(found, { rows: (database as { rows: number }).rows, owner: 'postgres' });
    const again = await rig.program([...table, '--alongside', '--json']);
    assert.deepEqual(failureOf(again), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    for (const more of [
      ['--home', join(rig.folder, 'none')],
      ['--tablespace', 'fast'],
      ['--sql', '-'],
    ])
      assert.deepEqual(failureOf(await here([...table, ...more, '--json'])), { exit: 2, code: 'USAGE' });
    const nowhere = ['restore', 'latest', '--table', 'public.comment', '--json'];
    assert.deepEqual(failureOf(await here(nowhere)), { exit: 2, code: 'USAGE' });
    const whole = ['restore', 'latest', '--only', 'database', '--database', target.databaseArgument];
    assert.deepEqual(failureOf(await here([...whole, '--alongside', '--json'])), { exit: 2, code: 'USAGE' });

    const script = await here(['restore', 'latest', '--sql', '-']);
    assert.deepEqual([script.code, script.stderr], [0, '']);
    assert.match(script.stdout, /^-- The database [\s\S]*\nCOPY "public"\."comment" [\s\S]*\nCOMMIT;\n$/);
    const file = ['restore', 'latest', '--sql', 'database.sql', '--json'];
    await rig.summary(file);
    assert.equal(
      readFileSync(join(rig.folder, 'database.sql'), 'latin1').length > script.stdout.length / 2,
      true,
    );
    assert.deepEqual(failureOf(await here(file)), { exit: 1, code: 'TARGET_NOT_EMPTY' });
  });

  test('needs nothing but the store and the passphrase, as on a new machine', async () => {
    const elsewhere = join(rig.folder, 'elsewhere');
    mkdirSync(elsewhere);
    const env = { STILLPOINT_PASSPHRASE_COMMAND: `cat ${join(rig.folder, 'passphrase')}` };
    const bare = async (args: readonly string[], more: Record<string, string> = {}) => {
      const options = { cwd: elsewhere, env: { ...env, ...more } };
      // A restore must not have the password that this process has.
      const ended = await (args[0] === 'restore'
        ? startProgram(args, options).ended
        : runHere(args, options));
      assert.deepEqual([ended.code, ended.stderr], [0, ''], args.join(' '));
      return ended;
    };
    const listed = await bare(['snapshots', '--store', '../store', '--json']);
    assert.equal((listed.json[0]!['snapshots'] as unknown[]).length, 2);
    await bare(['verify', '--store', rig.store]);
    const shown = await bare(['show', ids[1]!.slice(0, 8), '--config'], { STILLPOINT_STORE: rig.store });
    const password = new URL(rig.server.superuserUrl).password;
    for (const secret of [password, decodeURIComponent(password), rig.instance.admin.password])
      assert.ok(!shown.stdout.includes(secret));
    assert.match(shown.stdout, /^passphraseFile: /m);
    // What made the snapshot is a configuration again, but for its secrets.
    writeFileSync(join(elsewhere, 'again.yaml'), shown.stdout);
    const again = await bare(['config', '--check', '--config', 'again.yaml', '--json']);
    const { configuration } = (await bare(['show', ids[1]!, '--store', rig.store, '--json'])).json[0]!;
    assert.deepEqual(again.json[0]!['configuration'], configuration);
    const both = await bare(['--config', rig.configFile, 'show', ids[1]!, '--config'], { PGPASSWORD: 'x' });
    assert.equal(both.stdout, shown.stdout);

    const home = join(elsewhere, 'home');
    const folder = join(home, 'lost+found');
    mkdirSync(folder, { recursive: true });
    await bare(['restore', 'latest', '--only', 'home', '--home', 'home', '--store', rig.store]);
    await assertEqualsOriginal(rig.instance, home, { ignore: ['lost+found'] });
    const target = rig.target('elsewhere');
    const { databaseArgument } = target;
    await bare(
      ['restore', ids[0]!, '--only', 'database', '--database', databaseArgument, '--store', rig.store],
      {
        PGPASSWORD: decodeURIComponent(password),
      },
    );
    await assertDatabasesEqual(rig.instance.databaseUrl, target.databaseUrl);
    assert.deepEqual(readdirSync(elsewhere).sort(), ['again.yaml', 'home']);
  });

  async function isDatabase({ databaseUrl }: RestoreTarget): Promise<boolean> {
    return (await commentsOf(databaseUrl)).length > 0;
  }

  async function isMarked({ databaseUrl }: RestoreTarget): Promise<boolean> {
    const [comment] = await commentsOf(databaseUrl);
    return comment?.startsWith('stillpoint: restore unfinished') ?? false;
  }

  /** One, perhaps empty, or none where there is no such database. */
  async function commentsOf(databaseUrl: string): Promise<string[]> {
    const sql = `SELECT coalesce(shobj_description(oid, 'pg_database'), '') AS comment FROM pg_database
      WHERE datname = '${new URL(databaseUrl).pathname.slice(1)}'`;
    const rows = await query({ databaseUrl: rig.server.superuserUrl }, sql);
    return (rows as { comment: string }[]).map(({ comment }) => comment);
  }
});

async function query({ databaseUrl }: Pick<RestoreTarget, 'databaseUrl'>, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
