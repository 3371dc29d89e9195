import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  type Backend,
  type BackupSession,
  beginPrune,
  type ChunkId,
  type ChunkRef,
  forgetSnapshot,
  memoryBackend,
  type PackId,
  type SessionId,
  type SnapshotId,
  storeError,
  verifyStore,
} from '../../store/index.ts';
import { abortedRecord, damageRecord, forgottenRecord } from '../../store/protocol/records.ts';
import { sealRecord } from '../../store/record.ts';
import { insideOf } from '../../store/store.ts';
import { collect } from '../helpers/collect.ts';
import { observedBackend } from '../helpers/faulty-backend.ts';
import { sleeperClock } from '../helpers/sleeper-clock.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

const text = (content: string): Buffer => Buffer.from(content);
const rootsOf = (...ids: ChunkId[]): ChunkRef[] => ids.map(id => ({ id, kind: 'data' }));
const names = (backend: { snapshot(): Map<string, Uint8Array> }, prefix: string): string[] =>
  [...backend.snapshot().keys()].filter(name => name.startsWith(prefix));

async function commitOne(session: BackupSession, content: string): Promise<SnapshotId> {
  const id = await session.put(text(content), 'data');
  return session.commit({ roots: rootsOf(id), body: null });
}

test('what was committed is there when the store is opened again', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const session = await store.beginBackup({ host: 'alpha' });
  const small = await session.put(text('a few bytes'), 'data');
  const large = await session.put(Buffer.alloc(300_000, 'pattern '), 'data');
  const node = await session.put(text('a node'), 'metadata');
  const roots: ChunkRef[] = [...rootsOf(small, large), { id: node, kind: 'node' }];
  const id = await session.commit({ roots, body: new Map([[1, 'body']]) });
  const again = await reopenStore(backend);
  const manifest = await again.manifest(id);
  assert.deepEqual(manifest.body, new Map([[1, 'body']]));
  assert.deepEqual(
    manifest.roots.map(({ kind }) => kind),
    ['data', 'data', 'node'],
  );
  assert.deepEqual(Buffer.from(await again.get(large, 'data')), Buffer.alloc(300_000, 'pattern '));
  assert.equal(Buffer.from(await again.get(node, 'metadata')).toString(), 'a node');
  assert.deepEqual(
    (await collect(again.snapshots())).map(snapshot => snapshot.id),
    [id],
  );
  assert.deepEqual(names(backend, 'sessions/'), []);
  assert.deepEqual(names(backend, 'intents/'), []);
});

test('a data chunk is not found as metadata, nor the other way round', async () => {
  const store = await makeStore();
  const session = await store.beginBackup({ host: 'alpha' });
  const id = await session.put(text('bytes'), 'data');
  await session.commit({ roots: rootsOf(id), body: null });
  await assert.rejects(store.get(id, 'metadata'), { code: 'STORE_OBJECT_MISSING' });
});

test('a chunk is checked against all of its id, not only the half that the index knows', async () => {
  const store = await makeStore();
  const session = await store.beginBackup({ host: 'alpha' });
  const id = await session.put(text('bytes'), 'data');
  await session.commit({ roots: rootsOf(id), body: null });
  const other = id.slice() as ChunkId;
  other[31]! ^= 1;
  await assert.rejects(store.get(other, 'data'), { code: 'STORE_DAMAGED' });
});

test('a chunk that many put at once is stored once', async () => {
  const store = await makeStore();
  const session = await store.beginBackup({ host: 'alpha' });
  const ids = await Promise.all(
    Array.from({ length: 50 }, (_, i) => session.put(text(`chunk ${i % 5}`), 'data')),
  );
  assert.equal(new Set(ids.map(id => Buffer.from(id).toString('hex'))).size, 5);
  assert.equal(session.written.newChunks, 5);
  await session.commit({ roots: rootsOf(...ids), body: null });
});

test('the bytes of a chunk may be reused as soon as it was accepted', async () => {
  const store = await makeStore();
  const session = await store.beginBackup({ host: 'alpha' });
  const buffer = randomBytes(400_000);
  const copy = Buffer.from(buffer);
  const alone = await session.put(buffer, 'data');
  const shared = await session.put(buffer.subarray(0, 1000), 'data');
  buffer.fill(0);
  await session.commit({ roots: rootsOf(alone, shared), body: null });
  assert.deepEqual(Buffer.from(await store.get(alone, 'data')), copy);
  assert.deepEqual(Buffer.from(await store.get(shared, 'data')), copy.subarray(0, 1000));
});

