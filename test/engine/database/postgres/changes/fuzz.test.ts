import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fuzzSettings } from '../../../../../bench/rows/episode.ts';
import { fuzzRows } from '../../../../../bench/rows/fuzz.ts';
import { differences } from '../../../../../bench/rows/stored.ts';
import { moveNearWrap } from '../../../../../bench/rows/wrap.ts';
import { availableServers, type PostgresServer, startServer } from '../../../../../bench/servers/index.ts';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { digestKey, sql } from '../on-servers.ts';
import { increment } from './increments.ts';

// The long form is `npm run bench:fuzz-rows`; it makes a failing seed small.
const seed = 7;
const runs = 12;

for (const found of (await availableServers()).slice(0, 2))
  describe(`PostgreSQL ${found.version} (${found.kind})`, () => {
    let server: PostgresServer | undefined;
    before(async () => {
      server = await startServer({ kind: found.kind, major: found.major, settings: fuzzSettings });
      // Where the tools for it are, the 32-bit transaction ids begin again on the way.
      if (found.clientDir !== null) await moveNearWrap(server, 200);
    });
    after(() => server?.stop());

    test('a row that was changed once the 32-bit ids had begun again', async t => {
      if (found.clientDir === null) return t.skip('this server lacks the tools that move its ids');
      const url = await server!.createDatabase('round');
      await sql(
        url,
        'CREATE TABLE t (id int, n int) WITH (fillfactor = 50); INSERT INTO t SELECT i, 0 FROM generate_series(1, 3000) i',
      );
      const chunks = memoryChunks();
      const first = await increment(url, chunks, null);
      assert.ok(first.result.xmax < 2n ** 32n);
      await sql(
        url,
        'DO $$ BEGIN FOR n IN 1..250 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$',
      );
      await sql(url, 'UPDATE t SET n = 1 WHERE id = 1000');
      const second = await increment(url, chunks, first);
      assert.ok(second.result.xmin > 2n ** 32n);
      assert.ok(second.result.readBytes < 100, 'only that row is read');
    });

    test('incremental backups of random changes hold what a full copy at the same pin holds', async t => {
      const totals = await fuzzRows({ server: server!, seed, runs, variant: 'xmin' });
      const { segments, backups, wrong } = totals;
      t.diagnostic(
        `${wrong.length} wrong of ${backups.incremental} incrementals; ${segments.read} of ${segments.all} segments read at the pin`,
      );
      assert.deepEqual(
        wrong.map(({ episode, rounds, what }) => ({ seed, episode, backup: rounds.length - 1, what })),
        [],
      );
      assert.ok(segments.read < segments.all / 2, 'most segments are used again');
      assert.ok(segments.withDeltas > 0, 'some are deltas on others');
    });

    test('the same changes are stored wrongly where rows count as new from the xmax of the base on', async () => {
      const { wrong } = await fuzzRows({ server: server!, seed, runs, variant: 'xmax', untilWrong: true });
      assert.ok(wrong.length > 0);
    });
  });

test('a full copy and what is stored are told apart by a row, its place, a digest or a whole table', () => {
  const rows = Buffer.from('1\ta\n2\tb\n');
  const truth = new Map([['public.t', rows]]);
  const storedRows = (text: string, digest = { rows: 2, sum: 0n }) => ({
    tables: new Map([['public.t', { rows: Buffer.from(text), digests: [digest], wrongSegments: [] }]]),
    segments: 1,
    deltasMax: 0,
    withDeltas: 0,
  });
  const digestOnly = differences(storedRows('1\ta\n2\tb\n'), truth, digestKey);
  assert.equal(digestOnly.length, 1);
  for (const text of ['1\ta\n', '1\ta\n2\tc\n', '2\tb\n1\ta\n', '1\ta\n2\tb\n2\tb\n'])
    assert.equal(differences(storedRows(text), truth, digestKey).length, 2, JSON.stringify(text));
  assert.equal(differences({ ...storedRows(''), tables: new Map() }, truth, digestKey).length, 1);
  assert.ok(differences(storedRows(''), new Map(), digestKey).length > 0);
});
