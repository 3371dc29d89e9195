import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Counts,
  compareFixture,
  compareRandom,
  dumpToolFor,
  type Furnished,
} from '../../../bench/matrix/compare-restored.ts';
import { furnish } from '../../../bench/matrix/round.ts';
import { availableServers, type PostgresServer, startServer } from '../../../bench/servers/index.ts';

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
