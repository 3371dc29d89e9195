import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { catalogImage, differences, planImage } from '../../../../../../bench/matrix/image.ts';
import { availableServers, type PostgresServer, withClient } from '../../../../../../bench/servers/index.ts';
import { readCatalogDdl } from '../../../../../../engine/database/postgres/definitions/catalog-ddl/index.ts';
import { read, readObjects, serverWithRoles, write } from './servers.ts';
import { shapes } from './shapes.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../../../../../..');
const standIn = readFileSync(join(root, 'bench/instance/schema.sql'), 'utf8');

/** Changes that the comparison must see, or it proves nothing. */
const changes = [
  `ALTER TABLE public.comment ALTER COLUMN created_at DROP DEFAULT`,
  `ALTER TABLE public.comment ALTER COLUMN created_at SET DEFAULT clock_timestamp()`,
  `ALTER TABLE public.comment ALTER COLUMN body SET STORAGE MAIN`,
  `ALTER TABLE public.pull_request ALTER COLUMN state SET STATISTICS 499`,
  `ALTER TABLE public.pull_request ALTER COLUMN weight TYPE numeric(10, 4)`,
  `ALTER TABLE public.app_user ALTER COLUMN email DROP NOT NULL, ALTER COLUMN avatar SET NOT NULL`,
  `ALTER TYPE public.project_kind RENAME VALUE 'PERSONAL' TO 'OWN'`,
  `ALTER SEQUENCE public.build_number NO CYCLE`,
  `ALTER SEQUENCE public.activity_id_seq OWNED BY NONE`,
  `ALTER DOMAIN public.short_code DROP CONSTRAINT no_spaces`,
  `ALTER TABLE public.project SET (fillfactor = 91)`,
  `ALTER TABLE analytics.page_cache SET LOGGED`,
  `ALTER TABLE public.activity DETACH PARTITION public.activity_2025`,
  `ALTER TABLE public.security_audit_entry NO INHERIT public.audit_entry`,
  `ALTER TABLE public.build VALIDATE CONSTRAINT build_ratio`,
  `ALTER TABLE public.project ALTER CONSTRAINT project_main_repository NOT DEFERRABLE`,
  `ALTER TABLE public.build DISABLE TRIGGER build_always`,
  `ALTER TABLE public.activity_2025 ENABLE TRIGGER activity_completed`,
  `ALTER TABLE public.comment SET WITHOUT CLUSTER`,
  `ALTER TABLE public.build REPLICA IDENTITY DEFAULT`,
  `ALTER INDEX public.pull_request_title_head ALTER COLUMN 2 SET STATISTICS 301`,
  `ALTER INDEX public.repository_settings SET (fastupdate = on)`,
  `DROP INDEX public.repository_offline`,
  `ALTER STATISTICS public.ref_update_shape SET STATISTICS 201`,
  `ALTER FUNCTION public.slug_of(text) COST 6`,
  `ALTER FUNCTION public.default_reviewers() RESET search_path`,
  `ALTER VIEW public.open_pull_request RESET (security_barrier)`,
  `ALTER VIEW public.open_pull_request ALTER COLUMN title DROP DEFAULT`,
  `CREATE OR REPLACE VIEW analytics.busy_repository AS SELECT * FROM analytics.repository_summary WHERE moves > 11`,
  `DROP RULE never_used_kept ON analytics.never_used`,
  `COMMENT ON COLUMN public.live_ref.to_hash IS NULL`,
  `COMMENT ON TRIGGER ref_update_recorded ON public.ref_update IS 'other'`,
  `REVOKE UPDATE (active) ON public.app_user FROM instance_reader`,
  `GRANT SELECT ON public.project TO instance_reader WITH GRANT OPTION`,
  `GRANT USAGE ON TYPE public.signature TO PUBLIC`,
  `ALTER DEFAULT PRIVILEGES FOR ROLE instance IN SCHEMA analytics REVOKE SELECT ON TABLES FROM instance_reader`,
  `ALTER TABLE public.project OWNER TO other`,
  `CREATE TABLE public.one_more ()`,
];

