import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StillpointError, storeError } from '../../../../store/index.ts';
import { type MemoryChunks, memoryChunks } from '../../../helpers/memory-chunks.ts';
import { backUp, connect, digestKey, onServers, restore, sql } from './on-servers.ts';

const manyRows = `CREATE TABLE public.t AS SELECT i, repeat(md5(i::text), 10) AS filler FROM generate_series(1, 60000) i`;

/** Between us and a server: passes everything on, and lets a test change or cut it. */
async function startProxy(port: number, change: (bytes: Buffer, socket: Socket) => Buffer): Promise<Server> {
  const server = createServer(client => {
    const upstream = connectSocket(port, '127.0.0.1');
    upstream.on('data', bytes => void client.write(change(bytes, client)));
    client.on('data', bytes => void upstream.write(bytes));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => {}); // the test cuts them on purpose
      one.on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function through(proxy: Server, url: string): string {
  const address = proxy.address();
  const found = new URL(url);
  found.port = String(typeof address === 'object' && address ? address.port : 0);
  return found.href;
}

/** What an error shows to anybody: no secret may be in it. */
function shown(error: unknown): string {
  const parts: string[] = [];
  for (let one = error; one instanceof Error; one = one.cause)
    parts.push(
      one.message,
      one instanceof StillpointError ? `${one.remedy} ${JSON.stringify(one.context)}` : '',
    );
  return parts.join('\n');
}

onServers(
  server => {
    test('a reader that is killed in the middle of a COPY fails the backup; nothing hangs', async () => {
      const url = await server().createDatabase('killed');
      await sql(url, manyRows);
      const chunks = memoryChunks();
      let puts = 0;
      const killing: MemoryChunks = {
        ...chunks,
        async put(bytes, chunkClass) {
          puts += 1;
          if (puts === 3)
            await sql(
              server().superuserUrl,
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'killed' AND application_name = 'stillpoint read'",
            );
          return chunks.put(bytes, chunkClass);
        },
      };
      await assert.rejects(backUp(url, killing), { code: 'DATABASE_FAILED' });
    });

    test('a line that is cut in the middle of a COPY fails the backup; nothing hangs', async () => {
      const url = await server().createDatabase('cut');
      await sql(url, manyRows);
      let isCutting = false;
      const proxy = await startProxy(server().port, (bytes, socket) => {
        if (isCutting) socket.destroy();
        return bytes;
      });
      const chunks = memoryChunks();
      chunks.onPut = () => {
        isCutting = true;
      };
      await assert.rejects(backUp(through(proxy, url), chunks), { code: 'DATABASE_FAILED' });
      proxy.close();
    });

    test('an error of the store comes out as it is, and the server is left alone', async () => {
      const url = await server().createDatabase('full_store');
      await sql(url, manyRows);
      const chunks = memoryChunks();
      chunks.onPut = () => {
        throw storeError('STORE_WRITE_FAILED', 'Cannot write pack: no space left');
      };
      await assert.rejects(backUp(url, chunks), { code: 'STORE_WRITE_FAILED' });
      const open = () =>
        sql(
          server().superuserUrl,
          "SELECT pid FROM pg_stat_activity WHERE datname = 'full_store' AND application_name LIKE 'stillpoint%'",
        );
      const deadline = Date.now() + 5000;
      while ((await open()).length > 0 && Date.now() < deadline)
        await new Promise(resolve => setTimeout(resolve, 10));
      assert.deepEqual(await open(), []);
    });

    test('an abort ends a backup at once, with the reason of the signal', async () => {
      const url = await server().createDatabase('aborted');
      await sql(url, manyRows);
      const chunks = memoryChunks();
      const abort = new AbortController();
      const reason = new Error('enough');
      chunks.onPut = () => abort.abort(reason);
      await using source = await connect(url);
      await source.prepare({ signal: abort.signal });
      await source.pin({ signal: abort.signal });
      await assert.rejects(
        source.finish({ sink: chunks, source: chunks, cuts: chunks.cuts, digestKey, signal: abort.signal }),
        reason,
      );
      await assert.rejects(connect(url, { signal: abort.signal }), reason);
    });

    test('a pooler is refused', async () => {
      const url = await server().createDatabase('pooled');
      const proxy = await startProxy(server().port, bytes => {
        // BackendKeyData: 'K', length 12, then the backend's number.
        const at = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
        if (at >= 0) bytes.writeUInt32BE(bytes.readUInt32BE(at + 5) ^ 1, at + 5);
        return bytes;
      });
      await assert.rejects(connect(through(proxy, url)), { code: 'DATABASE_UNSUPPORTED' });
      proxy.close();
    });

    test('a pooler is refused that passes the number of a backend on, and gives its clients others later', async () => {
      const url = await server().createDatabase('pooled_later');
      const clients: Socket[] = [];
      const upstreams: Socket[] = [];
      let isSwapped = false;
      const at = (i: number) => (isSwapped && i < 2 ? 1 - i : i);
      const proxy = createServer(client => {
        const i = clients.push(client) - 1;
        upstreams.push(connectSocket(server().port, '127.0.0.1'));
        client.on('data', bytes => {
          isSwapped ||= bytes.includes("current_setting('stillpoint.session'");
          upstreams[at(i)]!.write(bytes);
        });
        upstreams[i]!.on('data', bytes => void clients[at(i)]!.write(bytes));
        for (const socket of [client, upstreams[i]!]) socket.on('error', () => {}); // cut at the end
        client.on('close', () => upstreams[i]!.destroy());
      }).listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      await assert.rejects(connect(through(proxy, url)), { code: 'DATABASE_UNSUPPORTED' });
      assert.equal(isSwapped, true);
      proxy.close();
    });

    test('a server that is too old is refused', async () => {
      const url = await server().createDatabase('aged');
      const [row] = await sql<{ number: string }>(
        url,
        "SELECT current_setting('server_version_num') AS number",
      );
      const proxy = await startProxy(server().port, bytes => {
        const at = bytes.indexOf(row!.number);
        if (at >= 0) bytes.write('130022', at);
        return bytes;
      });
      await assert.rejects(connect(through(proxy, url)), { code: 'DATABASE_UNSUPPORTED' });
      proxy.close();
    });

    test('rights that lack are named before the lock, with the grant that helps', async () => {
      const url = await server().createDatabase('rights');
      await sql(
        url,
        `CREATE ROLE clerk LOGIN PASSWORD 'pen'; CREATE ROLE auditor LOGIN PASSWORD 'ink' IN ROLE pg_read_all_data;
         CREATE SCHEMA hidden; CREATE TABLE hidden.t AS SELECT 1 AS a; CREATE TABLE public.open AS SELECT 1 AS a;
         CREATE SEQUENCE hidden.s; GRANT SELECT ON public.open TO clerk; SELECT lo_from_bytea(0, 'blob')`,
      );
      const asRole = (name: string, password: string) => server().url('rights', { name, password });
      await using clerk = await connect(asRole('clerk', 'pen'));
      await assert.rejects(clerk.prepare(), (error: unknown) => {
        assert.match(shown(error), /hidden\.t/);
        assert.match(shown(error), /GRANT pg_read_all_data/);
        return (error as StillpointError).code === 'DATABASE_RIGHTS';
      });
      // Who may read all data needs nothing more, large objects included.
      const chunks = memoryChunks();
      const result = await backUp(asRole('auditor', 'ink'), chunks);
      assert.equal(result.rows, 2);
      assert.equal(result.largeObjects, 1);

      await sql(url, 'ALTER TABLE public.open ENABLE ROW LEVEL SECURITY');
      await using auditor = await connect(asRole('auditor', 'ink'));
      await assert.rejects(auditor.prepare(), (error: unknown) => {
        assert.match(shown(error), /BYPASSRLS/);
        return (error as StillpointError).code === 'DATABASE_RIGHTS';
      });
    });

    test('an ordinary owner can back up and restore its database, large objects included', async () => {
      await sql(server().superuserUrl, "CREATE ROLE tenant LOGIN CREATEDB PASSWORD 'key'");
      const asTenant = (database: string) => server().url(database, { name: 'tenant', password: 'key' });
      await sql(asTenant('postgres'), 'CREATE DATABASE tenanted');
      await sql(
        asTenant('tenanted'),
        `CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY, t text); INSERT INTO public.t (t) VALUES ('a'), ('b');
         SELECT lo_from_bytea(0, decode(repeat('00ff', 3000), 'hex')), lo_from_bytea(0, ''), lo_put(lo_create(0), 9000, 'x')`,
      );
      const chunks = memoryChunks();
      const result = await backUp(asTenant('tenanted'), chunks);
      assert.equal(result.largeObjects, 3);
      await restore(asTenant('tenanted_again'), { chunks, result });
      const objects = (at: string) =>
        sql(
          asTenant(at),
          'SELECT oid, md5(lo_get(oid)), length(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1',
        );
      assert.deepEqual(await objects('tenanted_again'), await objects('tenanted'));
      // The pages as a superuser reads them can be restored by the owner, too.
      const pages = await backUp(server().url('tenanted'), chunks);
      await restore(asTenant('tenanted_third'), { chunks, result: pages });
      assert.deepEqual(await objects('tenanted_third'), await objects('tenanted'));
    });

    test('passwords come from the URL, a file or the environment, and never show', async () => {
      await sql(
        server().superuserUrl,
        `CREATE ROLE keeper LOGIN PASSWORD 'S3cr3t:x' IN ROLE pg_read_all_data`,
      );
      const bare = server().url('postgres', { name: 'keeper' });
      const right = { password: 'S3cr3t:x' };
      await (await connect(bare, right))[Symbol.asyncDispose]();
      await (await connect(server().url('postgres', { name: 'keeper', ...right })))[Symbol.asyncDispose]();
      for (const wrong of ['Wr0ngPassw0rd', 'S3cr3t:y'])
        await assert.rejects(
          connect(server().url('postgres', { name: 'keeper', password: wrong })),
          error => {
            assert.equal((error as StillpointError).code, 'DATABASE_RIGHTS');
            assert.equal(
              shown(error).includes(wrong) || shown(error).includes(encodeURIComponent(wrong)),
              false,
            );
            return true;
          },
        );
      await assert.rejects(connect(bare), { code: 'DATABASE_RIGHTS' });

      const folder = await mkdtemp(join(tmpdir(), 'stillpoint-'));
      const file = join(folder, 'pass');
      await writeFile(file, `127.0.0.1:*:*:keeper:S3cr3t\\:x\n`, { mode: 0o600 });
      process.env['PGPASSFILE'] = file;
      try {
        await (await connect(bare))[Symbol.asyncDispose]();
      } finally {
        delete process.env['PGPASSFILE'];
        await rm(folder, { recursive: true });
      }
    });

    test('no server, no database, no URL', async () => {
      await assert.rejects(connect('postgresql://nobody:hush@127.0.0.1:1/none'), (error: unknown) => {
        assert.equal(shown(error).includes('hush'), false);
        return (error as StillpointError).code === 'DATABASE_UNREACHABLE';
      });
      await assert.rejects(connect(server().url('not_there')), { code: 'DATABASE_UNREACHABLE' });
      await assert.rejects(connect('postgresql://u:hush@[::bad/x'), (error: unknown) => {
        assert.equal(shown(error).includes('hush'), false);
        return (error as StillpointError).code === 'CONFIG_INVALID';
      });
    });

    test('a dump tool that does not fit is refused', async () => {
      await using source = await connect(server().superuserUrl, { pgDump: '/bin/true' });
      await assert.rejects(source.prepare(), { code: 'TOOL_MISSING' });
    });
  },
  { only: 'first' },
);