test('a session reads its own chunks before and after they are in a pack', async () => {
  const store = await makeStore();
  await using session = await store.beginBackup({ host: 'alpha' });
  const ids = [
    await session.put(text('in an open frame'), 'data'),
    await session.put(Buffer.alloc(200_000, 1), 'data'),
  ];
  const read = async () => Promise.all(ids.map(async id => (await session.get(id, 'data')).length));
  assert.deepEqual(await read(), [16, 200_000]);
  await session.flush();
  assert.deepEqual(await read(), [16, 200_000]);
});

test('what was flushed is found by others, also when the session never commits', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const first = await store.beginBackup({ host: 'alpha' });
  const id = await first.put(text('shared bytes'), 'data');
  await first.flush();
  const second = await (await reopenStore(backend)).beginBackup({ host: 'beta' });
  await second.put(text('shared bytes'), 'data');
  assert.equal(second.written.newChunks, 0);
  await first.abandon();
  const snapshot = await second.commit({ roots: rootsOf(id), body: null });
  assert.equal((await store.manifest(snapshot)).host, 'beta');
});

test('an abandoned session leaves nothing that is visible, and nobody counts on its packs', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  {
    await using session = await store.beginBackup({ host: 'alpha' });
    await session.put(randomBytes(18 << 20), 'data').catch(() => undefined); // larger than a chunk may be
    await session.put(randomBytes(1 << 20), 'data');
  }
  assert.deepEqual(await collect(store.snapshots()), []);
  assert.deepEqual(names(backend, 'sessions/'), []);
  assert.deepEqual(names(backend, 'index/'), []);
  const next = await store.beginBackup({ host: 'alpha' });
  await next.put(text('x'), 'data');
  assert.equal(next.written.newChunks, 1);
  await next.abandon();
  await next.abandon();
  await assert.rejects(next.put(text('x'), 'data'), TypeError);
  assert.equal((await verifyStore(store, { readData: 1 })).isOk, true);
});

test('a commit refuses roots that nobody stored', async () => {
  const store = await makeStore();
  await using session = await store.beginBackup({ host: 'alpha' });
  const roots = rootsOf(randomBytes(32) as Uint8Array as ChunkId);
  await assert.rejects(session.commit({ roots, body: null }), { code: 'STORE_OBJECT_MISSING' });
  assert.deepEqual(await collect(store.snapshots()), []);
});

test('an aborted signal ends the session without a snapshot', async () => {
  const store = await makeStore();
  const controller = new AbortController();
  await using session = await store.beginBackup({ host: 'alpha', signal: controller.signal });
  const id = await session.put(text('x'), 'data');
  controller.abort(new Error('stop'));
  await assert.rejects(session.put(text('y'), 'data'), { message: 'stop' });
  await assert.rejects(session.commit({ roots: rootsOf(id), body: null }), { message: 'stop' });
  assert.deepEqual(await collect(store.snapshots()), []);
});

test('packs are of 16 to 40 MiB, and large input needs no more memory than a few of them', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const session = await store.beginBackup({ host: 'alpha' });
  const block = randomBytes(1 << 20);
  const roots: ChunkRef[] = [];
  for (let i = 0; i < 56; i++) {
    block.writeUInt32LE(i);
    roots.push(...rootsOf(await session.put(block, 'data')));
  }
  await session.commit({ roots, body: null });
  const sizes = [...backend.snapshot()]
    .filter(([name]) => name.startsWith('packs/'))
    .map(([, bytes]) => bytes.length);
  assert.equal(sizes.length, 4);
  for (const size of sizes.sort((a, b) => b - a).slice(0, 3)) assert.ok(size >= 16 << 20 && size <= 40 << 20);
  assert.equal(
    session.written.packedBytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
});

