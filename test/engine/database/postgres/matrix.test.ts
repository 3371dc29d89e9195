import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Counts,
  compareFixture,
  compareRandom,
  dumpToolFor,
  type Furnished,
} from '../../../../bench/matrix/compare-restored.ts';
import { furnish, makeDatabase } from '../../../../bench/matrix/round.ts';
import { sectionsOf } from '../../../../bench/matrix/sections.ts';
import {
  availableServers,
  type PostgresServer,
  startServer,
  withClient,
} from '../../../../bench/servers/index.ts';
import { readOutline } from '../../../../engine/database/postgres/outline/outline.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { backUp, restore, sql } from './on-servers.ts';

// The short form of `npm run matrix`: one server, of which a pg_dump says as much as the catalogs where there is one.
const servers = await availableServers();
const chosen = servers.find(one => one.clientDir !== null) ?? servers[0]!;
let server: PostgresServer;
let here: Furnished;

before(async () => {
  server = await startServer({
    kind: chosen.kind,
    major: chosen.major,
    settings: { max_locks_per_transaction: 256, wal_level: 'logical' },
  });
  here = { server, ...(await furnish(server)) };
});
after(() => server.stop());

const noCounts = (): Counts => ({ compared: { pg_dump: 0, catalog: 0 }, refused: 0, wrong: [] });

test('every kind of object comes back as it was, or is refused by name', async () => {
  const counts = noCounts();
  await compareFixture({ from: here, to: here, counts }, 'every');
  assert.deepEqual(counts.wrong, []);
  assert.equal(counts.compared.pg_dump, (await dumpToolFor(server)) === null ? 0 : 1);
  assert.equal(counts.compared.catalog, 1);
  assert.ok(counts.refused > 0);
});

test('so do random schemas with their rows', async () => {
  const counts = noCounts();
  for (const seed of [1, 2]) await compareRandom({ from: here, to: here, counts }, seed);
  assert.deepEqual(counts.wrong, []);
  assert.equal(counts.compared.catalog, 2);
});

test('what pg_dump passes over is told, and an unfinished restore that listens to another server begins anew', async t => {
  if (chosen.clientDir === null)
    return t.skip('there is no pg_dump here; the reader of the catalogs refuses such things');
  const wanted = ['broken_index', 'disabled_constraint_triggers', 'in_system_schemas', 'subscriptions'];
  const sections = sectionsOf('every', { major: server.major, hasIcu: false });
  const url = await makeDatabase(
    server,
    'passed_over',
    sections.filter(one => wanted.includes(one.name)).map(one => one.sql),
  );
  const chunks = memoryChunks();
  const result = await backUp(url, chunks);
  for (const name of ['public.broken', 'ref_from_id_fkey', 'matrix_own()', 'information_schema.matrix_own'])
    assert.ok(
      result.warnings.some(one => one.includes(name)),
      `${name} in ${result.warnings}`,
    );
  const target = server.url('passed_over_again');
  const stop = () => Promise.reject(new Error('stopped here'));
  await assert.rejects(restore(target, { chunks, result }, { onFilled: stop }), /stopped here/);
  await restore(target, { chunks, result });
  const subscribed =
    'SELECT subname, subenabled FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = ';
  assert.deepEqual(await sql(target, `${subscribed} current_database()`), [
    { subname: 'hears', subenabled: false },
  ]);
});

test('the roles are kept with all that is said of them but their passwords', async () => {
  const url = await makeDatabase(server, 'roles', [
    'CREATE TABLE a (b int); GRANT SELECT ON a TO matrix_reader',
  ]);
  const chunks = memoryChunks();
  const { root } = await backUp(url, chunks, { pgDump: null });
  const globals = (await readOutline({ source: chunks, root })).definitions.get('globals') ?? '';
  const lines = globals.split('\n').filter(line => line.includes('matrix_reader'));
  const admin = server.major >= 16 ? 'ADMIN true, INHERIT true, SET true' : 'ADMIN OPTION';
  assert.deepEqual(lines, [
    'CREATE ROLE "matrix_reader" LOGIN CONNECTION LIMIT 7;',
    `ALTER ROLE "matrix_reader" VALID UNTIL '2090-01-02 03:04:05+00';`,
    `ALTER ROLE "matrix_reader" SET "search_path" TO '$user', 'odd "one"';`,
    `GRANT matrix_owner TO matrix_reader WITH ${admin};`,
    `COMMENT ON ROLE "matrix_reader" IS 'it''s "the" reader';`,
  ]);
  // They run as they are: what is there already is all that stops them.
  await withClient(server.superuserUrl, async client => {
    for (const line of globals.split('\n').filter(one => !one.startsWith('CREATE ')))
      await client.query(line);
  });
});
