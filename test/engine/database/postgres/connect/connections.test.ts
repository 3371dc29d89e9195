import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serverAccount } from '../../../../../bench/servers/account.ts';
import { availableServers, type PostgresServer, startServer } from '../../../../../bench/servers/index.ts';
import { reachableTemp } from '../../../../../bench/servers/scratch.ts';
import { resolveConnInfo } from '../../../../../engine/database/postgres/connect/conninfo.ts';
import { openConnection } from '../../../../../engine/database/postgres/connect/open-connection.ts';
import { StillpointError } from '../../../../../store/index.ts';
import { makeCertificate, noOpenssl } from '../../../../helpers/certificates.ts';
import { assertDatabasesEqual } from '../../../../helpers/database-equal.ts';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { until } from '../../../../helpers/small-rig.ts';
import { backUp, connect, restore, sql } from '../on-servers.ts';

const servers = await availableServers();
const debian = servers.find(one => one.clientDir !== null);
const chosen = debian ?? servers[0]!;

/** Sets variables for as long as something runs. */
async function withEnv<T>(env: Readonly<Record<string, string>>, body: () => Promise<T>): Promise<T> {
  const before = Object.keys(env).map(name => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  try {
    return await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

describe(`how PostgreSQL ${chosen.version} is reached`, { skip: noOpenssl }, () => {
  const folder = mkdtempSync(join(reachableTemp(), 'stillpoint-tls-'));
  const account = serverAccount();
  let server: PostgresServer;
  const certificate = join(folder, 'server.crt');

  before(async () => {
    makeCertificate(folder, 'server', 'localhost');
    makeCertificate(folder, 'other', 'elsewhere');
    chmodSync(folder, 0o755);
    if (account.foreign) chownSync(join(folder, 'server.key'), account.uid, account.gid);
    server = await startServer({
      kind: chosen.kind,
      major: chosen.major,
      settings: { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: join(folder, 'server.key') },
    });
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** `tls` or `plain`, or the code of the error. */
  const how = async (query: string, host = '127.0.0.1'): Promise<string> => {
    const url = `${server.superuserUrl.replace('127.0.0.1', host)}?${query}`;
    try {
      await using connection = await openConnection({ type: 'postgresql', url, purpose: 'test' });
      const [row] = await connection.rows<{ ssl: boolean }>(
        'look',
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return row!.ssl ? 'tls' : 'plain';
    } catch (error) {
      return (error as StillpointError).code;
    }
  };

  test('each sslmode means what it means to psql', async () => {
    const [mine, other] = [certificate, join(folder, 'other.crt')].map(file => `sslrootcert=${file}`);
    for (const [query, expected, host] of [
      ['', 'plain'],
      ['sslmode=disable', 'plain'],
      ['sslmode=allow', 'plain'],
      ['sslmode=prefer', 'tls'],
      ['sslmode=require', 'tls'],
      ['ssl=true', 'tls'],
      [`sslmode=require&${other}`, 'DATABASE_UNREACHABLE'],
      ['sslmode=verify-ca', 'CONFIG_INVALID'],
      [`sslmode=verify-ca&${mine}`, 'tls'],
      [`sslmode=verify-ca&${other}`, 'DATABASE_UNREACHABLE'],
      [`sslmode=verify-full&${mine}`, 'tls', 'localhost'],
      [`sslmode=verify-full&${mine}`, 'DATABASE_UNREACHABLE', '127.0.0.1'],
      ['sslmode=verify-full&sslrootcert=system', 'DATABASE_UNREACHABLE', 'localhost'],
      [`sslmode=verify-full&sslrootcert=${folder}/none`, 'CONFIG_INVALID'],
      ['sslmode=always', 'CONFIG_INVALID'],
    ] as const)
      assert.equal(await how(query, host), expected, `${query} ${host ?? ''}`);
  });

  test('a backup and a restore go through TLS, rows and definitions', async () => {
    const url = await server.createDatabase('encrypted');
    await sql(
      url,
      `CREATE TABLE public.t AS SELECT i, repeat(md5(i::text), 20) AS filler FROM generate_series(1, 20000) i;
       SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'))`,
    );
    const query = `?sslmode=verify-full&sslrootcert=${certificate}`;
    const byTls = (name: string) => `${server.url(name).replace('127.0.0.1', 'localhost')}${query}`;
    const hba = join(server.dataDir, 'pg_hba.conf');
    const kept = readFileSync(hba, 'utf8');
    writeFileSync(hba, `hostnossl all all all reject\n${kept}`);
    await sql(server.superuserUrl, 'SELECT pg_reload_conf()');
    try {
      await until(
        async () => (await how('sslmode=disable')) === 'DATABASE_RIGHTS',
        'plain lines are refused',
      );
      const chunks = memoryChunks();
      const result = await backUp(byTls('encrypted'), chunks);
      await restore(byTls('encrypted_again'), { chunks, result });
      assert.equal(await how(''), 'tls', 'what is refused without TLS goes by TLS');
    } finally {
      writeFileSync(hba, kept);
      await openConnection({ type: 'postgresql', url: byTls('postgres'), purpose: 'test' }).then(
        async connection => {
          await connection.rows('reload', 'SELECT pg_reload_conf()');
          await connection.close();
        },
      );
      await until(async () => (await how('sslmode=disable')) === 'plain', 'plain lines are let in again');
    }
    await assertDatabasesEqual(url, server.url('encrypted_again'));
  });

  test('by a service, by the environment, by a socket, by the second of two hosts', async () => {
    const { port } = server;
    const { password } = new URL(server.superuserUrl);
    const file = join(folder, 'service.conf');
    writeFileSync(
      file,
      `# ours\n[other]\nhost=nowhere.invalid\n[mine]\nhost=127.0.0.1\nport=${port}\nuser=postgres\ndbname=postgres\nsslmode=require\n`,
    );
    const passfile = join(folder, 'pgpass');
    writeFileSync(passfile, `127.0.0.1:${port}:*:postgres:${password}\n`, { mode: 0o600 });
    const database = async (url: string) => {
      await using connection = await openConnection({ type: 'postgresql', url, purpose: 'test' });
      const [row] = await connection.rows<{ name: string }>('look', 'SELECT current_database() AS name');
      return row!.name;
    };
    await withEnv({ PGSERVICEFILE: file, PGPASSFILE: passfile }, async () => {
      assert.equal(await database('postgresql:///?service=mine'), 'postgres');
      assert.equal(await database('postgresql:///template1?service=mine'), 'template1');
      await withEnv({ PGSERVICE: 'mine' }, async () => {
        assert.equal(await database('postgresql://'), 'postgres');
        // pg_dump is told where this one is, whatever the environment says.
        await using source = await connect(server.superuserUrl);
        const { ddlSource } = await source.prepare();
        assert.equal(ddlSource.startsWith('pg_dump'), debian !== undefined);
      });
      await assert.rejects(database('postgresql:///?service=none'), { code: 'CONFIG_INVALID' });
      chmodSync(passfile, 0o640);
      await assert.rejects(database('postgresql:///?service=mine'), (error: unknown) => {
        assert.ok(error instanceof StillpointError);
        assert.match(String(error.remedy), /chmod 600 .*pgpass/);
        return error.code === 'DATABASE_RIGHTS';
      });
    });
    const { socketDir } = server;
    if (socketDir !== null) {
      for (const url of [
        `postgresql://postgres@${encodeURIComponent(socketDir)}:${port}/template1`,
        `postgresql://postgres@/template1?host=${socketDir}&port=${port}&sslmode=require`,
      ])
        assert.equal(await database(url), 'template1', url);
    }
    const two = server.superuserUrl.replace(/@.*\//, `@127.0.0.1:1,127.0.0.1:${port}/`);
    assert.equal(await database(two), 'postgres');
    await assert.rejects(database(server.superuserUrl.replace(/@.*\//, '@127.0.0.1:1,127.0.0.1:2/')), {
      code: 'DATABASE_UNREACHABLE',
    });
  });

  test('a standby is refused, as a source and as a target; of several hosts the primary is taken', {
    skip: debian ? false : 'pg_basebackup is not installed',
  }, async () => {
    const url = await server.createDatabase('replicated');
    await sql(url, 'CREATE TABLE public.t AS SELECT i FROM generate_series(1, 1000) i');
    await using standby = await startServer({ kind: chosen.kind, major: chosen.major });
    process.kill(standby.pid, 'SIGINT');
    await until(() => !isThere(standby.pid), 'the second server has stopped');
    rmSync(standby.dataDir, { recursive: true });
    execFileSync(
      join(debian!.clientDir!, 'pg_basebackup'),
      ['-D', standby.dataDir, '-R', '-X', 'stream', '-c', 'fast', '-d', server.superuserUrl],
      { ...(account.foreign ? { uid: account.uid, gid: account.gid } : {}), env: {}, cwd: reachableTemp() },
    );
    appendFileSync(join(standby.dataDir, 'postgresql.auto.conf'), 'hot_standby = on\n');
    await standby.restart();
    const at = (...ports: number[]) =>
      url.replace(/@.*\//, `@${ports.map(one => `127.0.0.1:${one}`).join(',')}/`);
    await until(
      async () =>
        (await sql(at(standby.port), "SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'")).length >
        0,
      'it streams',
    );
    await using source = await connect(at(standby.port));
    await assert.rejects(source.prepare(), { code: 'DATABASE_UNSUPPORTED' });
    const chunks = memoryChunks();
    const result = await backUp(at(standby.port, server.port), chunks);
    assert.equal(result.rows, 1000);
    await assert.rejects(restore(at(standby.port).replace('replicated', 'new'), { chunks, result }), {
      code: 'DATABASE_UNSUPPORTED',
    });
    await restore(at(standby.port, server.port).replace('replicated', 'new'), { chunks, result });
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a URL is read as libpq reads it', () => {
  const read = (url: string, env: NodeJS.ProcessEnv = {}) => {
    const { hosts, database, user, password } = resolveConnInfo(url, env);
    return [hosts.map(one => `${one.host}:${one.port}`).join(' '), database, user, password];
  };
  for (const [url, ...expected] of [
    ['postgresql://u@h/d', 'h:5432', 'd', 'u', undefined],
    ['postgres://u:p%40%2F@h:1/d%20e', 'h:1', 'd e', 'u', 'p@/'],
    ['postgresql://u@[::1]:2/d', '::1:2', 'd', 'u', undefined],
    ['postgresql://u@a:1,b:2,c/d', 'a:1 b:2 c:5432', 'd', 'u', undefined],
    ['postgresql://u@a,b:7/d', 'a:5432 b:7', 'd', 'u', undefined],
    ['postgresql:///d?host=/run/x&user=u', '/run/x:5432', 'd', 'u', undefined],
    ['postgresql://u@%2Frun%2Fx/d', '/run/x:5432', 'd', 'u', undefined],
    ['postgresql://u@h', 'h:5432', 'u', 'u', undefined],
  ] as const)
    assert.deepEqual(read(url), expected, url);
  assert.deepEqual(read('postgresql://h', { PGUSER: 'e', PGPORT: '9', PGDATABASE: 'x', PGPASSWORD: 's' }), [
    'h:9',
    'x',
    'e',
    's',
  ]);
  for (const url of [
    'host=h dbname=d',
    'mysql://h/d',
    'postgresql://u@h:port/d',
    'postgresql://u@a:1,b/d?port=1,2,3',
    'postgresql://u@h/d?sslmod=require',
    'postgresql://u@h/d?channel_binding=require',
    'postgresql://u@h/d?target_session_attrs=standby',
    'postgresql://u:%zz@h/d',
  ])
    assert.throws(() => resolveConnInfo(url, {}), { code: 'CONFIG_INVALID' }, url);
});