test('a medium that overwrites is refused before anything is written', async () => {
  const silent = memoryBackend();
  const store = await makeStore({ backend: silent });
  const objects = silent.snapshot();
  const lax = (answer: 'created' | 'exists', keeps: 'first' | 'last'): Backend => {
    const written = new Map(objects);
    return {
      ...memoryBackend({ objects }),
      async put(name, bytes) {
        const had = written.has(name);
        if (!had || keeps === 'last')
          written.set(name, bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes));
        return had ? answer : 'created';
      },
      get: (name, options) => memoryBackend({ objects: written }).get(name, options),
    };
  };
  for (const [answer, keeps] of [
    ['created', 'last'],
    ['created', 'first'],
    ['exists', 'last'],
  ] as const) {
    const opened = await reopenStore(lax(answer, keeps));
    await assert.rejects(
      opened.beginBackup({ host: 'alpha' }),
      { code: 'STORE_UNPROVEN' },
      `${answer} ${keeps}`,
    );
  }
  await (await store.beginBackup({ host: 'alpha' })).abandon();
});

test('a run that is taken for dead while it begins begins anew, and accuses neither store nor medium', async () => {
  const medium = memoryBackend();
  await makeStore({ backend: medium });
  // Before these calls to the session's name others have removed what it had made; once, or whenever it tries.
  for (const [before, isAlways] of [
    [[2], false],
    [[3], false],
    [[2, 3], false],
    [[2], true],
    [[3], true],
  ] as const) {
    const calls = new Map<string, number>();
    const asleep = async (name: string): Promise<void> => {
      if (!name.startsWith('sessions/')) return;
      const count = (calls.get(name) ?? 0) + 1;
      calls.set(name, count);
      if (before.some(call => call === count) && (isAlways || calls.size === 1)) await medium.delete(name);
    };
    const store = await reopenStore({
      ...medium,
      async put(name, bytes, options) {
        await asleep(name);
        return medium.put(name, bytes, options);
      },
      async get(name, options) {
        await asleep(name);
        return medium.get(name, options);
      },
    });
    const begun = store.beginBackup({ host: 'alpha' });
    if (isAlways) await assert.rejects(begun, { code: 'STORE_LOCKED' }, `before call ${before}`);
    else await (await begun).abandon();
    assert.deepEqual(names(medium, 'sessions/'), []);
  }
});

test('a store that a newer program prunes is not written to', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const session = await store.beginBackup({ host: 'alpha' });
  await backend.put('gc/1.shred', text('whatever it is'));
  await assert.rejects(store.beginBackup({ host: 'alpha' }), { code: 'STORE_NEWER' });
  await assert.rejects(commitOne(session, 'x'), { code: 'STORE_NEWER' });
  await session.abandon();
  assert.deepEqual(await collect(store.snapshots()), []);
  assert.deepEqual(names(backend, 'sessions/'), []);
});

test('a run that another declared dead cannot commit', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const { context } = insideOf(store);
  const session = await store.beginBackup({ host: 'alpha' });
  const name = `manifests/${session.id}`;
  const { randomness } = context.seams;
  const fields = abortedRecord.encode({ by: session.id, abortedMs: 1, generation: 1 });
  await backend.put(
    name,
    sealRecord(context.ring, { kind: 'aborted', session: session.id, name, randomness }, fields),
  );
  await assert.rejects(commitOne(session, 'x'), { code: 'STORE_LOCKED' });
  await session.abandon();
  assert.deepEqual(await collect(store.snapshots()), []);
  await assert.rejects(store.manifest(session.id as string as SnapshotId), { code: 'SNAPSHOT_UNKNOWN' });
  assert.equal((await verifyStore(store)).isOk, true);
});

test('a commit whose acknowledgement was lost is a commit', async () => {
  const medium = memoryBackend();
  await makeStore({ backend: medium });
  let isLost = false;
  const backend = observedBackend(medium, ({ operation, name }) => {
    if (operation !== 'put' || !name.startsWith('manifests/') || isLost) return undefined;
    isLost = true;
    return { when: 'after', error: storeError('STORE_WRITE_FAILED', 'lost') };
  });
  const store = await reopenStore(backend);
  const id = await commitOne(await store.beginBackup({ host: 'alpha' }), 'x');
  assert.deepEqual(
    (await collect(store.snapshots())).map(snapshot => snapshot.id),
    [id],
  );
});

