import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { describe, test } from 'node:test';
import { Chain } from '../../../../bench/mariadb/index.ts';
import { runHere } from '../../../../bench/rig/index.ts';
import type { MariadbServer } from '../../../../bench/servers/index.ts';
import { type SnapshotId, StillpointError } from '../../../../store/index.ts';
import { cheapKdf } from '../../../helpers/stores.ts';
import { describeMariadb } from './compare.ts';
import { everything } from './everything.ts';
import { withMariadb } from './with-mariadb.ts';

const failed =
  (code: string, remedy = /./) =>
  (error: unknown) =>
    error instanceof StillpointError &&
    error.code === code &&
    remedy.test(`${error.message} ${error.remedy}`);

const lastOf = (stdout: string): Record<string, unknown> =>
  JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>;

/** By the vendor's own client. What it said. */
async function load(
  { socketPath }: MariadbServer,
  database: string,
  script: AsyncIterable<Uint8Array | string>,
): Promise<string> {
  const args = ['--no-defaults', `--socket=${socketPath}`, '--user=root', '--binary-mode', '--comments'];
  const client = spawn('mariadb', [...args, database]);
  const said = Promise.all([text(client.stdout), text(client.stderr), once(client, 'close')]);
  // One that stopped takes no more.
  await pipeline(Readable.from(script), client.stdin).catch(() => undefined);
  const [out, complaints] = await said;
  if (client.exitCode !== 0) throw new Error(complaints);
  return out;
}

