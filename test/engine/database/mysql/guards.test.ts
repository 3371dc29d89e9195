import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Chain, fuzzMariadb } from '../../../../bench/mariadb/index.ts';
import { connectMysql } from '../../../../engine/database/mysql/index.ts';
import { StillpointError, systemSeams } from '../../../../store/index.ts';
import { withMariadb } from './with-mariadb.ts';

const code = (wanted: string) => (error: unknown) =>
  error instanceof StillpointError && error.code === wanted;

/** What a later write could make of an earlier view, and what keeps it from it: a test for each, with the guard and without. */
describe('a MariaDB view is proof against', () => {
  const { server, skipped } = withMariadb();
  const setUp = (name: string, sql: string) => server().sql(`CREATE DATABASE ${name}; USE ${name}; ${sql}`);
  const rowsOf = async (query: string): Promise<string> => JSON.stringify(await server().sql(query));

  test('TRUNCATE, ALTER and DROP right after the unlock: the readers hold the tables', async t => {
    if (skipped(t)) return;
    await setUp(
      'held',
      'CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t SELECT seq, seq FROM seq_1_to_99',
    );
    const change = (sql: string) => server().sql(`SET lock_wait_timeout = 0; ${sql}`, 'held');
    const chain = new Chain(server(), 'held');
    const done = await chain.backUp({
      pinned: async () => {
        for (const sql of ['TRUNCATE t', 'ALTER TABLE t ADD z INT', 'DROP TABLE t'])
          await assert.rejects(change(sql), /Lock wait timeout/);
      },
    });
    assert.equal(done.rows, 99);
    const bare = new Chain(server(), 'held', { guards: { withoutTableLocks: true } });
    await assert.rejects(bare.backUp({ pinned: () => change('TRUNCATE t') }), code('DATABASE_FAILED'));
  });

  test('commits between the views of two readers: nobody commits while they are opened', async t => {
    if (skipped(t)) return;
    await setUp(
      'bank',
      'CREATE TABLE a (id INT PRIMARY KEY, v INT); CREATE TABLE b LIKE a; INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (1, 0)',
    );
    /** Backups of which the sum is wrong, of so many at most, with somebody who moves money all the time; ends with the first. */
    const broken = async (guards: { withoutStage?: boolean }, runs: number): Promise<number> => {
      const writer = await server().connect('bank');
      let isOver = false;
      const moving = (async () => {
        while (!isOver) await writer.query('BEGIN; UPDATE a SET v = v + 1; UPDATE b SET v = v - 1; COMMIT');
      })();
      let count = 0;
      for (let i = 0; i < runs && count === 0; i += 1) {
        const chain = new Chain(server(), 'bank', { guards });
        await chain.backUp();
        const [a, b] = [await chain.rows('a'), await chain.rows('b')].map(text =>
          Number(/,(-?\d+)\)/.exec(text)?.[1]),
        );
        if (a! + b! !== 0) count += 1;
      }
      isOver = true;
      await moving;
      await writer.end();
      return count;
    };
    assert.equal(await broken({}, 8), 0);
    assert.notEqual(await broken({ withoutStage: true }, 60), 0);
  });

  test('sequences and next numbers that move after the unlock, and definitions that change', async t => {
    if (skipped(t)) return;
    await setUp(
      'moves',
      `CREATE SEQUENCE s NOCACHE; SELECT NEXTVAL(s); CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT); INSERT INTO t VALUES (7);
       CREATE VIEW v AS SELECT 1 AS one; CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE EVENT e ON SCHEDULE AT '2035-01-01' DO SELECT 1`,
    );
    const chain = new Chain(server(), 'moves');
    await chain.backUp({
      pinned: () =>
        server().sql(
          `SELECT NEXTVAL(s), NEXTVAL(s); INSERT INTO t VALUES (NULL), (NULL); ALTER SEQUENCE s INCREMENT 5; CREATE OR REPLACE VIEW v AS SELECT 2 AS one;
           CREATE OR REPLACE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 2; DROP EVENT e; CREATE TABLE later (id INT)`,
          'moves',
        ),
    });
    await chain.restore('moved');
    const state = `SELECT next_not_cached_value AS s, (SELECT one FROM moved.v) AS v, moved.f() AS f, (SELECT COUNT(*) FROM moved.t) AS n,
      (SELECT GROUP_CONCAT(CONCAT(TABLE_NAME, ' ', IFNULL(AUTO_INCREMENT, '')) ORDER BY 1) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'moved' AND TABLE_TYPE = 'BASE TABLE') AS t,
      (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'moved') AS e FROM moved.s`;
    assert.deepEqual({ ...(await server().sql(state))[0] }, { s: '2', v: 1, f: 1, n: '1', t: 't 8', e: '1' });
  });

  test('rows of other engines, old rows and unknown types: refused by name, before anything waits', async t => {
    if (skipped(t)) return;
    await setUp(
      'odd',
      'CREATE TABLE isam (id INT) ENGINE=MyISAM; CREATE TABLE aria (id INT) ENGINE=Aria; CREATE TABLE mem (id INT) ENGINE=MEMORY; CREATE TABLE old (id INT) WITH SYSTEM VERSIONING',
    );
    const chain = new Chain(server(), 'odd');
    await assert.rejects(chain.backUp(), (error: Error) => {
      for (const name of ['isam (MyISAM)', 'aria (Aria)', 'mem (MEMORY)', 'old (SYSTEM VERSIONED)'])
        assert.ok(error.message.includes(name), error.message);
      return code('DATABASE_UNSUPPORTED')(error);
    });
  });

  test('a key whose order, or a column whose meaning, is another: its definition is compared', async t => {
    if (skipped(t)) return;
    await setUp(
      'order_of',
      `CREATE TABLE t (k VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, e ENUM('a','b'));
       INSERT INTO t SELECT CONCAT(CHAR(65 + seq % 2 * 32 USING utf8mb4), seq), 1 FROM seq_1_to_600`,
    );
    const chain = new Chain(server(), 'order_of', { rangeBytes: 512 });
    const first = await chain.backUp();
    await server().sql(
      "ALTER TABLE t MODIFY k VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, MODIFY e ENUM('a','c')",
      'order_of',
    );
    const second = await chain.backUp();
    assert.equal(second.changedSegments, second.segments);
    assert.ok(first.segments > 10);
    await chain.restore('order_2');
    const sum = 'SELECT COUNT(*) AS n, SUM(CRC32(CONCAT(k, e))) AS s FROM';
    assert.equal(await rowsOf(`${sum} order_2.t`), await rowsOf(`${sum} order_of.t`));
  });

  test('settings of the server and the session that change how a value is written', async t => {
    if (skipped(t)) return;
    await setUp(
      'set_so',
      "CREATE TABLE t (id INT PRIMARY KEY, ts TIMESTAMP NULL, c CHAR(9), n INT); INSERT INTO t VALUES (0, '2024-07-01 12:00:00', 'a ', 0), (1, '2024-01-01', '', 1)",
    );
    const chain = new Chain(server(), 'set_so');
    await chain.backUp();
    await server().sql(
      "SET GLOBAL time_zone = '-07:00', sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE', character_set_server = 'ucs2', sql_select_limit = 1, tx_isolation = 'READ-COMMITTED', max_statement_time = 0.5, old_mode = 'UTF8_IS_UTF8MB3'",
    );
    try {
      assert.equal((await chain.backUp()).changedSegments, 0);
      await chain.restore('set_2');
    } finally {
      await server().sql(
        "SET GLOBAL time_zone = 'SYSTEM', sql_mode = DEFAULT, character_set_server = 'utf8mb4', sql_select_limit = DEFAULT, tx_isolation = 'REPEATABLE-READ', max_statement_time = 0",
      );
    }
    assert.equal(await rowsOf('SELECT * FROM set_2.t'), await rowsOf('SELECT * FROM set_so.t'));
  });

  test('queries and transactions that last: the pin waits for none, and gives up on a table lock without holding anything', async t => {
    if (skipped(t)) return;
    await setUp('busy', 'CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1), (2, 2)');
    const [one, two] = [await server().connect('busy'), await server().connect('busy')];
    await one.query('BEGIN; UPDATE t SET v = 100 WHERE id = 1');
    const slow = two.query('SELECT SLEEP(2) FROM t').catch(() => []);
    const chain = new Chain(server(), 'busy');
    assert.equal((await chain.backUp()).rows, 2);
    await one.query('COMMIT');
    await chain.restore('busy2');
    assert.equal(await rowsOf('SELECT v FROM busy2.t WHERE id = 1'), '[{"v":1}]');
    await server().sql(`KILL QUERY ${two.id}`);
    await slow;
    await one.query('LOCK TABLES t WRITE');
    await using source = await connectMysql({
      type: 'mysql',
      url: server().url('busy'),
      clock: systemSeams.clock,
    });
    await assert.rejects(
      source.prepare().then(() => source.pin()),
      (error: Error) => {
        assert.match(error.message, new RegExp(`session ${one.id} of root`));
        return code('DATABASE_FAILED')(error);
      },
    );
    assert.equal(await source.holds(), false);
    await one.query('INSERT INTO t VALUES (3, 3); UNLOCK TABLES; ALTER TABLE t ADD z INT');
    await source.pin();
    assert.equal(await source.holds(), true);
    await one.end();
    await two.end();
  });

  test('a role that is shown less than there is: every right that it lacks is named', async t => {
    if (skipped(t)) return;
    await setUp(
      'guarded',
      "CREATE TABLE t (id INT PRIMARY KEY); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1; CREATE USER poor IDENTIFIED BY 'p'; GRANT SELECT ON guarded.t TO poor",
    );
    const user = { name: 'poor', password: 'p' };
    const open = () =>
      connectMysql({ type: 'mysql', url: server().url('guarded', user), clock: systemSeams.clock });
    const lacking = [
      'SELECT on guarded.*',
      'SHOW VIEW',
      'TRIGGER',
      'EVENT',
      'RELOAD on *.*',
      'PROCESS on *.*',
      'mysql.proc',
    ];
    {
      await using source = await open();
      await assert.rejects(source.prepare(), (error: Error) => {
        for (const right of lacking) assert.ok(error.message.includes(right), error.message);
        return code('DATABASE_RIGHTS')(error);
      });
    }
    await server().sql(
      'GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `guar%`.* TO poor; GRANT RELOAD, PROCESS ON *.* TO poor; GRANT SELECT ON mysql.proc TO poor',
    );
    await using source = await open();
    await source.prepare();
    await source.pin();
    const others = await server().connect('guarded');
    assert.deepEqual(
      (await source.otherSessions()).map(one => one.pid),
      [others.id],
    );
    await others.end();
  });

  test('a lost reader: the view does not hold, and nothing is finished', async t => {
    if (skipped(t)) return;
    await setUp('lost', 'CREATE TABLE t (id INT PRIMARY KEY)');
    await using source = await connectMysql({
      type: 'mysql',
      url: server().url('lost'),
      clock: systemSeams.clock,
    });
    await source.prepare();
    const { threads } = await source.pin();
    await server().sql(`KILL ${threads[0]}`);
    assert.equal(await source.holds(), false);
    const { copy } = new Chain(server(), 'lost');
    await assert.rejects(source.finish(copy), code('DATABASE_FAILED'));
  });

  test('whatever else: random changes, each increment compared with a full read at the same pin', async t => {
    if (skipped(t)) return;
    const { wrong, backups, kept } = await fuzzMariadb({ server: server(), seed: 1, runs: 5 });
    assert.deepEqual(wrong, []);
    assert.ok(backups === 5 && kept > 0);
    for (const guards of [{ countsOnly: true }, { anyDefinition: true }])
      assert.notDeepEqual((await fuzzMariadb({ server: server(), seed: 1000, runs: 6, guards })).wrong, []);
  });
});
