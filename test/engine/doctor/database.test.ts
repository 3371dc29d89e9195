import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { type PostgresServer, startServer } from '../../../bench/servers/index.ts';
import { checkClocks } from '../../../engine/doctor/clocks.ts';
import { checkDumpTool } from '../../../engine/doctor/database/dump-tool.ts';
import { checkHeadRoom } from '../../../engine/doctor/database/head-room.ts';
import { checkReading } from '../../../engine/doctor/database/reading.ts';
import { checkServerSettings } from '../../../engine/doctor/database/settings.ts';
import { checkTransactions } from '../../../engine/doctor/database/transactions.ts';
import { systemClock } from '../../../store/index.ts';
import { findingsOf, statesOf } from '../../helpers/findings.ts';

let server: PostgresServer;
let owner: pg.Client;
const role = { name: 'backup', password: 'backup' };
const addressOf = (database: string, who?: typeof role) => ({
  type: 'postgresql' as const,
  url: server.url(database, who),
});
const reading = (database: string, who?: typeof role) =>
  findingsOf(checkReading(addressOf(database, who), { clock: systemClock }));

before(async () => {
  const settings = { fsync: 'on', full_page_writes: 'on', max_prepared_transactions: 5 };
  server = await startServer({ kind: 'embedded', settings });
  owner = new pg.Client({ connectionString: await server.createDatabase('one') });
  await owner.connect();
  await owner.query(
    `CREATE ROLE backup LOGIN PASSWORD 'backup'; CREATE TABLE open (a int); GRANT SELECT ON open TO backup`,
  );
});
after(async () => {
  await owner?.end();
  await server?.stop();
});

test('all is well with a server that has nothing wrong', async () => {
  const address = addressOf('one');
  for (const check of [checkServerSettings(address), checkHeadRoom(address), checkTransactions(address)])
    assert.deepEqual(await statesOf(check), ['ok'], check.name);
  assert.deepEqual(
    (await reading('one', role)).map(one => one.state),
    ['ok'],
  );
  assert.deepEqual(
    await statesOf(checkClocks({ clock: systemClock, applicationUrl: null, database: address })),
    ['ok'],
  );
});

test('a login that is refused fails once, and who cannot ask says nothing', async () => {
  const wrong = { ...role, password: 'wrong' };
  const [finding, ...more] = await reading('one', wrong);
  assert.deepEqual([finding?.state, more], ['failed', []]);
  const address = addressOf('one', wrong);
  for (const check of [
    checkServerSettings(address),
    checkHeadRoom(address),
    checkTransactions(address),
    checkDumpTool(address),
  ])
    assert.deepEqual(await statesOf(check), [], check.name);
});

test('a table that the role may not read fails with the grant, one whose rows are hidden with what shows them', async () => {
  await owner.query('CREATE TABLE closed (a int)');
  const [unreadable] = await reading('one', role);
  assert.equal(unreadable?.state, 'failed');
  assert.match(unreadable?.found ?? '', /public\.closed/);
  assert.match(unreadable?.remedy ?? '', /GRANT .* TO "?backup"?/);
  await owner.query('GRANT SELECT ON closed TO backup; ALTER TABLE closed ENABLE ROW LEVEL SECURITY');
  const [hidden] = await reading('one', role);
  assert.equal(hidden?.state, 'failed');
  assert.match(hidden?.remedy ?? '', /BYPASSRLS/);
  await owner.query('DROP TABLE closed');
});

test('a database without an encoding is warned of', async () => {
  await server.createDatabase('plain', `TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'`);
  assert.deepEqual(
    (await reading('plain')).map(one => one.state),
    ['ok', 'warning'],
  );
});

test('too few connections fail, few are warned of', async () => {
  const headRoom = async () => statesOf(checkHeadRoom(addressOf('one', role)));
  for (const [limit, state] of [
    [5, 'failed'],
    [8, 'warning'],
    [40, 'ok'],
  ] as const) {
    await owner.query(`ALTER ROLE backup CONNECTION LIMIT ${limit}`);
    assert.deepEqual(await headRoom(), [state], String(limit));
  }
  await owner.query('ALTER ROLE backup CONNECTION LIMIT -1; ALTER DATABASE one CONNECTION LIMIT 4');
  assert.deepEqual(await headRoom(), ['failed']);
  await owner.query('ALTER DATABASE one CONNECTION LIMIT -1');
});

test('settings that lose commits are warned of', async () => {
  await owner.query('ALTER DATABASE one SET synchronous_commit = off');
  assert.deepEqual(await statesOf(checkServerSettings(addressOf('one'))), ['warning']);
  await owner.query('ALTER DATABASE one RESET synchronous_commit');
});

test('who holds a table for itself is named, whether a session or a prepared transaction', async () => {
  const transactions = async () => findingsOf(checkTransactions(addressOf('one')));
  await owner.query('BEGIN; SELECT 1');
  assert.deepEqual(
    (await transactions()).map(one => one.state),
    ['ok'],
    'an open one is no matter',
  );
  await owner.query('LOCK TABLE open IN ACCESS EXCLUSIVE MODE');
  const [session] = await transactions();
  assert.equal(session?.state, 'warning');
  assert.match(session?.found ?? '', /postgres/);
  await owner.query(`PREPARE TRANSACTION 'left behind'`);
  const [prepared] = await transactions();
  assert.equal(prepared?.state, 'warning');
  assert.match(prepared?.found ?? '', /left behind/);
  await owner.query(`ROLLBACK PREPARED 'left behind'`);
  assert.deepEqual(
    (await transactions()).map(one => one.state),
    ['ok'],
  );
});
