import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type RestoreTarget, type Rig, runProgram } from '../../bench/rig/index.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { failureOf, restoreArguments, smallRig, until } from '../helpers/small-rig.ts';

const marker = '.stillpoint-restore-unfinished';
const killsMax = 3;

describe('a restore', () => {
  let rig: Rig;
  let ids: string[];

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 600, rows: 400 });
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

  test('without a way into the server is refused before anything is written', async () => {
    const target = rig.target('no_way');
    const env = { PGPASSWORD: 'wrong' };
    const ended = await rig.program([...restoreArguments(target), '--json'], { env });
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'DATABASE_UNREACHABLE' });
    assert.equal(existsSync(target.home), false);
  });

  test('that was killed leaves a marker: another snapshot is refused, the same command begins again', async context => {
    const target = await killOnTheWay(context.diagnostic.bind(context));
    const [other, same] = ids;
    const before = readdirSync(target.home).sort();
    for (const only of [[], ['--only', 'home']]) {
      const refused = await rig.program([...restoreArguments(target, other), ...only, '--json']);
      assert.deepEqual(failureOf(refused), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    }
    assert.deepEqual(readdirSync(target.home).sort(), before);

    const { code, stderr, json } = await rig.program([...restoreArguments(target, same), '--json']);
    assert.deepEqual([code, stderr], [0, '']);
    const { messageType, snapshot, verified, durationMs, afterwards, home, database } = json.at(-1)!;
    assert.deepEqual([messageType, snapshot, verified], ['summary', same, true]);
    assert.ok(Number(durationMs) > 0 && Array.isArray(afterwards));
    const counts = { ...(home as object), ...(database as object) };
    for (const name of ['files', 'bytes', 'tables', 'rows'] as const)
      assert.ok((counts as Record<string, number>)[name]! > 0, name);
    assert.match(String(afterwards[0]), /jdbc\.url/, 'a twin must not write to the live database');

    await assertEqualsOriginal(rig.instance, target.home);
    await assertDatabasesEqual(rig.instance.databaseUrl, target.databaseUrl);
    const again = await rig.program([...restoreArguments(target, same), '--json']);
    assert.deepEqual(failureOf(again), { exit: 1, code: 'TARGET_NOT_EMPTY' });
  });

  test('needs nothing but the store and the passphrase, as on a new machine', async () => {
    const elsewhere = join(rig.folder, 'elsewhere');
    mkdirSync(elsewhere);
    const env = { STILLPOINT_PASSPHRASE_COMMAND: `cat ${join(rig.folder, 'passphrase')}` };
    const bare = async (args: readonly string[], more: Record<string, string> = {}) => {
      const ended = await runProgram(args, { cwd: elsewhere, env: { ...env, ...more } });
      assert.deepEqual([ended.code, ended.stderr], [0, ''], args.join(' '));
      return ended;
    };
    const listed = await bare(['snapshots', '--store', '../store', '--json']);
    assert.equal((listed.json[0]?.['snapshots'] as unknown[]).length, 2);
    await bare(['verify', '--store', rig.store]);
    const shown = await bare(['show', ids[1]!.slice(0, 8), '--config'], { STILLPOINT_STORE: rig.store });
    const password = new URL(rig.server.superuserUrl).password;
    for (const secret of [password, decodeURIComponent(password), rig.instance.admin.password])
      assert.ok(!shown.stdout.includes(secret));
    assert.match(shown.stdout, /"passphraseFile"/);

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
    assert.deepEqual(readdirSync(elsewhere), ['home']);
  });

  /** Kills restores of the newest snapshot until one has left both halves unfinished. */
  async function killOnTheWay(say: (text: string) => void): Promise<RestoreTarget> {
    for (let kill = 1; kill <= killsMax; kill += 1) {
      const target = rig.target(`killed${kill}`);
      const program = rig.start(restoreArguments(target, ids[1]));
      let hasEnded = false;
      void program.ended.then(() => {
        hasEnded = true;
      });
      const folder = join(target.home, 'shared');
      await until(
        () => hasEnded || (existsSync(folder) && existsSync(join(target.home, marker))),
        'it writes',
      );
      program.kill('SIGKILL');
      await program.ended;
      if (existsSync(join(target.home, marker)) && (await isDatabase(target))) return target;
      say(`kill ${kill} came too early or too late`);
    }
    throw new Error('no kill came in the middle');
  }

  async function isDatabase({ databaseUrl }: RestoreTarget): Promise<boolean> {
    const name = new URL(databaseUrl).pathname.slice(1);
    const sql = `SELECT 1 FROM pg_database WHERE datname = '${name}'`;
    return (await query({ databaseUrl: rig.server.superuserUrl }, sql)).length > 0;
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
