import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, onServers, openSession, sql } from '../on-servers.ts';

onServers(server => {
  test('sessions of others are told, whatever may be seen of them; our own and those of other databases are not', async () => {
    const url = await server().createDatabase('busy');
    const elsewhere = await server().createDatabase('elsewhere');
    await sql(url, "CREATE ROLE plain LOGIN PASSWORD 'plain'");
    const plain = new URL(url);
    plain.username = 'plain';
    plain.password = 'plain';
    for (const asWhom of [url, plain.toString()]) {
      await using source = await connect(asWhom);
      assert.deepEqual(await source.otherSessions(), []);
      await openSession(elsewhere).then(async away => {
        assert.deepEqual(await source.otherSessions(), []);
        await away.end();
      });
      const other = new URL(url);
      other.searchParams.set('application_name', 'the wiki');
      const session = await openSession(other.toString());
      const [found, ...more] = await source.otherSessions();
      assert.deepEqual(more, []);
      assert.ok(found && found.pid > 0);
      assert.deepEqual([found.user, found.application], [other.username, 'the wiki']);
      if (asWhom === url) assert.equal(found.address, '127.0.0.1');
      await session.end();
    }
  });
});
