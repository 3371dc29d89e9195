import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import type { RestoreTarget, Rig } from '../../../bench/rig/index.ts';
import { systemSeams } from '../../../store/index.ts';
import { assertDatabasesEqual } from '../../helpers/database-equal.ts';
import { assertEndings, type Mishap, rigAtWork, runOn } from '../../helpers/endings.ts';
import { restoreArguments } from '../../helpers/small-rig.ts';

const marker = '.stillpoint-restore-unfinished';

describe('a restore that is asked for what it must not do', () => {
  let rig: Rig;

  before(async () => {
    rig = await rigAtWork();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('into what holds anything writes nothing', async context => {
    const refused = {
      name: 'restore target that holds anything',
      exit: 1,
      code: 'TARGET_NOT_EMPTY',
    } as const;
    const [home, database, both, other] = ['in_home', 'in_database', 'in_both', 'other'].map(rig.target) as [
      RestoreTarget,
      RestoreTarget,
      RestoreTarget,
      RestoreTarget,
    ];
    const file = (target: RestoreTarget, name: string, text = 'mine') => {
      mkdirSync(target.home, { recursive: true });
      writeFileSync(join(target.home, name), text);
    };
    const table = async (target: RestoreTarget) => {
      await rig.server.createDatabase(new URL(target.databaseUrl).pathname.slice(1));
      await query(target, 'CREATE TABLE mine (id int)');
    };
    file(home, 'file');
    await table(database);
    file(both, '.hidden');
    await table(both);
    file(other, marker, `${'ab'.repeat(32)}\n-\n`);
    const into = (where: string, target: RestoreTarget): Mishap => ({
      ...refused,
      where,
      args: restoreArguments(target),
    });
    await assertEndings(context, rig, [
      into('a file', home),
      into('a table', database),
      into('both', both),
      into('a marker of another snapshot', other),
      { ...into('the home itself', { ...home, home: rig.instance.home }) },
    ]);
    assert.deepEqual(readdirSync(home.home), ['file']);
    assert.deepEqual([existsSync(database.home), readdirSync(both.home)], [false, ['.hidden']]);
    assert.deepEqual(readdirSync(other.home), [marker]);
    for (const target of [database, both]) assert.deepEqual(await tablesOf(target), ['mine']);
    const names = (
      await query({ databaseUrl: rig.server.superuserUrl }, 'SELECT datname FROM pg_database')
    ).map(row => row['datname']);
    assert.ok(!names.includes('in_home') && !names.includes('other'), 'no database was made');
  });

  test('a folder with lost+found alone is empty', async () => {
    const target = rig.target('mounted');
    mkdirSync(join(target.home, 'lost+found'), { recursive: true });
    await rig.instance.stopWriter();
    await runOn(rig);
    const { code, stderr } = await runOn(rig, { args: restoreArguments(target) });
    assert.equal(code, 0, stderr);
    await assertDatabasesEqual(rig.instance.databaseUrl, target.databaseUrl);
  });

  test('of a snapshot that is not there, or is not the only one of that name', async context => {
    for (let made = 0; made < 2; made += 1) {
      const { clock, randomness } = systemSeams;
      const bytes = (count: number) => {
        const random = randomness.bytes(count);
        if (count === 32) random.set([0xfe, 0xed, made]);
        return random;
      };
      const { code, stderr } = await runOn(rig, { seams: { clock, randomness: { bytes } } });
      assert.equal(code, 0, stderr);
    }
    const target = rig.target('unknown');
    const named = (snapshot: string) => ({ where: snapshot, args: restoreArguments(target, snapshot) });
    const unknown = { name: 'snapshot unknown', exit: 1, code: 'SNAPSHOT_UNKNOWN' } as const;
    const ambiguous = { name: 'snapshot ambiguous', exit: 2, code: 'SNAPSHOT_AMBIGUOUS' } as const;
    await assertEndings(context, rig, [
      { ...unknown, ...named('0123abcd') },
      { ...unknown, ...named('fee'), where: 'a beginning of 3' },
      { ...unknown, ...named('latst') },
      { ...unknown, ...named(`feed00${'0'.repeat(60)}`), where: 'too long' },
      { ...ambiguous, ...named('feed') },
    ]);
    assert.equal(existsSync(target.home), false);
    assert.equal((await runOn(rig, { args: ['show', 'feed01'] })).code, 0);
  });
});

async function tablesOf(target: RestoreTarget): Promise<unknown[]> {
  const sql = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
  return (await query(target, sql)).map(row => row['relname']);
}

async function query(
  { databaseUrl }: Pick<RestoreTarget, 'databaseUrl'>,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
