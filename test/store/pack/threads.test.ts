import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import { type ChunkId, memoryBackend, verifyStore } from '../../../store/index.ts';
import { insideOf } from '../../../store/store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(2 ** 20));
const text = Buffer.from(noise.toString('hex').replaceAll(/[0-9]/g, ' '));

/** Chunk n of many: alone or shared, compressible or not, all different. */
function chunk(n: number): Buffer {
  const bytes = n % 5 === 0 ? 300_000 + n : 2000 + 97 * (n % 300);
  const from = (n * 7919) % (2 ** 20 - 400_000);
  const copy = Buffer.from((n % 2 === 0 ? noise : text).subarray(from, from + bytes));
  copy.writeUInt32LE(n);
  return copy;
}

type Flaw = 'compress' | 'exit' | 'throw' | 'wait' | 'no program';

async function storeWith(max: number, flaw?: Flaw) {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const file = flaw === 'no program' ? 'there-is-none.js' : 'bad-sealing-main.js';
  const program = flaw === undefined ? {} : { program: new URL(`../../helpers/${file}`, import.meta.url) };
  process.env['TEST_FLAW'] = flaw ?? ''; // a thread takes over the environment when it starts
  Object.assign(insideOf(store).context, { sealingThreads: { max, ...program } });
  const packs = () => [...backend.snapshot().keys()].filter(name => name.startsWith('packs/'));
  return { backend, store, packs };
}

test('what threads have sealed is what was put, and can be read all the while', async () => {
  const { backend, store } = await storeWith(3);
  const session = await store.beginBackup({ host: 'alpha' });
  const ids: ChunkId[] = [];
  for (let n = 0; n < 500; n++) {
    const bytes = chunk(n);
    ids.push(await session.put(bytes, n % 50 === 7 ? 'metadata' : 'data'));
    bytes.fill(0);
    if (n % 24 !== 0) continue;
    // A chunk of the very beginning, of just now, and of somewhere between: published, being sealed, or still filled.
    for (const m of [n % 40, n, n >> 1])
      assert.deepEqual(Buffer.from(await session.get(ids[m]!, m % 50 === 7 ? 'metadata' : 'data')), chunk(m));
  }
  const roots = ids.map((id, n) => ({ id, kind: n % 50 === 7 ? 'node' : 'data' }) as const);
  await session.commit({ roots: roots.filter(({ kind }) => kind === 'data'), body: null });
  const again = await reopenStore(backend);
  for (const [n, id] of ids.entries())
    assert.deepEqual(Buffer.from(await again.get(id, n % 50 === 7 ? 'metadata' : 'data')), chunk(n));
  assert.deepEqual((await verifyStore(again, { readData: 1 })).damage, []);
});

test('a session of little starts no thread', async () => {
  const { store, packs } = await storeWith(2, 'no program');
  const session = await store.beginBackup({ host: 'alpha' });
  const id = await session.put(text, 'data');
  await session.commit({ roots: [{ id, kind: 'data' }], body: null });
  assert.equal(packs().length, 1);
});

/** What becomes of a session with a thread that has the flaw: no pack of it may be seen. */
async function endOf(flaw: Flaw) {
  const { store, packs } = await storeWith(1, flaw);
  const session = await store.beginBackup({ host: 'alpha' });
  const work = async () => {
    for (let n = 0; n < 120; n++) await session.put(chunk(n), 'data');
    await session.flush();
  };
  await assert.rejects(work(), { code: 'STORE_WRITE_FAILED' }, flaw);
  await assert.rejects(session.put(chunk(999), 'data'), { code: 'STORE_WRITE_FAILED' });
  await assert.rejects(session.commit({ roots: [], body: null }), { code: 'STORE_WRITE_FAILED' });
  await session.abandon();
  assert.deepEqual(packs(), []);
}

test('what a thread has compressed wrongly is never published', () => endOf('compress'));

test('a thread that ends before its work is done ends the session', async () => {
  for (const flaw of ['exit', 'throw', 'no program'] as const) await endOf(flaw);
});

test('a session that is given up does not wait for its threads', async () => {
  const { store, packs } = await storeWith(1, 'wait');
  const session = await store.beginBackup({ host: 'alpha' });
  for (let n = 0; n < 60; n++) await session.put(chunk(n), 'data');
  const flushed = assert.rejects(session.flush(), { code: 'STORE_WRITE_FAILED' });
  await session.abandon();
  await flushed;
  assert.deepEqual(packs(), []);
});
