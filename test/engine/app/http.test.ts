import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openTransport, type Request, type Transport } from '../../../engine/app/http.ts';
import type { Timeouts } from '../../../engine/app/index.ts';
import { StillpointError } from '../../../store/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { certificate, deadAddress, rawServer } from './raw-server.ts';

/** So long that a test which needs one of them ends by --test-timeout. */
const patient = { connectMs: 60_000, headersMs: 60_000, bodyMs: 60_000, lockMs: 60_000, stateMs: 60_000 };
const shortMs = 120;
const secret = 'c2VjcmV0';

function client(url: string, timeouts: Partial<Timeouts> = {}): AsyncDisposable & Transport {
  const transport = openTransport(new URL(url), { ...patient, ...timeouts });
  return { ...transport, [Symbol.asyncDispose]: () => transport.close() };
}

function call(transport: Transport, more: Partial<Request> = {}) {
  return transport.send({
    method: 'GET',
    path: `/asked?token=${secret}`,
    headers: { Authorization: `Basic ${secret}` },
    ...more,
  });
}

/** What became of a call that must not be answered. No secret, and no second line, is in anything that is said of it. */
async function lost(answer: Promise<unknown>): Promise<{ code: unknown; neverLeft: unknown }> {
  const error: unknown = await answer.then(
    () => assert.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StillpointError)) throw error;
  assert.equal(error.code, 'APP_UNREACHABLE');
  assert.doesNotMatch(`${error.message}${error.remedy}`, /\n|undefined|\[object/);
  const said = `${error.message} ${error.remedy} ${JSON.stringify(error.context)} ${String(error.cause)}`;
  assert.ok(!said.includes(secret), said);
  const { code, neverLeft } = error.context;
  return { code, neverLeft };
}

const head = (lines: string) => `HTTP/1.1 ${lines.replaceAll('\n', '\r\n')}\r\n\r\n`;
const ok = (text: string) => `${head(`200 OK\nContent-Length: ${text.length}`)}${text}`;

/** Writes once the request is there. */
const writes =
  (text: string, then: (socket: Socket) => void = () => {}) =>
  (socket: Socket, { piece }: { readonly piece: string }) => {
    if (piece !== '') socket.write(text, 'latin1', () => then(socket));
  };

/** Goes on writing until it is cut off. */
const drips =
  (start: string, drop: string) =>
  (socket: Socket, { piece }: { readonly piece: string }) => {
    if (piece === '') return;
    socket.write(start);
    const timer = setInterval(() => socket.write(drop), 10);
    socket.on('close', () => clearInterval(timer));
  };

