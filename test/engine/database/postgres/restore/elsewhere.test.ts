import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { serverAccount } from '../../../../../bench/servers/account.ts';
import { availableServers, startServer } from '../../../../../bench/servers/index.ts';
import { reachableTemp } from '../../../../../bench/servers/scratch.ts';
import type { DatabaseOwners, DatabaseWish } from '../../../../../engine/database/index.ts';
import { checkPostgresTarget } from '../../../../../engine/database/postgres/index.ts';
import { readWanted } from '../../../../../engine/database/postgres/outline/wanted.ts';
import { checkServer } from '../../../../../engine/database/postgres/restore/check-server.ts';
import { databaseSql } from '../../../../../engine/database/postgres/restore/psql-script.ts';
import { StillpointError } from '../../../../../store/index.ts';
import { assertDatabasesEqual } from '../../../../helpers/database-equal.ts';
import { memoryChunks } from '../../../../helpers/memory-chunks.ts';
import { backUp, digestKey, onServers, restore, snapshotB, sql, targetOf } from '../on-servers.ts';

const run = promisify(execFile);

const owned = `
CREATE TYPE public.span AS RANGE (subtype = int);
CREATE TABLE public.t (a int PRIMARY KEY, s public.span); INSERT INTO public.t VALUES (1, '[1,2)'), (2, NULL);
CREATE VIEW public.v AS SELECT a FROM public.t;
ALTER TABLE public.t OWNER TO landlord; ALTER VIEW public.v OWNER TO landlord; ALTER TYPE public.span OWNER TO landlord;
GRANT SELECT ON public.t TO "the reader"; ALTER DEFAULT PRIVILEGES FOR ROLE landlord GRANT SELECT ON TABLES TO "the reader";
SELECT lo_from_bytea(4711, 'blob'); ALTER LARGE OBJECT 4711 OWNER TO landlord;
`;

/** Definitions are read first, with all that is known before rows are. */
function onlyRows<Chunks extends { get(...of: never[]): Promise<Uint8Array> }>(
  rows: Chunks,
  others: Chunks,
): Chunks {
  return {
    ...others,
    async get(...of: Parameters<Chunks['get']>) {
      const bytes = await others.get(...of);
      return Buffer.from(bytes).toString('latin1').startsWith('1\t[1,2)') ? rows.get(...of) : bytes;
    },
  };
}

/** What an error says, with its remedy. */
const told = (error: unknown): string =>
  error instanceof StillpointError ? `${error.message} ${error.remedy}` : String(error);

