import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fingerprintOf,
  fingerprintSql,
} from '../../../../../engine/database/postgres/catalog/fingerprint.ts';
import { openConnection } from '../../../../../engine/database/postgres/connect/open-connection.ts';
import { hex } from '../../../../../store/index.ts';
import { onServers, sql } from '../on-servers.ts';

onServers(server => {
  test('what others do to their databases and passwords changes no fingerprint; what is this one’s does', async () => {
    const url = await server().createDatabase('mine');
    await sql(
      url,
      'CREATE ROLE owner_of_it; CREATE TABLE public.owned (a int); ALTER TABLE public.owned OWNER TO owner_of_it',
    );
    await using connection = await openConnection({ type: 'postgresql', url, purpose: 'test' });
    const statement = await fingerprintSql(connection);
    const now = async () => hex(fingerprintOf((await connection.script('ask', [statement]))[0]!));
    const before = await now();
    const other = await server().createDatabase('other');
    for (const text of [
      "COMMENT ON DATABASE other IS 'x'",
      "ALTER DATABASE other SET work_mem = '4MB'",
      'CREATE ROLE stranger',
      "ALTER ROLE stranger PASSWORD 'x'",
      "ALTER ROLE owner_of_it PASSWORD 'y'",
      'GRANT stranger TO owner_of_it',
      'CREATE TABLE public.theirs (a int); ALTER TABLE public.theirs OWNER TO stranger',
    ]) {
      await sql(other, text);
      assert.equal(await now(), before, text);
    }
    let last = before;
    for (const text of [
      "COMMENT ON DATABASE mine IS 'x'",
      "ALTER DATABASE mine SET work_mem = '4MB'",
      'ALTER ROLE owner_of_it RENAME TO renamed_owner',
      'GRANT SELECT ON public.owned TO stranger',
      'CREATE VIEW public.seen AS SELECT a FROM public.owned',
      'ALTER DATABASE mine OWNER TO stranger',
    ]) {
      await sql(url, text);
      const next = await now();
      assert.notEqual(next, last, text);
      last = next;
    }
  });
});
