import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import pg from 'pg';
import type { Ended, Rig } from '../../../bench/rig/index.ts';
import type { Phase } from '../../../engine/index.ts';
import {
  askHere,
  assertFailed,
  assertSaved,
  backUpHere,
  type RunOptions,
  tell,
  withDatabase,
} from '../../helpers/bad-sources.ts';
import type { CaseName } from '../../helpers/cases.ts';
import { errorOf } from '../../helpers/endings.ts';
import { noPgbouncer, startPgbouncer } from '../../helpers/pgbouncer.ts';
import { isAlive } from '../../helpers/processes.ts';
import { startProxy } from '../../helpers/proxy.ts';
import { manifestsOf, smallRig, until } from '../../helpers/small-rig.ts';

describe('a database that cannot be backed up as it is', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;

  before(async () => {
    rig = await smallRig({ repositories: 1, files: 40, rows: 300 });
    await as(
      rig.server.superuserUrl,
      `CREATE ROLE clerk LOGIN PASSWORD 'pen'; CREATE ROLE "Au""di tor" LOGIN PASSWORD 'ink';
       CREATE ROLE stranger LOGIN PASSWORD 'who'; CREATE ROLE limited LOGIN PASSWORD 'few' CONNECTION LIMIT 2 IN ROLE bitbucket`,
    );
    assertSaved(await backUpHere(rig), { rig });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const owner = () => rig.instance.databaseUrl;
  const superuser = () => rig.server.superuserUrl.replace(/postgres$/, 'bitbucket');
  const urlOf = (name: string, password: string) => rig.server.url('bitbucket', { name, password });

  /** Backs up, asserts how it fails, and tells the case. */
  async function fails(
    context: TestContext,
    {
      name,
      code,
      exit = 1,
      more = '',
      ...options
    }: RunOptions & { name: CaseName; code: string; exit?: number; more?: string },
  ): Promise<Ended> {
    const manifests = manifestsOf(rig);
    const ended = await backUpHere(rig, options);
    tell(context, { name, ended, more });
    assertFailed(ended, { rig, exit, code, manifests });
    return ended;
  }

  const refusals: readonly [what: string, code: string, url: () => string, named: RegExp, remedy: RegExp][] =
    [
      [
        'nothing listens',
        'DATABASE_UNREACHABLE',
        () => owner().replace(/:\d+\//, ':1/'),
        /127\.0\.0\.1:1/,
        /server runs/,
      ],
      [
        'the host is unknown',
        'DATABASE_UNREACHABLE',
        () => owner().replace('127.0.0.1', 'nowhere.invalid'),
        /nowhere\.invalid/,
        /host/,
      ],
      ['the password is wrong', 'DATABASE_RIGHTS', () => urlOf('clerk', 'pencil'), /clerk/, /password/],
      ['the role is unknown', 'DATABASE_RIGHTS', () => urlOf('nobody here', 'x'), /nobody here/, /user/],
      [
        'there is no such database',
        'DATABASE_UNREACHABLE',
        () => rig.server.url('bitbucket "2" ä', { name: 'clerk', password: 'pen' }),
        /bitbucket "2" ä/,
        /database/,
      ],
      [
        'too many are connected',
        'DATABASE_UNREACHABLE',
        () => urlOf('limited', 'few'),
        /too many connections/,
        /six/,
      ],
    ];
  for (const [what, code, url, named, remedy] of refusals) {
    test(`refuses when ${what}`, async context => {
      const ended = await fails(context, {
        name: 'database refuses',
        code,
        more: what,
        env: withDatabase(rig, url()),
      });
      assert.match(errorOf(ended).message, named);
      assert.match(errorOf(ended).remedy, remedy);
      assert.doesNotMatch(ended.stderr, /pencil|bit:bucket|bit%3Abucket/);
    });
  }

  test('refuses when pg_hba.conf does, naming the line that would let it in', async context => {
    const file = join(rig.server.dataDir, 'pg_hba.conf');
    const kept = readFileSync(file, 'utf8');
    writeFileSync(file, `host all clerk 127.0.0.1/32 reject\n${kept}`);
    await as(superuser(), 'SELECT pg_reload_conf()');
    try {
      await as(superuser(), 'SELECT pg_sleep(0.1)');
      const ended = await fails(context, {
        name: 'database refuses',
        code: 'DATABASE_RIGHTS',
        more: 'pg_hba.conf',
        env: withDatabase(rig, urlOf('clerk', 'pen')),
      });
      assert.match(errorOf(ended).message, /pg_hba/);
      assert.match(errorOf(ended).remedy, /pg_hba/);
    } finally {
      writeFileSync(file, kept);
      await as(superuser(), 'SELECT pg_reload_conf()');
    }
  });

  test('refuses a role that may not connect, and says which grant lets it', async context => {
    await as(superuser(), 'REVOKE CONNECT ON DATABASE bitbucket FROM PUBLIC');
    const ended = await fails(context, {
      name: 'database lacks rights',
      code: 'DATABASE_RIGHTS',
      more: 'may not connect',
      env: withDatabase(rig, urlOf('clerk', 'pen')),
    });
    await as(superuser(), 'GRANT CONNECT ON DATABASE bitbucket TO PUBLIC');
    assert.match(errorOf(ended).remedy, /GRANT CONNECT ON DATABASE "bitbucket" TO "clerk";/);
  });

  test('names everything that a role lacks at once, with the statements that grant it', async context => {
    await as(
      superuser(),
      `ALTER TABLE public.comment ENABLE ROW LEVEL SECURITY;
       CREATE POLICY own ON public.comment USING (false); SELECT lo_create(4711)`,
    );
    const { message, remedy } = errorOf(
      await fails(context, {
        name: 'database lacks rights',
        code: 'DATABASE_RIGHTS',
        more: 'may read nothing',
        env: withDatabase(rig, urlOf('Au"di tor', 'ink')),
      }),
    );
    for (const named of [/tables?|public\./, /large objects/, /row-level security.* public\.comment/])
      assert.match(message, named);
    assert.match(remedy, /GRANT pg_read_all_data TO "Au""di tor"; ALTER ROLE "Au""di tor" BYPASSRLS;/);

    // What was said is what helps: run as it stands, statement by statement.
    const [grant, bypass] = /GRANT.*/.exec(remedy)![0].split(/(?<=;) /);
    await as(superuser(), grant!);
    const hidden = await fails(context, {
      name: 'database with row-level security',
      code: 'DATABASE_RIGHTS',
      env: withDatabase(rig, urlOf('Au"di tor', 'ink')),
    });
    assert.equal(errorOf(hidden).remedy, `As a superuser: ${bypass}`);
    await as(superuser(), bypass!);
    // Only pg_dump can write a policy, and none is as new as this server.
    await as(
      superuser(),
      'DROP POLICY own ON public.comment; ALTER TABLE public.comment DISABLE ROW LEVEL SECURITY',
    );
    const summary = assertSaved(
      await backUpHere(rig, { env: withDatabase(rig, urlOf('Au"di tor', 'ink')) }),
      { rig },
    );
    assert.ok((summary['database'] as { rows: number }).rows >= 300);
    await as(superuser(), 'SELECT lo_unlink(4711)');
  });

  test('refuses a server that is too old', async context => {
    const [row] = await as(superuser(), "SELECT current_setting('server_version_num') AS number");
    await using proxy = await startProxy(rig.server.port, bytes => {
      const at = bytes.indexOf(String(row!['number']));
      if (at >= 0) bytes.write('130022', at);
      return bytes;
    });
    const ended = await fails(context, {
      name: 'database too old',
      code: 'DATABASE_UNSUPPORTED',
      env: withDatabase(rig, proxy.through(owner())),
    });
    assert.match(errorOf(ended).message, /PostgreSQL 13/);
  });

  test('refuses a pooler that invents the number of a backend', async context => {
    await using proxy = await startProxy(rig.server.port, bytes => {
      // BackendKeyData: 'K', length 12, then the backend's number.
      const at = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
      if (at >= 0) bytes.writeUInt32BE(bytes.readUInt32BE(at + 5) ^ 1, at + 5);
      return bytes;
    });
    await fails(context, {
      name: 'database behind a transaction pooler',
      code: 'DATABASE_UNSUPPORTED',
      more: 'a number of its own',
      env: withDatabase(rig, proxy.through(owner())),
    });
  });

  for (const mode of ['transaction', 'session', 'statement'] as const) {
    test(`refuses PgBouncer in ${mode} mode`, { skip: noPgbouncer }, async context => {
      await using pooler = await startPgbouncer(owner(), { mode });
      await fails(context, {
        name: 'database behind a transaction pooler',
        code: 'DATABASE_UNSUPPORTED',
        more: `PgBouncer, ${mode}`,
        env: withDatabase(rig, pooler.url),
      });
    });
  }

  for (const [held, sql] of [
    ['a table is locked', 'LOCK TABLE public.comment IN ACCESS EXCLUSIVE MODE'],
    ['the definitions are being changed', 'ALTER TABLE public.comment ADD COLUMN later int'],
  ] as const) {
    test(`names the session that is in the way when ${held}`, async context => {
      const client = new pg.Client({ connectionString: owner(), application_name: 'migration' });
      await client.connect();
      try {
        await client.query(`BEGIN; ${sql}`);
        const ended = await fails(context, {
          name: 'database changes under way',
          code: 'DATABASE_FAILED',
          more: held,
        });
        const pid = (client as unknown as { processID: number }).processID;
        assert.match(
          errorOf(ended).message,
          new RegExp(`session ${pid} \\(migration, bitbucket, since .* UTC\\) holds public.comment`),
        );
        assert.match(errorOf(ended).remedy, /pg_terminate_backend/);
      } finally {
        await client.end();
      }
      assertSaved(await backUpHere(rig), { rig });
    });
  }

  /** What a run sees of a table that is made anew right before it locks, and changed right after the pin. */
  async function changeTwice(when: { readonly before: boolean; readonly after: boolean }): Promise<Ended> {
    await as(owner(), 'CREATE TABLE public.twin AS SELECT i, i AS j FROM generate_series(1, 50) i');
    let later: Promise<unknown> | undefined;
    const onPhase = async (phase: Phase) => {
      if (phase === 'lock' && when.before)
        await as(
          owner(),
          'DROP TABLE public.twin; CREATE TABLE public.twin AS SELECT i, i + 1 AS j FROM generate_series(1, 50) i',
        );
      if (phase !== 'unlock') return;
      await as(owner(), 'DELETE FROM public.twin WHERE i > 40');
      if (when.after) await as(owner(), 'CREATE TABLE public.newer (a int)');
      later = as(owner(), 'TRUNCATE public.twin; DROP TABLE public.twin'); // waits for what is pinned
      later.catch(() => undefined); // told below
    };
    const ended = await backUpHere(rig, { seams: { onPhase } });
    await later;
    await as(owner(), 'DROP TABLE IF EXISTS public.newer, public.twin');
    return ended;
  }

  for (const [when, sum] of [
    [{ before: true, after: false }, 1325],
    [{ before: false, after: true }, 1275],
  ] as const) {
    const where = when.before ? 'before' : 'after';
    test(`takes what stood at the pin when definitions change right ${where} it`, async context => {
      const ended = await changeTwice(when);
      tell(context, { name: 'database changes under way', ended, more: `definitions ${where} the pin` });
      const { snapshot } = assertSaved(ended, { rig });
      const target = rig.target(`changed_${where}`);
      await rig.summary([
        'restore',
        String(snapshot),
        '--only',
        'database',
        '--database',
        target.databaseArgument,
        '--json',
      ]);
      assert.deepEqual(
        await as(
          target.databaseUrl,
          "SELECT count(*)::int AS rows, sum(j)::int AS sum, to_regclass('public.newer') AS newer FROM public.twin",
        ),
        [{ rows: 50, sum, newer: null }],
      );
    });
  }

  test('refuses when definitions change before the pin and again while they are read', async context => {
    const manifests = manifestsOf(rig);
    const ended = await changeTwice({ before: true, after: true });
    tell(context, {
      name: 'database changes under way',
      ended,
      more: 'definitions before and after the pin',
    });
    assertFailed(ended, { rig, code: 'DATABASE_FAILED', manifests });
  });

  test('ends when another database takes the place of this one meanwhile', async context => {
    const replace = async (phase: Phase) => {
      if (phase !== 'finish') return;
      await as(rig.server.superuserUrl, 'ALTER DATABASE bitbucket RENAME TO away').catch(async () => {
        await as(
          rig.server.superuserUrl,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bitbucket'",
        );
        await as(rig.server.superuserUrl, 'ALTER DATABASE bitbucket RENAME TO away');
      });
      await as(rig.server.superuserUrl, 'CREATE DATABASE bitbucket OWNER bitbucket');
    };
    try {
      await fails(context, {
        name: 'database changes under way',
        code: 'DATABASE_FAILED',
        more: 'another database in its place',
        seams: { onPhase: replace },
      });
    } finally {
      await as(rig.server.superuserUrl, 'DROP DATABASE bitbucket WITH (FORCE)');
      await as(rig.server.superuserUrl, 'ALTER DATABASE away RENAME TO bitbucket');
    }
    assertSaved(await backUpHere(rig), { rig });
  });

  test('is not ended or blinded by time limits and read-only defaults of role and database', async context => {
    await as(
      superuser(),
      `ALTER DATABASE bitbucket SET statement_timeout = '50ms'; ALTER ROLE bitbucket SET idle_in_transaction_session_timeout = '50ms';
       ALTER ROLE bitbucket SET default_transaction_read_only = on; ALTER ROLE bitbucket SET default_transaction_isolation = 'serializable';
       ALTER ROLE bitbucket SET transaction_timeout = '50ms'; ALTER ROLE bitbucket SET idle_session_timeout = '50ms';
       ALTER ROLE bitbucket SET search_path = nowhere; ALTER ROLE bitbucket SET datestyle = 'German'; ALTER ROLE bitbucket SET lock_timeout = '50ms'`,
    );
    const ended = await backUpHere(rig);
    tell(context, { name: 'database refuses', ended, more: 'time limits of role and database are not ours' });
    await as(superuser(), 'ALTER DATABASE bitbucket RESET ALL; ALTER ROLE bitbucket RESET ALL');
    assertSaved(ended, { rig });
  });

  test('backs up and restores a database whose name is odd', async () => {
    const name = `it's "2" ä% x`;
    const url = await rig.server.createDatabase(name);
    await as(url, 'CREATE TABLE public.t AS SELECT 1 AS a');
    const { snapshot } = assertSaved(await backUpHere(rig, { env: withDatabase(rig, url) }), { rig });
    const target = rig.target(`${name} again`);
    await rig.summary([
      'restore',
      String(snapshot),
      '--only',
      'database',
      '--database',
      target.databaseArgument,
      '--json',
    ]);
    assert.deepEqual(await as(target.databaseUrl, 'SELECT a FROM public.t'), [{ a: 1 }]);
  });

  const deaths: Readonly<Record<string, () => Promise<void>>> = {
    'killed (SIGKILL)': () => rig.server.crash(),
    'stopped fast': async () => {
      process.kill(rig.server.pid, 'SIGINT');
      await until(() => !isAlive(rig.server.pid), 'the server has stopped');
    },
    'rid of our connections': async () => {
      await as(
        superuser(),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stillpoint%' AND datname = 'bitbucket'",
      );
    },
  };
  /** Before connect there is nothing to lose; after finish there is nothing that it is needed for. */
  const endings: readonly [phase: Phase, death: keyof typeof deaths, code: string | null][] = [
    ['open', 'killed (SIGKILL)', 'DATABASE_UNREACHABLE'],
    ['connect', 'stopped fast', 'DATABASE_UNREACHABLE'],
    ['pre-scan', 'rid of our connections', 'DATABASE_FAILED'],
    ['lock', 'stopped fast', 'DATABASE_FAILED'],
    ['drain', 'killed (SIGKILL)', 'DATABASE_FAILED'],
    ['capture', 'stopped fast', 'DATABASE_FAILED'],
    ['capture', 'rid of our connections', 'DATABASE_FAILED'],
    ['fence', 'killed (SIGKILL)', 'LATCH_LAPSED'],
    ['unlock', 'stopped fast', 'DATABASE_FAILED'],
    ['finish', 'killed (SIGKILL)', 'DATABASE_FAILED'],
    ['commit', 'killed (SIGKILL)', null],
  ];
  for (const [phase, death, code] of endings) {
    test(`ends well when the server is ${death} at the start of ${phase}`, async context => {
      const onPhase = async (at: Phase) => {
        if (at === phase) await deaths[death]!();
      };
      const options = {
        name: 'database dies in each phase',
        more: `${phase}: ${death}`,
        seams: { onPhase },
      } as const;
      try {
        if (code !== null) await fails(context, { ...options, code });
        else {
          const ended = await backUpHere(rig, options);
          tell(context, { ...options, ended });
          assertSaved(ended, { rig });
        }
      } finally {
        if (death !== 'rid of our connections') await rig.server.restart();
      }
    });
  }

  test('has lost nothing by all that: the next run is whole', async () => {
    const { snapshot } = assertSaved(await backUpHere(rig), { rig });
    const verified = await askHere(rig, ['verify', String(snapshot), '--read-data']);
    assert.equal(verified.code, 0, verified.stderr);
  });
});

async function as(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const answer = (await client.query(sql)) as
      | { rows: Record<string, unknown>[] }
      | { rows: Record<string, unknown>[] }[];
    return Array.isArray(answer) ? (answer.at(-1)?.rows ?? []) : answer.rows;
  } finally {
    await client.end();
  }
}