onServers(
  server => {
    const make = async () => {
      await sql(server().superuserUrl, 'CREATE ROLE landlord; CREATE ROLE "the reader"');
      const url = await server().createDatabase('owned');
      await sql(url, owned);
      await sql(
        url,
        'ALTER DATABASE owned OWNER TO landlord; GRANT CONNECT ON DATABASE owned TO "the reader"',
      );
      const chunks = memoryChunks();
      const backup = { url, chunks, result: await backUp(url, chunks) };
      await sql(server().superuserUrl, 'DROP DATABASE owned');
      await sql(server().superuserUrl, 'DROP OWNED BY landlord; DROP ROLE landlord; DROP ROLE "the reader"');
      return backup;
    };
    let made: ReturnType<typeof make> | undefined;
    const shared = () => {
      made ??= make();
      return made;
    };
    const ownersIn = async (url: string) =>
      (
        await sql<{ owner: string }>(
          url,
          `SELECT DISTINCT pg_get_userbyid(o) AS owner FROM (
             SELECT relowner FROM pg_class WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace
             UNION SELECT typowner FROM pg_type WHERE oid >= 16384 UNION SELECT lomowner FROM pg_largeobject_metadata
             UNION SELECT datdba FROM pg_database WHERE datname = current_database()) x (o)`,
        )
      ).map(row => row.owner);

    test('other owners: whoever restores, or one role; without grants no role of the source is needed', async () => {
      const backup = await shared();
      await sql(server().superuserUrl, "CREATE ROLE tenant LOGIN CREATEDB PASSWORD 'key'; CREATE ROLE heir");
      const asTenant = (name: string) => server().url(name, { name: 'tenant', password: 'key' });
      const owners: DatabaseOwners = { owner: 'restorer', grants: false };
      await restore(asTenant('mine'), backup, { wish: { owners } });
      assert.deepEqual(await ownersIn(asTenant('mine')), ['tenant']);
      await restore(server().url('his'), backup, {
        wish: { owners: { owner: { role: 'heir' }, grants: false } },
      });
      assert.deepEqual(await ownersIn(server().url('his')), ['heir']);
      const error = await restore(server().url('never'), backup, {
        wish: { owners: { ...owners, grants: true } },
      }).catch(told);
      assert.match(
        String(error),
        /CREATE ROLE "the reader"; ?CREATE ROLE "landlord"|"landlord".*"the reader"/,
      );
      const unknown = { owner: { role: 'no one' }, grants: false };
      await assert.rejects(restore(server().url('never'), backup, { wish: { owners: unknown } }), {
        code: 'TARGET_FAILED',
      });
    });

    test('a role that may not restore is told everything that it lacks at once, before anything is written', async () => {
      const backup = await shared();
      await sql(
        server().superuserUrl,
        `CREATE ROLE landlord; CREATE ROLE "the reader"; CREATE ROLE guest LOGIN PASSWORD 'key'`,
      );
      const url = server().url('by_guest', { name: 'guest', password: 'key' });
      const lacks = { code: 'DATABASE_RIGHTS' };
      await assert.rejects(
        checkPostgresTarget({ ...targetOf(url), source: backup.chunks, root: backup.result.root }),
        lacks,
      );
      const error = await restore(url, backup).catch(told);
      assert.match(String(error), /ALTER ROLE guest CREATEDB; GRANT landlord TO guest;/);
      // What was said is what helps.
      await sql(server().superuserUrl, 'ALTER ROLE guest CREATEDB; GRANT landlord TO guest');
      await restore(url, backup);
      assert.deepEqual(await ownersIn(server().url('by_guest')), ['landlord']);
    });

    test('connections that are ended in the middle leave a marked database, or nothing beside others; again, all is well', async () => {
      const backup = await shared();
      const wish = { owners: { owner: 'restorer', grants: false } } as const;
      const ending = {
        async get(...[id, chunkClass]: Parameters<typeof backup.chunks.get>) {
          if (chunkClass === 'data')
            await sql(
              server().superuserUrl,
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stillpoint restore'",
            );
          return backup.chunks.get(id, chunkClass);
        },
      };
      const rows = { ...backup, chunks: onlyRows(ending, backup.chunks) };
      await assert.rejects(restore(server().url('ended'), rows, { wish }), { code: 'DATABASE_FAILED' });
      await assert.rejects(checkPostgresTarget({ ...targetOf(server().url('ended')), snapshot: snapshotB }), {
        code: 'TARGET_NOT_EMPTY',
      });
      await restore(server().url('ended'), backup, { wish });

      const live = await server().createDatabase('beside');
      await sql(live, 'CREATE TABLE public.mine (a int)');
      const part = { ...wish, tables: ['public.t'], isAlongside: true };
      await assert.rejects(restore(live, rows, { wish: part }), { code: 'DATABASE_FAILED' });
      assert.deepEqual(await sql(live, 'SELECT relname FROM pg_class WHERE oid >= 16384'), [
        { relname: 'mine' },
      ]);
      await restore(live, backup, { wish: part });
    });

    test('a locale that the machine of the server lacks is named before a database is made', async () => {
      const backup = await shared();
      const wanted = await readWanted({
        source: backup.chunks,
        root: backup.result.root,
        wish: { owners: { owner: 'restorer', grants: false } },
      });
      const collation = { ...wanted.record.collation, provider: 'c', collate: 'xx_YY.UTF-8' };
      const other = { ...wanted, record: { ...wanted.record, collation } };
      const error = await checkServer(targetOf(server().url('sorted')), other).catch(told);
      assert.match(String(error), /xx_YY\.UTF-8/);
      await server().createDatabase('sorted'); // one that is there has its own
      await checkServer(targetOf(server().url('sorted')), other);
    });

    test('time limits and read-only defaults of the role are not those of a restore', async () => {
      const backup = await shared();
      await sql(
        server().superuserUrl,
        `CREATE ROLE hasty LOGIN SUPERUSER PASSWORD 'key'; ALTER ROLE hasty SET statement_timeout = '100ms';
         ALTER ROLE hasty SET default_transaction_read_only = on; ALTER ROLE hasty SET lock_timeout = '1ms';
         ALTER ROLE hasty SET idle_in_transaction_session_timeout = '100ms'; ALTER ROLE hasty SET idle_session_timeout = '300ms';
         ALTER ROLE hasty SET default_transaction_isolation = 'serializable'`,
      );
      const owners: DatabaseOwners = { owner: 'restorer', grants: false };
      await restore(server().url('in_haste', { name: 'hasty', password: 'key' }), backup, {
        wish: { owners },
      });
    });
  },
  { only: 'first' },
);