test('a manifest that is there and cannot be read back is one whose fate nobody can tell', async () => {
  const medium = memoryBackend();
  await makeStore({ backend: medium });
  let isLost = false;
  const backend = observedBackend(medium, ({ operation, name }) => {
    if (!name.startsWith('manifests/')) return undefined;
    if (operation === 'get') return { when: 'before', error: storeError('STORE_READ_FAILED', 'no answer') };
    if (operation !== 'put' || isLost) return undefined;
    isLost = true;
    return { when: 'after', error: storeError('STORE_WRITE_FAILED', 'lost') };
  });
  const session = await (await reopenStore(backend)).beginBackup({ host: 'alpha' });
  await assert.rejects(commitOne(session, 'x'), { code: 'STORE_READ_FAILED' });
  await session.abandon();
  assert.equal(names(medium, 'manifests/').length, 1);
  assert.equal(names(medium, 'intents/').length, 1);
  assert.equal(names(medium, 'sessions/').length, 1);
});

test('where the medium fails to read what lists a chunk, nobody calls it missing, or taken by a prune', async () => {
  const medium = memoryBackend();
  const first = await makeStore({ backend: medium });
  const kept = await commitOne(await first.beginBackup({ host: 'alpha' }), 'kept');
  const [{ id: root }] = (await first.manifest(kept)).roots as [ChunkRef];
  const other = await commitOne(await first.beginBackup({ host: 'alpha' }), 'other');
  let isFailing = true;
  const backend = observedBackend(medium, ({ operation, name }) =>
    isFailing && operation === 'get' && /^(index|packs)\//.test(name)
      ? { when: 'before', error: storeError('STORE_READ_FAILED', 'no answer') }
      : undefined,
  );
  const refused = { code: 'STORE_READ_FAILED' };
  // By a reader, and by a writer that builds on it.
  await assert.rejects((await reopenStore(backend)).get(root, 'data'), refused);
  await using session = await (await reopenStore(backend)).beginBackup({ host: 'beta' });
  await assert.rejects(session.commit({ roots: rootsOf(root), body: null }), refused);
  // By a writer that found it, and looks again since a prune ran beside it.
  isFailing = false;
  await using second = await (await reopenStore(backend)).beginBackup({ host: 'beta' });
  await forgetSnapshot(first, other, { reason: 'a test' });
  await using prune = await beginPrune(first, { host: 'gamma', silenceMs: 0 });
  await prune.reclaim();
  isFailing = true;
  await assert.rejects(second.commit({ roots: rootsOf(root), body: null }), refused);
});

test('a manifest whose fate nobody can tell keeps its intent', async () => {
  const medium = memoryBackend();
  await makeStore({ backend: medium });
  const store = await reopenStore(
    observedBackend(medium, ({ operation, name }) =>
      operation === 'put' && name.startsWith('manifests/')
        ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no answer') }
        : undefined,
    ),
  );
  const session = await store.beginBackup({ host: 'alpha' });
  await assert.rejects(commitOne(session, 'x'), { code: 'STORE_WRITE_FAILED' });
  await session.abandon();
  assert.equal(names(medium, 'intents/').length, 1);
  assert.equal(names(medium, 'sessions/').length, 1);
});

test('a pack that does not open again as it was is never published', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const { context } = insideOf(store);
  const { zstd } = context;
  const faulty = {
    ...zstd,
    compress: (bytes: Uint8Array) => zstd.compress(Buffer.from(bytes).fill(0, 3, 4)),
  };
  Object.assign(context, { zstd: faulty });
  const session = await store.beginBackup({ host: 'alpha' });
  await session.put(Buffer.alloc(5000, 'compressible '), 'data');
  await assert.rejects(session.flush(), { code: 'STORE_WRITE_FAILED' });
  await assert.rejects(commitOne(session, 'x'), { code: 'STORE_WRITE_FAILED' });
  await session.abandon();
  assert.deepEqual(names(backend, 'packs/'), []);
});

