import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkReading } from '../../../../engine/doctor/database/reading.ts';
import { StillpointError, systemClock } from '../../../../store/index.ts';
import { assertDatabasesEqual } from '../../../helpers/database-equal.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { projectRoot } from '../../../helpers/project.ts';
import { backUp, connect, onServers, restore, sql } from './on-servers.ts';

/** The statements of docs/postgresql.md, in their order, with passwords. */
const documented = [
  ...readFileSync(join(projectRoot, 'docs/postgresql.md'), 'utf8').matchAll(/```sql\n([\s\S]*?)```/g),
].map(([, text]) => (text ?? '').replaceAll('choose one', 'key'));

onServers(server => {
  const [backupRole, connectGrant, bypass, restoreRole] = documented as [string, string, string, string];
  const as = (name: string, database: string) => server().url(database, { name, password: 'key' });

  test('the roles of the documentation, and nothing else, back up and restore a database of everything', async () => {
    await sql(server().superuserUrl, 'CREATE ROLE bitbucket; CREATE ROLE bystander');
    const url = await server().createDatabase('bitbucket', 'OWNER bitbucket');
    await sql(
      url,
      `SET ROLE bitbucket; CREATE SCHEMA closed; CREATE TYPE closed.mood AS ENUM ('good');
       CREATE TABLE closed.t (id serial PRIMARY KEY, m closed.mood); INSERT INTO closed.t (m) SELECT 'good' FROM generate_series(1, 500);
       CREATE TABLE public.parted (a int) PARTITION BY LIST (a); CREATE TABLE public.part PARTITION OF public.parted DEFAULT;
       INSERT INTO public.parted SELECT generate_series(1, 100); CREATE SEQUENCE public.s START 7;
       CREATE MATERIALIZED VIEW closed.m AS SELECT count(*) FROM closed.t; GRANT SELECT ON closed.t TO bystander;
       SELECT lo_from_bytea(4711, decode(repeat('00ff', 3000), 'hex'));
       RESET ROLE; REVOKE CONNECT ON DATABASE bitbucket FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC`,
    );
    await sql(server().superuserUrl, backupRole);
    await assert.rejects(connect(as('stillpoint', 'bitbucket')), (error: unknown) => {
      assert.ok(error instanceof StillpointError);
      assert.match(String(error.remedy), /GRANT CONNECT ON DATABASE "bitbucket" TO "stillpoint";/);
      return error.code === 'DATABASE_RIGHTS';
    });
    await sql(server().superuserUrl, connectGrant);
    const chunks = memoryChunks();
    const result = await backUp(as('stillpoint', 'bitbucket'), chunks);
    assert.equal(result.largeObjects, 1);

    await sql(server().superuserUrl, restoreRole);
    await restore(as('restorer', 'bitbucket_again'), { chunks, result });
    await assertDatabasesEqual(url, server().url('bitbucket_again'));
  });

  test('doctor says of a role what a backup says, and what helps', async () => {
    await sql(
      server().superuserUrl.replace(/postgres$/, 'bitbucket'),
      'ALTER TABLE closed.t ENABLE ROW LEVEL SECURITY; ALTER TABLE closed.t FORCE ROW LEVEL SECURITY',
    );
    const url = as('stillpoint', 'bitbucket');
    const look = () =>
      checkReading({ type: 'postgresql', url }, { clock: systemClock }).run(new AbortController().signal);
    const [finding] = await look();
    assert.match(JSON.stringify(finding), /closed\.t/);
    assert.match(JSON.stringify(finding), /ALTER ROLE stillpoint BYPASSRLS;/);
    await using source = await connect(url);
    const said = await source.prepare().catch((error: unknown) => error);
    assert.ok(said instanceof StillpointError);
    assert.equal(said.code, 'DATABASE_RIGHTS');
    assert.ok(JSON.stringify(finding).includes(JSON.stringify(said.remedy).slice(1, -1)));
    await sql(server().superuserUrl, bypass);
    // Only pg_dump can write it, and none is as new as this server.
    if (server().clientDir === null)
      await sql(
        server().superuserUrl.replace(/postgres$/, 'bitbucket'),
        'ALTER TABLE closed.t DISABLE ROW LEVEL SECURITY; ALTER TABLE closed.t NO FORCE ROW LEVEL SECURITY',
      );
    const chunks = memoryChunks();
    assert.equal((await backUp(url, chunks)).rows, 600);
  });

  test('what the role may not read is named', async () => {
    const url = server().superuserUrl.replace(/postgres$/, 'bitbucket');
    await sql(
      url,
      `CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w;
       CREATE USER MAPPING FOR bystander SERVER far OPTIONS (name 'x')`,
    );
    // A subscription has a definition that only pg_dump can write.
    if (server().clientDir !== null)
      await sql(url, `CREATE SUBSCRIPTION sub CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false)`);
    const chunks = memoryChunks();
    const { warnings } = await backUp(as('stillpoint', 'bitbucket'), chunks);
    assert.match(warnings.join('\n'), /bystander on server far/);
    if (server().clientDir !== null) assert.match(warnings.join('\n'), /subscription sub/);
    const all = await backUp(url, chunks);
    assert.doesNotMatch(all.warnings.join('\n'), /bystander|Subscriptions are left out/);
  });
});