onServers(
  server => {
    test('all that a server lacks is named in one message, and nothing is written', async () => {
      const account = serverAccount();
      const folder = mkdtempSync(join(reachableTemp(), 'stillpoint-space-'));
      if (account.foreign) chownSync(folder, account.uid, account.gid);
      try {
        await sql(server().superuserUrl, `CREATE TABLESPACE "fast one" LOCATION '${folder}'`);
        await sql(server().superuserUrl, 'CREATE ROLE brief');
        const url = await server().createDatabase('spaced');
        await sql(
          url,
          `CREATE EXTENSION hstore; CREATE TABLE public.t (h public.hstore) TABLESPACE "fast one";
           INSERT INTO public.t VALUES ('a=>1'); ALTER TABLE public.t OWNER TO brief;
           CREATE COLLATION public.odd (provider = libc, locale = 'POSIX')`,
        );
        const chunks = memoryChunks();
        const result = await backUp(url, chunks);
        await sql(server().superuserUrl, 'DROP DATABASE spaced');
        await sql(server().superuserUrl, 'DROP TABLESPACE "fast one"');
        await sql(server().superuserUrl, 'DROP ROLE brief');
        const changed = {
          async get(...[id, chunkClass]: Parameters<typeof chunks.get>) {
            const text = Buffer.from(await chunks.get(id, chunkClass)).toString('latin1');
            const other = text
              .replaceAll(/EXTENSION IF NOT EXISTS hstore/g, 'EXTENSION IF NOT EXISTS hstorx')
              .replace(/(COLLATION public\.odd \(provider = libc, locale = )'POSIX'/, "$1'xx_YY'");
            return Buffer.from(other, 'latin1');
          },
        };
        const error = await restore(server().url('spaced_again'), { chunks: changed, result }).catch(told);
        for (const named of [
          /brief/,
          /fast one/,
          /hstorx/,
          /public\.odd/,
          /--tablespace/,
          /CREATE ROLE "brief"/,
        ])
          assert.match(String(error), named);
        const names = await sql(
          server().superuserUrl,
          "SELECT FROM pg_database WHERE datname = 'spaced_again'",
        );
        assert.equal(names.length, 0);
        const wish = {
          tablespaces: new Map([['fast one', 'pg_default']]),
          owners: { owner: 'restorer', grants: true },
        } as const;
        await restore(server().url('spaced_again'), { chunks, result }, { wish });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    test('SQL that psql loads without this program, in one transaction, makes an equal database', async () => {
      const url = await server().createDatabase(
        'scripted',
        "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
      );
      await sql(
        url,
        `CREATE TABLE public.texts (id serial PRIMARY KEY, t text, b bytea);
         INSERT INTO public.texts (t, b) VALUES (E'a\\nb\\t\\\\', '\\x00ff'), (E'\\\\.', NULL), ('', ''), ('\\.', NULL), ('Größe', 'x'), (':t :''t''', 'y');
         INSERT INTO public.texts (t) SELECT repeat(md5(i::text), 40) FROM generate_series(1, 3000) i;
         CREATE TABLE public."zero columns" (); INSERT INTO public."zero columns" DEFAULT VALUES;
         CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $f$SELECT E'\\'\\\\d'$f$;
         CREATE MATERIALIZED VIEW public.m AS SELECT count(*) FROM public.texts;
         CREATE TABLE public.seen (tag text);
         CREATE FUNCTION public.see() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.seen VALUES (tg_tag); END$$;
         CREATE EVENT TRIGGER seer ON ddl_command_end EXECUTE FUNCTION public.see();
         COMMENT ON DATABASE scripted IS 'it''s \\ "quoted"'; ALTER DATABASE scripted SET work_mem = '5MB';
         SELECT lo_create(1), lo_put(lo_create(2), 100000, 'far'), lo_truncate(lo_open(lo_create(3), 131072), 4096)`,
      );
      const chunks = memoryChunks();
      const result = await backUp(url, chunks);
      const folder = mkdtempSync(join(tmpdir(), 'stillpoint-sql-'));
      try {
        const load = async (name: string, pieces: readonly (Uint8Array | string)[]) => {
          const target = await server().createDatabase(
            name,
            "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
          );
          const psql = run(join(server().clientDir!, 'psql'), ['-X', '-q', '-d', target], { maxBuffer: 1e8 });
          psql.child.stdin!.on('error', () => {}); // it may end before it has read all
          for (const piece of pieces) psql.child.stdin!.write(piece);
          psql.child.stdin!.end();
          await psql;
          return target;
        };
        const script = async (from: Pick<typeof chunks, 'get'>, wish?: DatabaseWish) => {
          const pieces: (Uint8Array | string)[] = [];
          const options = { source: from, root: result.root, digestKey, wish };
          for await (const piece of databaseSql(options))
            pieces.push(typeof piece === 'string' ? piece : Buffer.from(piece));
          return pieces;
        };
        const whole = await script(chunks);
        await assertDatabasesEqual(url, await load('scripted_again', whole));
        const part = await load('scripted_part', await script(chunks, { tables: ['texts'] }));
        assert.deepEqual(await sql(part, 'SELECT count(*)::int AS n, max(id) FROM public.texts'), [
          { n: 3006, max: 3006 },
        ]);
        const cut = await load('scripted_half', whole.slice(0, -3));
        assert.deepEqual(await sql(cut, 'SELECT FROM pg_class WHERE oid >= 16384'), []);
        // Rows that would end the data early, and definitions with commands for psql, are never written.
        for (const [from, to] of [
          ['\t\\\\.\t', '\n\\.\n\\'],
          ['CREATE TABLE public.seen', 'CREATE \\! touch /x seen'],
        ] as const) {
          const hostile = {
            async get(...[id, chunkClass]: Parameters<typeof chunks.get>) {
              const text = Buffer.from(await chunks.get(id, chunkClass)).toString('latin1');
              return Buffer.from(text.replace(from, to.padEnd(from.length)), 'latin1');
            },
          };
          await assert.rejects(script(hostile), { code: 'STORE_DAMAGED' }, from);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
  { only: 'with pg_dump' },
);

const servers = await availableServers();
const byAge = [...servers].sort((a, b) => a.major - b.major);
const [oldest, newest] = [byAge[0], byAge.at(-1)];

test('an older backup is restored by a newer server; by an older one it is refused, and nothing is written', {
  skip: newest && oldest && newest.major > oldest.major ? false : 'there is one version of PostgreSQL only',
}, async () => {
  await using older = await startServer({ kind: oldest!.kind, major: oldest!.major });
  await using newer = await startServer({ kind: newest!.kind, major: newest!.major });
  const chunks = memoryChunks();
  const url = await older.createDatabase('aged');
  await sql(
    url,
    `CREATE TYPE public.r AS RANGE (subtype = int); CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY, r public.r, t text);
     INSERT INTO public.t (r, t) SELECT public.r(i, i + 1), 'row ' || i FROM generate_series(1, 2000) i;
     CREATE VIEW public.v AS SELECT count(*) AS n FROM public.t; SELECT lo_from_bytea(0, 'blob')`,
  );
  const result = await backUp(url, chunks);
  await restore(newer.url('aged_again'), { chunks, result });
  const digest =
    'SELECT md5(string_agg(t::text, $$,$$ ORDER BY id)) AS sum, (SELECT n FROM public.v) FROM public.t';
  assert.deepEqual(await sql(newer.url('aged_again'), digest), await sql(url, digest));

  const back = await backUp(newer.url('aged_again'), chunks);
  const target = older.url('never');
  await assert.rejects(restore(target, { chunks, result: back }), { code: 'DATABASE_UNSUPPORTED' });
  assert.deepEqual(await sql(older.superuserUrl, "SELECT FROM pg_database WHERE datname = 'never'"), []);
});