test('snapshots of a host are counted, linked and listed in order, whatever its clock does', async () => {
  const backend = memoryBackend();
  await makeStore({ backend });
  const made: SnapshotId[] = [];
  for (const [host, nowMs] of [
    ['alpha', 5000],
    ['beta', 6000],
    ['alpha', 1000],
    ['alpha', 7000],
  ] as const) {
    const { clock, randomness } = insideOf(await reopenStore(backend)).context.seams;
    const store = await reopenStore(backend, { randomness, clock: { ...clock, nowMs: () => nowMs } });
    made.push(await commitOne(await store.beginBackup({ host }), `${host} ${nowMs}`));
  }
  const list = await collect((await reopenStore(backend)).snapshots());
  assert.deepEqual(
    list.map(({ id }) => id),
    [made[0], made[2], made[1], made[3]],
  );
  assert.deepEqual(
    list.map(({ sequence }) => sequence),
    [1, 2, 1, 3],
  );
  assert.deepEqual(
    list.map(({ previous }) => previous),
    [null, made[0], null, made[2]],
  );
});

test('a snapshot is named by its id or four digits of it', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const id = await commitOne(await store.beginBackup({ host: 'alpha' }), 'x');
  for (const given of [id, id.slice(0, 4), id.slice(0, 9).toUpperCase()])
    assert.equal(await store.resolve(given), id);
  for (const given of [id.slice(0, 3), 'not hex!', 'f'.repeat(64), '', '../x'])
    await assert.rejects(store.resolve(given), { code: 'SNAPSHOT_UNKNOWN' }, given);
  await backend.put(
    `manifests/${id.slice(0, 63)}${id.endsWith('0') ? '1' : '0'}`,
    text('damaged, but named'),
  );
  await assert.rejects(store.resolve(id.slice(0, 8)), { code: 'SNAPSHOT_AMBIGUOUS' });
  assert.equal(await store.resolve(id), id);
});

test('a damaged manifest does not hide the others', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const id = await commitOne(await store.beginBackup({ host: 'alpha' }), 'x');
  const bad = 'ab'.repeat(32) as SnapshotId;
  await backend.put(`manifests/${bad}`, text('damaged'));
  const seen: SnapshotId[] = [];
  await assert.rejects(
    async () => {
      for await (const snapshot of store.snapshots()) seen.push(snapshot.id);
    },
    { code: 'STORE_DAMAGED' },
  );
  assert.deepEqual(seen, [id]);
  const damaged: SnapshotId[] = [];
  await collect(store.snapshots({ onDamage: broken => damaged.push(broken) }));
  assert.deepEqual(damaged, [bad]);
  const next = await commitOne(await store.beginBackup({ host: 'alpha' }), 'y');
  assert.equal((await store.manifest(next)).previous, id);
});

test('a forgotten snapshot is none', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const { context } = insideOf(store);
  const id = await commitOne(await store.beginBackup({ host: 'alpha' }), 'x');
  const session = id as string as SessionId;
  const name = `forgotten/${id}`;
  const fields = forgottenRecord.encode({ snapshot: id, forgottenMs: 1, reason: 'test' });
  const place = { kind: 'forgotten', session, name, randomness: context.seams.randomness } as const;
  await backend.put(name, sealRecord(context.ring, place, fields));
  assert.deepEqual(await collect(store.snapshots()), []);
  await assert.rejects(store.manifest(id), { code: 'SNAPSHOT_UNKNOWN' });
  await assert.rejects(store.resolve(id), { code: 'SNAPSHOT_UNKNOWN' });
  const next = await commitOne(await store.beginBackup({ host: 'alpha' }), 'y');
  assert.equal((await store.manifest(next)).sequence, 2);
  assert.equal((await verifyStore(store)).isOk, true);
});

/** A store with one snapshot of three chunks, each in its own frame. */
async function oneSnapshot() {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const session = await store.beginBackup({ host: 'alpha' });
  const contents = [1, 2, 3].map(byte => Buffer.alloc(150_000, byte));
  const ids = [];
  for (const content of contents) ids.push(await session.put(content, 'data'));
  await session.commit({ roots: rootsOf(...ids), body: null });
  return { backend, store, contents, ids };
}

