import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { availableServers, startServer } from '../../bench/servers/index.ts';

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function identifierOf(url: string): Promise<unknown> {
  const [control] = await query(url, 'SELECT system_identifier FROM pg_control_system()');
  return control?.['system_identifier'];
}

const available = await availableServers();
const identifiers = new Set<unknown>();

test('an embedded server is always available where the package is installed', () => {
  assert.equal(available[0]?.kind, 'embedded');
});

for (const { kind, major, version } of available) {
  test(`${kind} ${version} starts, asks for the password, survives a crash, and leaves nothing behind`, async () => {
    const server = await startServer({ kind, major, settings: { work_mem: '5MB' } });
    try {
      assert.equal(server.version, version);
      identifiers.add(await identifierOf(server.superuserUrl));
      const url = await server.createDatabase('one two');
      assert.deepEqual(await query(url, `SELECT current_database() d, current_setting('work_mem') w`), [
        { d: 'one two', w: '5MB' },
      ]);
      await query(url, `CREATE ROLE reader LOGIN PASSWORD 'p@ss:/word'; CREATE TABLE kept AS SELECT 1 AS n`);
      const reader = server.url('one two', { name: 'reader', password: 'p@ss:/word' });
      assert.deepEqual(await query(reader, 'SELECT current_user::text u'), [{ u: 'reader' }]);
      await assert.rejects(query(server.url('one two', { name: 'reader', password: 'wrong' }), 'SELECT 1'), {
        code: '28P01',
      });
      await server.crash();
      await assert.rejects(query(url, 'SELECT 1'));
      await server.restart();
      assert.deepEqual(await query(url, 'SELECT n FROM kept'), [{ n: 1 }]);
    } finally {
      await server.stop();
    }
    assert.equal(existsSync(dirname(server.dataDir)), false);
    await assert.rejects(query(server.superuserUrl, 'SELECT 1'), { code: 'ECONNREFUSED' });
    await server.stop();
  });
}

test('a server is another one than those before, and ends with the process that started it, also when that is killed', async () => {
  const door = join(import.meta.dirname, '../../bench/servers/index.js');
  const script = `import { startServer } from ${JSON.stringify(door)};
    const server = await startServer({ kind: 'embedded' });
    console.log(JSON.stringify({ url: server.superuserUrl, dataDir: server.dataDir }));
    setInterval(() => {}, 1000);`;
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: child.stdout! }), 'line');
  const { url, dataDir } = JSON.parse(String(line)) as { url: string; dataDir: string };
  const identifier = await identifierOf(url);
  child.kill('SIGKILL');
  for (let tries = 0; tries < 400 && existsSync(dirname(dataDir)); tries += 1) await sleep(25);
  assert.equal(existsSync(dirname(dataDir)), false);
  await assert.rejects(query(url, 'SELECT 1'), { code: 'ECONNREFUSED' });
  assert.ok(identifier && !identifiers.has(identifier), `${identifier} is its own`);
});