const servers = await availableServers();
const started: PostgresServer[] = [];
for (const available of servers) {
  const name = `PostgreSQL ${available.version}`;
  const server = await serverWithRoles(available);
  started.push(server);

  const copyOf = async (database: string): Promise<string> => {
    const copy = `${database}_copy`;
    const url = await server.createDatabase(copy, 'OWNER instance');
    await write(url, await read(server.url(database)));
    return copy;
  };
  const imageOf = (database: string): Promise<Map<string, string[]>> =>
    withClient(server.url(database), client => catalogImage(client));
  const dumpOf = async (database: string): Promise<string> => {
    const args = ['--schema-only', `--dbname=${server.url(database)}`];
    const { stdout } = await run(join(server.clientDir!, 'pg_dump'), args, { maxBuffer: 2 ** 26 });
    return stdout.replace(/^\\(un)?restrict .*\n/gm, '');
  };
  const assertSame = async (database: string, copy: string): Promise<void> => {
    assert.deepEqual(differences(await imageOf(database), await imageOf(copy)), []);
    assert.deepEqual(await read(server.url(copy)), await read(server.url(database)));
  };

  test(`${name}: the stand-in's definitions make its like, for pg_dump and for every catalog`, async () => {
    await server.createDatabase('standin', 'OWNER instance');
    const asInstance = server.url('standin', { name: 'instance', password: 'instance' });
    await withClient(asInstance, client => client.query(standIn));
    const copy = await copyOf('standin');
    await assertSame('standin', copy);
    if (server.clientDir) assert.equal(await dumpOf(copy), await dumpOf('standin'));
  });

  test(`${name}: the owner of the database may read and write its definitions without a superuser`, async () => {
    const role = { name: 'instance', password: 'instance' };
    await server.createDatabase('ordinary', 'OWNER instance');
    const ddl = await read(server.url('standin', role));
    await write(server.url('ordinary', role), ddl);
    assert.deepEqual(await read(server.url('ordinary', role)), ddl);
  });

  if (available === servers[0])
    test(`${name}: the comparison sees ${changes.length} small changes, one by one`, async () => {
      await withClient(server.url('standin_copy'), async client => {
        await client.query(`BEGIN; SET LOCAL search_path = ''`);
        const plan = await planImage(client);
        const before = { image: await catalogImage(client, plan), ddl: await readCatalogDdl(client) };
        for (const change of changes) {
          await client.query(`SAVEPOINT unchanged; ${change}`);
          assert.notDeepEqual(differences(before.image, await catalogImage(client, plan)), [], change);
          assert.notDeepEqual(await readCatalogDdl(client), before.ddl, change);
          await client.query('ROLLBACK TO unchanged');
        }
      });
    });

  for (const { since, title, sql } of shapes) {
    if (since > server.major) continue;
    test(`${name}: ${title}`, async () => {
      const database = title.replaceAll(/[^a-z0-9]+/g, '_').slice(0, 40);
      const url = await server.createDatabase(database, 'OWNER instance');
      await withClient(url, client => client.query(sql));
      await assertSame(database, await copyOf(database));
    });
  }

  test(`${name}: an heir keeps the order of its columns when its parent got one later`, async () => {
    const url = await server.createDatabase('late');
    await withClient(url, client =>
      client.query(`CREATE TABLE parent (a integer); CREATE TABLE heir (b integer) INHERITS (parent);
        ALTER TABLE parent ADD COLUMN late integer NOT NULL DEFAULT 7, ADD CHECK (late > 0)`),
    );
    await copyOf('late');
    const seen = differences(await imageOf('late'), await imageOf('late_copy'));
    // What is lost, and only then: that the heir's columns go when the parent drops its own.
    const flags = /"(attislocal|conislocal)": (true|false)/g;
    assert.ok(seen.length > 0);
    assert.deepEqual(
      seen.filter(line => line.startsWith('-')).map(line => line.slice(1).replace(flags, '')),
      seen.filter(line => line.startsWith('+')).map(line => line.slice(1).replace(flags, '')),
    );
  });

  test(`${name}: owners and grants can be left out`, async () => {
    const whole = await read(server.url('standin'));
    const bare = await read(server.url('standin'), { owners: false, grants: false });
    assert.equal(bare.preData, whole.preData);
    assert.ok(!/OWNER TO|GRANT|REVOKE|DEFAULT PRIVILEGES/.test(bare.postData));
    const kept = whole.postData
      .split(';\n')
      .filter(
        one =>
          !/^\s*(DO .*|ALTER [^']*) OWNER TO /.test(one) && !/^\s*(ALTER DEFAULT|GRANT|REVOKE) /.test(one),
      );
    assert.equal(bare.postData, kept.join(';\n'));
  });

  test(`${name}: what is defined about large objects is made again`, async () => {
    const url = await server.createDatabase('objects', 'OWNER instance');
    await withClient(url, client =>
      client.query(`SELECT lo_create(1001), lo_create(1002), lo_create(1003), lo_create(1004), lo_create(4000000000);
        ALTER LARGE OBJECT 1001 OWNER TO other; ALTER LARGE OBJECT 1002 OWNER TO "Odd ""Role""";
        GRANT SELECT ON LARGE OBJECT 1002, 1003 TO other WITH GRANT OPTION;
        REVOKE UPDATE ON LARGE OBJECT 1003 FROM CURRENT_USER;
        COMMENT ON LARGE OBJECT 4000000000 IS 'it''s \\ big'; SELECT lo_create(n) FROM generate_series(10000, 11999) n`),
    );
    const texts = await readObjects(url);
    const copy = await server.createDatabase('objects_copy');
    await withClient(copy, async client => {
      await client.query(`SELECT lo_create(n) FROM generate_series(1001, 1004) n`);
      await client.query(
        `SELECT lo_create(n) FROM generate_series(10000, 11999) n; SELECT lo_create(4000000000)`,
      );
      for (const text of texts) await client.query(text);
    });
    assert.deepEqual(await readObjects(copy), texts);
    assert.ok(texts.length > 4, 'none locks more objects than the lock table holds');
    assert.deepEqual(await objectFacts(copy), await objectFacts(url));
  });

  test(`${name}: definitions run on every newer server too`, async () => {
    const ddl = await read(server.url('standin'));
    for (const newer of started) {
      if (newer.major < server.major) continue;
      const url = await newer.createDatabase(`from_${server.major}`, 'OWNER instance');
      await write(url, ddl);
      assert.ok((await read(url)).preData.includes('CREATE TABLE public.repository'));
    }
  });
}

/** Large objects as the catalogs have them. */
function objectFacts(url: string): Promise<unknown[]> {
  return withClient(url, async client => {
    const { rows } = await client.query(
      `SELECT oid, lomowner::regrole::text, lomacl::text, obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata ORDER BY 1`,
    );
    return rows;
  });
}