test('a damaged or lost index part is replaced by the packs’ own lists', async () => {
  const { backend, ids } = await oneSnapshot();
  const [part] = names(backend, 'index/');
  const objects = backend.snapshot();
  const damaged = objects.get(part!)!.slice();
  damaged[200]! ^= 1;
  const without = new Map(objects);
  without.delete(part!);
  for (const [what, medium] of Object.entries({
    damaged: new Map(objects).set(part!, damaged),
    lost: without,
  })) {
    const store = await reopenStore(memoryBackend({ objects: medium }));
    for (const id of ids) assert.equal((await store.get(id, 'data')).length, 150_000);
    assert.deepEqual(
      store.problems.map(({ object }) => object),
      what === 'damaged' ? [part] : [],
    );
  }
  const repairing = memoryBackend({ objects: new Map(objects).set(part!, damaged) });
  const store = await reopenStore(repairing);
  const session = await store.beginBackup({ host: 'alpha' });
  const id = await session.put(Buffer.alloc(150_000, 1), 'data');
  assert.equal(session.written.newChunks, 0);
  await session.commit({ roots: rootsOf(id), body: null });
  await repairing.delete(part!);
  assert.equal((await verifyStore(await reopenStore(repairing), { readData: 1 })).isOk, true);
});

test('of parts of the index that are gone a backup tells, stores nothing twice, and lists again what they said', async () => {
  const backend = memoryBackend();
  const first = await makeStore({ backend });
  await commitOne(await first.beginBackup({ host: 'alpha' }), 'first');
  const [gone] = names(backend, 'index/');
  await commitOne(await first.beginBackup({ host: 'alpha' }), 'second');
  await backend.delete(gone!);
  const store = await reopenStore(backend);
  const session = await store.beginBackup({ host: 'alpha' });
  assert.deepEqual(
    store.problems.map(({ object }) => object),
    ['index/'],
  );
  await session.put(text('first'), 'data');
  assert.equal(session.written.newChunks, 0);
  await commitOne(session, 'second');
  const mended = await reopenStore(backend);
  const next = await mended.beginBackup({ host: 'alpha' });
  assert.deepEqual(mended.problems, []);
  await next.abandon();
  assert.equal((await verifyStore(mended, { readData: 1 })).isOk, true);
});

test('a pack that a run left and did not list tells of no lost index', async () => {
  const { backend } = await oneSnapshot();
  const run = await (await reopenStore(backend)).beginBackup({ host: 'alpha' });
  await run.put(text('never listed'), 'data');
  const before = names(backend, 'index/');
  await run.flush();
  for (const part of names(backend, 'index/')) if (!before.includes(part)) await backend.delete(part);
  await run.abandon();
  const store = await reopenStore(backend);
  const session = await store.beginBackup({ host: 'alpha' });
  assert.deepEqual(store.problems, []);
  await session.abandon();
});

test('a reader that is open finds what others store later, also after it had to ask the packs', async () => {
  const { backend, ids } = await oneSnapshot();
  await backend.delete(names(backend, 'index/')[0]!);
  const reader = await reopenStore(backend);
  assert.equal((await reader.get(ids[0]!, 'data')).length, 150_000);
  const writer = await (await reopenStore(backend)).beginBackup({ host: 'beta' });
  const later = await writer.put(text('stored later'), 'data');
  await writer.flush();
  assert.equal(Buffer.from(await reader.get(later, 'data')).toString(), 'stored later');
  assert.equal((await reader.get(ids[1]!, 'data')).length, 150_000);
  await writer.abandon();
});

test('packs of a session that has not ended are not counted on when an index part is damaged', async () => {
  const { backend, contents } = await oneSnapshot();
  const [part] = names(backend, 'index/');
  const objects = new Map([...backend.snapshot(), [part!, text('damaged')] as const]);
  const [pack] = names(backend, 'packs/');
  const alive = `sessions/${pack!.split('/')[2]!.slice(0, 32)}${'0'.repeat(32)}`;
  const store = await reopenStore(memoryBackend({ objects: objects.set(alive, text('a session')) }));
  const session = await store.beginBackup({ host: 'beta' });
  await session.put(contents[0]!, 'data');
  assert.equal(session.written.newChunks, 1);
  await session.abandon();
});