describe('a call', { concurrency: 8 }, () => {
  const late = {
    'has a server that says nothing': [() => {}, 'headersMs', 'HEADERS_TIMEOUT'],
    'has headers that drip for ever': [
      drips('HTTP/1.1 200 OK\r\n', 'A: b\r\n'),
      'headersMs',
      'HEADERS_TIMEOUT',
    ],
    'is told to wait for ever': [drips('', head('102 Processing')), 'headersMs', 'HEADERS_TIMEOUT'],
    'has headers and no body': [writes(head('200 OK\nContent-Length: 9')), 'bodyMs', 'BODY_TIMEOUT'],
    'has a body that drips for ever': [
      drips(head('200 OK\nContent-Length: 99999'), '{'),
      'bodyMs',
      'BODY_TIMEOUT',
    ],
    'has chunks for ever': [
      drips(head('200 OK\nTransfer-Encoding: chunked'), '1\r\n{\r\n'),
      'bodyMs',
      'BODY_TIMEOUT',
    ],
  } as const;
  for (const [name, [script, limit, code]] of Object.entries(late)) {
    test(`that ${name} ends by the limit of that step alone, and its connection with it`, async () => {
      await using server = await rawServer(script);
      await using transport = client(server.url, { [limit]: shortMs });
      assert.deepEqual(await lost(call(transport)), { code, neverLeft: false });
      await closed(server);
      assert.equal(server.seen.length, 1, 'nothing is tried twice');
    });
  }

  test('that gets no connection ends by the limit for connecting, and never left', {
    skip: process.platform !== 'linux' && 'queues of connections fill up differently',
  }, async () => {
    await using dead = await deadAddress('127.0.0.1');
    await using transport = client(`http://127.0.0.1:${dead.port}`, { connectMs: shortMs });
    assert.deepEqual(await lost(call(transport)), { code: 'CONNECT_TIMEOUT', neverLeft: true });
  });

  test('that gets a connection and no TLS ends by the limit for connecting, and never left', async () => {
    await using server = await rawServer(() => {});
    await using transport = client(server.url.replace('http:', 'https:'), { connectMs: shortMs });
    assert.deepEqual(await lost(call(transport)), { code: 'CONNECT_TIMEOUT', neverLeft: true });
  });

  const reset = (socket: Socket) => void socket.resetAndDestroy();
  const end = (socket: Socket) => void socket.end();
  const cuts = {
    'before its answer': [writes('', end), 'ECONNRESET'],
    'by a reset': [writes('', reset), 'ECONNRESET'],
    'within its headers': [writes('HTTP/1.1 200 O', end), 'ECONNRESET'],
    'within its body': [writes(`${head('200 OK\nContent-Length: 9')}{`, end), 'ECONNRESET'],
    'within its body by a reset': [writes(`${head('200 OK\nContent-Length: 9')}{`, reset), 'ECONNRESET'],
    'within a chunk': [writes(`${head('200 OK\nTransfer-Encoding: chunked')}9\r\n{`, end), 'ECONNRESET'],
    'after a chunk': [writes(`${head('200 OK\nTransfer-Encoding: chunked')}1\r\n{\r\n`, end), 'ECONNRESET'],
    'by another protocol': [writes(head('101 Switching\nUpgrade: h2c\nConnection: Upgrade')), 'ECONNRESET'],
    'by headers without end': [writes(head(`200 OK\nA: ${'b'.repeat(20_000)}`)), 'HPE_HEADER_OVERFLOW'],
    'by what is no HTTP': [writes('SSH-2.0-OpenSSH_9.2p1\r\n'), 'HPE_INVALID_CONSTANT'],
  } as const;
  for (const [name, [script, code]] of Object.entries(cuts)) {
    test(`that is cut ${name} is lost at once, and may have had its effect`, async () => {
      await using server = await rawServer(script);
      await using transport = client(server.url);
      assert.deepEqual(await lost(call(transport)), { code, neverLeft: false });
      assert.equal(server.seen.length, 1, 'nothing is tried twice');
    });
  }

  test('that is lost on a connection that served others may have had its effect', async () => {
    await using server = await rawServer((socket, { piece }) => {
      if (piece.startsWith('GET /last')) socket.resetAndDestroy();
      else if (piece !== '') socket.write(ok(''));
    });
    await using transport = client(server.url);
    await call(transport);
    assert.deepEqual(await lost(call(transport, { path: '/last' })), {
      code: 'ECONNRESET',
      neverLeft: false,
    });
    assert.equal(server.connections, 1);
  });

  const whole = {
    'with its length': ok('{"a":1}'),
    'in chunks': `${head('200 OK\nTransfer-Encoding: chunked')}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`,
    'after other answers': `${head('100 Continue')}${head('103 Early Hints\nLink: </a>')}${ok('{"a":1}')}`,
  };
  for (const [name, text] of Object.entries(whole)) {
    test(`is answered ${name}, three times on one connection`, async () => {
      await using server = await rawServer(writes(text));
      await using transport = client(server.url);
      for (const _ of [1, 2, 3]) assert.equal((await call(transport)).body, '{"a":1}');
      assert.equal(server.connections, 1);
    });
  }

  test('is answered by what comes until the connection ends', async () => {
    await using server = await rawServer(writes(`${head('200 OK')}{"a":1}`, end));
    await using transport = client(server.url);
    for (const _ of [1, 2]) assert.equal((await call(transport)).body, '{"a":1}');
  });

  test('may be answered before it was read', async () => {
    await using server = await rawServer(
      (socket, { piece }) => void (piece === '' && socket.write(ok('early'))),
    );
    await using transport = client(server.url);
    assert.equal((await call(transport)).body, 'early');
  });

  test('is not redirected', async () => {
    await using server = await rawServer(writes(head('302 Found\nLocation: /b\nContent-Length: 0')));
    await using transport = client(server.url);
    const { status, location } = await call(transport);
    assert.deepEqual([status, location, server.seen.length], [302, '/b', 1]);
  });

  test('with an answer that never ends has its first megabyte, and the connection is dropped', async () => {
    const piece = 'x'.repeat(64 * 1024);
    await using server = await rawServer((socket, { piece: asked }) => {
      if (asked === '') return;
      socket.write(head('200 OK'));
      const more = () => void (socket.destroyed || socket.write(piece, more));
      more();
    });
    await using transport = client(server.url);
    const { body } = await call(transport);
    assert.ok(body.length > 1024 * 1024 && body.length < 3 * 1024 * 1024, `${body.length}`);
    await closed(server);
  });

  test('never has what was left over of another one', async () => {
    const leftOver = head('408 Request Timeout\nContent-Length: 0');
    for (const restMs of [0, 20]) {
      await using server = await rawServer((socket, { piece }) => {
        if (piece === '') return;
        if (restMs === 0) socket.write(`${ok('right')}${leftOver}`);
        else socket.write(ok('right'), () => setTimeout(() => socket.write(leftOver), restMs));
      });
      await using transport = client(server.url);
      for (const _ of [1, 2, 3]) {
        assert.equal((await call(transport)).body, 'right');
        await closed(server);
      }
      assert.equal(server.connections, 3);
    }
  });

  test('does not use a connection that is about to end', async () => {
    await using server = await rawServer(
      writes(`${head('200 OK\nKeep-Alive: timeout=1\nContent-Length: 0')}`),
    );
    await using transport = client(server.url);
    await call(transport);
    await pause(50);
    await call(transport);
    assert.equal(server.connections, 2);
  });

  test('waits for those before it, unless it is put aside', async () => {
    const waiting: Socket[] = [];
    await using server = await rawServer((socket, { piece }) => {
      if (piece.startsWith('GET /slow')) waiting.push(socket);
      else if (piece !== '') socket.write(ok('quick'));
    });
    await using transport = client(server.url);
    const slow = call(transport, { path: '/slow' });
    const next = call(transport, { path: '/next' });
    await asked(server);
    assert.equal((await call(transport, { path: '/aside', aside: true })).body, 'quick');
    assert.deepEqual([...server.seen].sort(), ['GET /aside HTTP/1.1', 'GET /slow HTTP/1.1']);
    waiting[0]?.write(ok('slow'));
    assert.deepEqual([(await slow).body, (await next).body], ['slow', 'quick']);
    assert.equal(server.connections, 2);
  });

  const stages = { connecting: '', answering: '/silent', reading: '/stuck', waiting: '/silent' };
  for (const [stage, path] of Object.entries(stages)) {
    for (const how of ['signal', 'close'] as const) {
      const skip = stage === 'connecting' && process.platform !== 'linux' && 'needs an address that is dead';
      test(`is given up while ${stage}, by ${how}`, { skip }, async () => {
        await using dead = path === '' ? await deadAddress('127.0.0.1') : undefined;
        await using server = await rawServer((socket, { piece }) => {
          if (piece.startsWith('GET /stuck')) socket.write(head('200 OK\nContent-Length: 9'));
          else if (piece.startsWith('GET /again')) socket.write(ok('again'));
        });
        const transport = client(dead ? `http://127.0.0.1:${dead.port}` : server.url);
        const before = stage === 'waiting' ? lost(call(transport, { path })) : undefined;
        const abort = new AbortController();
        const reason = new Error('enough');
        const answer = call(transport, { path: path || '/', signal: abort.signal });
        const given = how === 'signal' ? assert.rejects(answer, error => error === reason) : lost(answer);
        await (dead ? pause(30) : asked(server));
        if (how === 'signal') abort.abort(reason);
        else await transport.close();
        const found = await given;
        if (found)
          assert.deepEqual(found, {
            code: 'CLOSED',
            neverLeft: stage === 'connecting' || stage === 'waiting',
          });
        if (how === 'signal' && !before && !dead)
          assert.equal((await call(transport, { path: '/again' })).body, 'again');
        await transport.close();
        await before;
        await closed(server);
        assert.deepEqual(await lost(call(transport)), { code: 'CLOSED', neverLeft: true });
      });
    }
  }

  test('of a signal that was given before is not made', async () => {
    await using server = await rawServer(() => {});
    await using transport = client(server.url);
    const reason = new Error('enough');
    await assert.rejects(call(transport, { signal: AbortSignal.abort(reason) }), error => error === reason);
    assert.equal(server.connections, 0);
  });

  test('goes to the host of the URL, whatever its path looks like', async () => {
    await using server = await rawServer(writes(ok('')));
    await using transport = client(`${server.url}//elsewhere.invalid`);
    await call(transport, { path: '/a' });
    assert.deepEqual(server.seen, ['GET //elsewhere.invalid/a HTTP/1.1']);
  });

  test('that cannot be written never left, and does not say what it held', async () => {
    await using server = await rawServer(writes(ok('')));
    await using transport = client(server.url);
    const headers = { 'X-Atlassian-Maintenance-Token': `${secret}\n` };
    const { neverLeft } = await lost(call(transport, { headers }));
    assert.deepEqual([neverLeft, server.connections], [true, 0]);
  });

  test('that finds nobody, or a name that nobody has, never left', async () => {
    const server = await rawServer(() => {});
    await server[Symbol.asyncDispose]();
    for (const url of [server.url, 'http://nobody.invalid']) {
      await using transport = client(url, { connectMs: 5_000 });
      const { code, neverLeft } = await lost(call(transport));
      if (url === server.url) assert.equal(code, 'ECONNREFUSED');
      assert.equal(neverLeft, true);
    }
  });

  test('reaches an address of IPv6', async context => {
    const server = await rawServer(writes(ok('six')), { host: '::1' }).catch(() => undefined);
    if (!server) return context.skip('this machine has no IPv6');
    await using transport = client(server.url);
    assert.equal((await call(transport)).body, 'six');
    await server[Symbol.asyncDispose]();
  });

  test('over HTTP to a server of TLS is lost, over TLS to a server of HTTP it never left', async () => {
    await using tls = await rawServer(writes(ok('')), { secure: true });
    await using plain = await rawServer(writes(head('400 Bad Request\nConnection: close')));
    await using wrong = client(tls.url.replace('https:', 'http:'));
    assert.equal((await lost(call(wrong))).neverLeft, false);
    await using other = client(plain.url.replace('http:', 'https:'));
    assert.equal((await lost(call(other))).neverLeft, true);
  });

  test('over TLS with a certificate that is not known never left', async () => {
    await using server = await rawServer(writes(ok('')), { secure: true });
    await using transport = client(server.url);
    const found = await lost(call(transport));
    assert.deepEqual(found, { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', neverLeft: true });
    await pause(20);
    assert.deepEqual(server.seen, []);
  });

  test('over TLS with one that is known is answered, past proxies, and leaves nothing that keeps a process', async () => {
    await using server = await rawServer(writes(ok('safe')), { secure: true });
    using scratch = scratchFolder();
    const file = join(scratch.path, 'certificate.pem');
    writeFileSync(file, certificate);
    const module = new URL('../../../engine/app/http.js', import.meta.url).href;
    const script = `import { openTransport } from ${JSON.stringify(module)};
      const transport = openTransport(new URL(${JSON.stringify(server.url)}), ${JSON.stringify(patient)});
      for (const aside of [false, false, true]) {
        const { body } = await transport.send({ method: 'GET', path: '/', headers: {}, aside });
        console.log(body);
      }`;
    const nowhere = 'http://127.0.0.1:1';
    const proxies = { HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, https_proxy: nowhere, ALL_PROXY: nowhere };
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, ...proxies, NODE_EXTRA_CA_CERTS: file },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    const [code] = await once(child, 'close'); // it closes no transport
    assert.deepEqual([code, said, server.connections], [0, 'safe\nsafe\nsafe\n', 2]);
  });
});

test('a call tries the next address of a name when the first is dead', {
  skip: process.platform !== 'linux' && 'the machine has one address',
}, async context => {
  await using dead = await deadAddress('127.0.0.2');
  await using server = await rawServer(writes(ok('alive')), { port: dead.port });
  const addresses = ['127.0.0.2', '127.0.0.1'].map(address => ({ address, family: 4 }));
  // No name that every machine knows has two addresses.
  const lookup = (_name: string, _options: unknown, done: (error: null, found: unknown) => void) =>
    void setImmediate(done, null, addresses);
  context.mock.method(dns, 'lookup', lookup as unknown as typeof dns.lookup);
  await using transport = client(`http://several.invalid:${server.port}`);
  assert.equal((await call(transport)).body, 'alive');
});

test('a call is not given up for the time in which this process stood still', async () => {
  await using server = await rawServer(writes(ok('patient')));
  await using transport = client(server.url, { connectMs: 300, headersMs: 300, bodyMs: 300 });
  await call(transport);
  const answer = call(transport);
  await pause(0);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
  assert.equal((await answer).body, 'patient');
});

/** Ends when all connections are gone. */
async function closed({ open }: { readonly open: ReadonlySet<Socket> }): Promise<void> {
  while (open.size > 0) await pause(5);
}

async function asked({ seen }: { readonly seen: readonly string[] }): Promise<void> {
  while (seen.length === 0) await pause(5);
}