describe('a MariaDB database', () => {
  const { server, skipped } = withMariadb({ 'log-bin': 'binlog', 'character-set-server': 'utf8mb4' });

  test('comes back as it was: every kind of object, and values at the edges of every type', async t => {
    if (skipped(t)) return;
    await server().sql("CREATE DATABASE shop CHARACTER SET latin1 COMMENT 'der Laden, größer'");
    await server().sql(everything, 'shop');
    const old = await server().connect('shop', { charset: 'latin1_swedish_ci' });
    await old.query(
      `CREATE VIEW old_view AS SELECT 'é' AS x, _utf8mb4'ü' AS y; CREATE PROCEDURE old() SELECT 'é ÿ'`,
    );
    await old.end();
    const chain = new Chain(server(), 'shop', { rangeBytes: 4096 });
    const { rows, changedSegments, binlog } = (await chain.backUp()) as unknown as Record<string, unknown>;
    assert.ok(Number(rows) > 300 && Number(changedSegments) > 50);
    assert.match(String(binlog), /^binlog\.\d+:\d+$/);
    assert.equal((await chain.backUp()).changedSegments, 0);
    const { warnings } = await chain.restore('again');
    assert.equal(warnings.length, 3); // a key that leads nowhere, a view whose table is gone, an event: as in the original
    await server().sql('DROP VIEW broken', 'shop');
    assert.deepEqual(await describeMariadb(server(), 'again'), await describeMariadb(server(), 'shop'));
    await server().sql('CREATE DATABASE loaded');
    assert.match(
      await load(server(), 'loaded', chain.script()),
      /was not made[\s\S]*every table has its rows\n$/,
    );
    assert.deepEqual(await describeMariadb(server(), 'loaded'), await describeMariadb(server(), 'shop'));
    await assert.rejects(load(server(), 'loaded', chain.script()), /not empty/);
    const same = `SELECT DEFAULT_CHARACTER_SET_NAME AS c, DEFAULT_COLLATION_NAME AS o, SCHEMA_COMMENT AS m
      FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = `;
    for (const name of ['again', 'loaded'])
      assert.deepEqual(await server().sql(`${same}'${name}'`), await server().sql(`${same}'shop'`));
  });

  test('goes through the command line: backup, increment, ls, diff, verify, restore', async t => {
    if (skipped(t)) return;
    const folder = mkdtempSync(join(tmpdir(), 'stillpoint-mariadb-'));
    try {
      await server().sql(
        'CREATE DATABASE small; USE small; CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t SELECT seq, MD5(seq) FROM seq_1_to_500',
      );
      writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
      const url = server().url('small');
      writeFileSync(
        join(folder, 'stillpoint.yaml'),
        `instance: small\nstore: ${join(folder, 'store')}\npassphraseFile: passphrase\ndatabase: { type: mysql, url: ${JSON.stringify(url)} }\napp: { type: none }\n`,
      );
      const env = {
        STILLPOINT_CONFIG: join(folder, 'stillpoint.yaml'),
        STILLPOINT_STATE_DIR: join(folder, 'state'),
        STILLPOINT_CACHE_DIR: join(folder, 'cache'),
      };
      const run = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await runHere(args, { env, cwd: folder, kdf: cheapKdf });
        assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`);
        return stdout;
      };
      await run('init', '--json');
      const first = lastOf(await run('backup', '--json'))['snapshot'];
      await server().sql("UPDATE t SET v = 'other' WHERE id = 5; DELETE FROM t WHERE id = 6", 'small');
      const second = lastOf(await run('backup', '--json'));
      assert.equal((second['database'] as { rows: number }).rows, 499);
      assert.match(await run('show', 'latest'), /MariaDB 1\d\./);
      assert.match(await run('ls', 'latest', 'database:', '-r'), /tables\/small\/t/);
      assert.match(await run('cat', 'latest', 'database:tables/small/t'), /^\(5,'other'\)$/m);
      assert.match(await run('diff', String(first), 'latest'), /small\.t/);
      await run('verify', '--read-data');
      const doctor = await runHere(['doctor'], { env, cwd: folder, kdf: cheapKdf });
      assert.match(doctor.stdout, /MariaDB .* 1 tables of small can be read/);
      await run('restore', 'latest', '--only', 'database', '--database', server().url('twin'));
      const sums = await server().sql('CHECKSUM TABLE small.t, twin.t');
      assert.equal(sums[0]!['Checksum'], sums[1]!['Checksum']);
      await run('export', 'latest', '-o', 'all.tar', '--json');
      execFileSync('tar', ['-xf', 'all.tar', '--strip-components=1'], { cwd: folder });
      execFileSync('sha256sum', ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: folder });
      assert.match(readFileSync(join(folder, 'README.md'), 'utf8'), /CREATE DATABASE NAME/);
      assert.match(
        readFileSync(join(folder, 'database/grants.sql'), 'utf8'),
        /^-- Rights in the database small /,
      );
      const script = readFileSync(join(folder, 'database/load.sql'));
      assert.deepEqual(Buffer.from(await run('restore', 'latest', '--sql', '-')), script);
      await server().sql('CREATE DATABASE other');
      await load(server(), 'other', Readable.from([script]));
      assert.equal((await server().sql('CHECKSUM TABLE other.t'))[0]!['Checksum'], sums[0]!['Checksum']);
      for (const args of [
        ['export', 'latest', '--portable', '-o', 'rows'],
        ['restore', 'latest', '--sql', '-', '--table', 't'],
      ])
        assert.notEqual((await runHere(args, { env, cwd: folder, kdf: cheapKdf })).code, 0, args.join(' '));
      const again = await runHere(
        ['restore', 'latest', '--only', 'database', '--database', server().url('twin'), '--json'],
        { env, cwd: folder, kdf: cheapKdf },
      );
      assert.match(again.stderr, /TARGET_NOT_EMPTY/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('what names its own database is restored to be of the new one, or told', async t => {
    if (skipped(t)) return;
    await server().sql(`CREATE DATABASE \`o'ne\`; USE \`o'ne\`; CREATE SEQUENCE s;
      CREATE TABLE t (id INT PRIMARY KEY DEFAULT NEXTVAL(s), v VARCHAR(60) DEFAULT 'nextval(\`o\\'ne\`.\`s\`)'); INSERT INTO t (v) VALUES ('a'); CREATE TABLE log (id INT);
      CREATE TRIGGER here AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id);
      CREATE TRIGGER there AFTER UPDATE ON t FOR EACH ROW INSERT INTO \`o'ne\`.log VALUES (NEW.id);
      CREATE PROCEDURE said() SELECT '\`o\\'ne\`.log' /* \`o'ne\`.log */`);
    const chain = new Chain(server(), "o'ne");
    await chain.backUp();
    await server().sql("DROP DATABASE `o'ne`; CREATE DATABASE two; SET GLOBAL autocommit = 0");
    const { warnings } = await chain
      .restore('twin_of_one')
      .finally(() => server().sql('SET GLOBAL autocommit = 1'));
    assert.deepEqual(
      warnings.filter(text => /work on it/.test(text)).map(text => /are: (.+)\. U/.exec(text)?.[1]),
      ['trigger there'],
    );
    const said = await load(server(), 'two', chain.script());
    assert.match(said, /every table has its rows\n$/);
    for (const name of ['twin_of_one', 'two']) {
      await server().sql(`INSERT INTO t (v) VALUES ('b')`, name);
      assert.equal((await server().sql('SELECT COUNT(*) AS n FROM log', name))[0]!['n'], '1');
      const [column] = await server().sql(
        `SELECT COLUMN_DEFAULT AS d FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '${name}' AND COLUMN_NAME = 'v'`,
      );
      assert.match(String(column!['d']), /one?|o\\*'+ne/);
    }
  });

  test('rows longer than a packet; a restore that was cut off is told from a whole one, and begun again', async t => {
    if (skipped(t)) return;
    await server().sql(`CREATE DATABASE large COMMENT 'mine'; USE large; CREATE TABLE t (id INT PRIMARY KEY, a LONGBLOB, b LONGTEXT, c LONGBLOB);
      INSERT INTO t VALUES (1, REPEAT(x'00', 3e6), REPEAT('\\'', 3e6), REPEAT(x'0a', 3e6)), (2, 'small', NULL, '')`);
    await server().sql('SET GLOBAL max_allowed_packet = 4194304');
    const chain = new Chain(server(), 'large');
    await chain.backUp();
    assert.equal((await chain.backUp()).changedSegments, 0);
    await assert.rejects(chain.restore('large2'), failed('TARGET_FAILED', /max_allowed_packet/));
    const other = { snapshot: 'cd'.repeat(32) as SnapshotId };
    await assert.rejects(chain.restore('large2', other), failed('TARGET_NOT_EMPTY'));
    await server().sql('SET GLOBAL max_allowed_packet = 67108864');
    const ending = new AbortController();
    const stopped = chain.restore('large2', {
      signal: ending.signal,
      onFilled: async () => ending.abort(new Error('stop')),
    });
    await assert.rejects(stopped, /stop/);
    const comment = async () =>
      (
        await server().sql(
          "SELECT SCHEMA_COMMENT AS c FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'large2'",
        )
      )[0]?.['c'];
    assert.match(String(await comment()), /unfinished/);
    await server().sql('CREATE TABLE large2.work (a INT)');
    await assert.rejects(chain.restore('large2'), { code: 'TARGET_NOT_EMPTY' });
    await server().sql('DROP TABLE large2.work');
    await chain.restore('large2');
    assert.equal(await comment(), 'mine');
    const [one, two] = await server().sql('CHECKSUM TABLE large.t, large2.t EXTENDED');
    assert.equal(one!['Checksum'], two!['Checksum']);
  });
});