test('what lies in a lost, cut or recorded bad place is stored again by the next backup', async () => {
  const { backend, store, contents, ids } = await oneSnapshot();
  const objects = backend.snapshot();
  const [pack] = names(backend, 'packs/');
  const { context } = insideOf(store);
  const lost = new Map(objects);
  lost.delete(pack!);
  const recordName = `damage/${'12'.repeat(32)}`;
  const session = '0'.repeat(64) as SessionId;
  const fields = damageRecord.encode({
    pack: pack!.split('/')[2] as PackId,
    ordinals: undefined,
    foundMs: 1,
    lost: [],
  });
  const place = { kind: 'damage', session, name: recordName, randomness: context.seams.randomness } as const;
  const cases = {
    lost,
    cut: new Map(objects).set(pack!, objects.get(pack!)!.subarray(0, -20)),
    recorded: new Map(objects).set(recordName, sealRecord(context.ring, place, fields)),
  };
  for (const [what, medium] of Object.entries(cases)) {
    const healing = memoryBackend({ objects: medium });
    const opened = await reopenStore(healing);
    const again = await opened.beginBackup({ host: 'alpha' });
    for (const content of contents) await again.put(content, 'data');
    assert.equal(again.written.newChunks, 3, what);
    const id = await again.commit({ roots: rootsOf(...ids), body: null });
    const result = await verifyStore(await reopenStore(healing), { snapshots: [id] });
    assert.deepEqual(result.affected, [], what);
    for (const chunk of ids)
      assert.equal((await (await reopenStore(healing)).get(chunk, 'data')).length, 150_000);
  }
});

test('a reader asks a medium again that failed to read the index, soon and not for every chunk', async () => {
  const { backend, ids } = await oneSnapshot();
  const { clock, seams } = sleeperClock();
  const error = storeError('STORE_READ_FAILED', 'Cannot read: the medium failed', {
    context: { errno: 'EIO' },
  });
  let isFailing = true;
  const medium = observedBackend(backend, ({ operation, name }) =>
    isFailing && operation === 'get' && /^(index|packs)/.test(name) ? { when: 'before', error } : undefined,
  );
  const store = await reopenStore(medium, seams);
  const looks = () =>
    medium.calls.filter(({ operation, name }) => operation === 'get' && name.startsWith('index/')).length;
  const missed = () => assert.rejects(store.get(ids[0]!, 'data'), { code: 'STORE_READ_FAILED' });
  await missed();
  isFailing = false;
  assert.equal((await store.get(ids[0]!, 'data')).length, 150_000);
  const other = await reopenStore(medium, seams);
  isFailing = true;
  const before = looks();
  for (let i = 0; i < 20; i++)
    await assert.rejects(other.get(ids[1]!, 'data'), { code: 'STORE_READ_FAILED' });
  assert.ok(looks() - before < 8, `${looks() - before} looks`);
  isFailing = false;
  await clock.sleep(60_000);
  assert.equal((await other.get(ids[1]!, 'data')).length, 150_000);
});

test('reading needs no right to write', async () => {
  const { backend, ids } = await oneSnapshot();
  const readOnly: Backend = {
    ...backend,
    put: async name => {
      throw storeError('STORE_WRITE_FAILED', `Cannot create ${name}: read-only`);
    },
    delete: async name => {
      throw storeError('STORE_WRITE_FAILED', `Cannot delete ${name}: read-only`);
    },
  };
  const store = await reopenStore(readOnly);
  assert.equal((await collect(store.snapshots())).length, 1);
  assert.equal((await store.get(ids[0]!, 'data')).length, 150_000);
  assert.equal((await verifyStore(store, { readData: 1 })).isOk, true);
  await assert.rejects(store.beginBackup({ host: 'alpha' }), { code: 'STORE_WRITE_FAILED' });
});

test('a store made like another names and cuts content as it does, under keys of its own', async () => {
  const store = await makeStore();
  const other = await makeStore({ like: store });
  const put = async (target: typeof store) => {
    await using session = await target.beginBackup({ host: 'alpha' });
    return session.put(text('the same'), 'data');
  };
  assert.deepEqual(await put(other), await put(store));
  assert.deepEqual(other.cuts, store.cuts);
  assert.deepEqual(other.rowDigestKey, store.rowDigestKey);
  assert.notEqual(other.id, store.id);
  assert.notDeepEqual(await put(await makeStore()), await put(store));
});
