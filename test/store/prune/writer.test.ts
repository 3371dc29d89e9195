import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Backend,
  type BackupSession,
  type ChunkId,
  type ChunkRef,
  forgetSnapshot,
  type MemoryBackend,
  memoryBackend,
  type Store,
  storeError,
} from '../../../store/index.ts';
import { sweepRecord } from '../../../store/protocol/records.ts';
import { openRecord } from '../../../store/record.ts';
import { insideOf } from '../../../store/store.ts';
import { observedBackend } from '../../helpers/faulty-backend.ts';
import { checkWhole, namesOf, prune } from '../../helpers/prune-rig.ts';
import { commitFiles } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

const text = (content: string): Buffer => Buffer.from(content);
const rootsOf = (...ids: ChunkId[]): ChunkRef[] => ids.map(id => ({ id, kind: 'data' }));
const contents = new Map([['a', text('what only the first snapshot has, and a later one wants again')]]);

async function commitOne(session: BackupSession, bytes: Uint8Array): Promise<ChunkId> {
  const id = await session.put(bytes, 'data');
  await session.commit({ roots: rootsOf(id), body: null });
  return id;
}

/** A store in which the packs of a forgotten snapshot wait to be pruned. */
async function prepared(): Promise<{ backend: MemoryBackend; store: Store; bytes: Buffer }> {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const bytes = text('a content that is forgotten and comes back');
  const first = await store.beginBackup({ host: 'alpha' });
  const id = await first.put(bytes, 'data');
  const snapshot = await first.commit({ roots: rootsOf(id), body: null });
  await commitFiles(store, contents);
  await forgetSnapshot(store, snapshot, { reason: 'a test' });
  return { backend, store, bytes };
}

/** Dies before it creates an object whose name matches. */
function dyingAt(backend: Backend, pattern: RegExp): Backend {
  return observedBackend(backend, ({ operation, name }) =>
    operation === 'delete' || (operation === 'put' && pattern.test(name))
      ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
      : undefined,
  );
}

test('what a sweep took is stored again by a store that was open all the while', async () => {
  const { backend, store, bytes } = await prepared();
  const open = await reopenStore(backend);
  const id = insideOf(open).context.idOf(bytes, 'data');
  assert.ok(await open.get(id, 'data')); // its index is of the generation before
  await prune(store);
  const session = await open.beginBackup({ host: 'beta' });
  assert.equal(session.has(id, 'data'), false);
  await commitOne(session, bytes);
  assert.equal(session.written.newChunks, 1);
  assert.deepEqual(Buffer.from(await (await reopenStore(backend)).get(id, 'data')), bytes);
  assert.deepEqual(Buffer.from(await open.get(id, 'data')), bytes);
});

test('what a generation names is nothing to build on, though it is read', async () => {
  const { backend, bytes } = await prepared();
  await assert.rejects(prune(await reopenStore(dyingAt(backend, /\.sweep$/))), {
    code: 'STORE_WRITE_FAILED',
  });
  assert.deepEqual(namesOf(backend, 'gc/'), ['gc/1']);
  const store = await reopenStore(backend);
  const session = await store.beginBackup({ host: 'beta' });
  const id = insideOf(store).context.idOf(bytes, 'data');
  assert.equal(session.has(id, 'data'), false);
  assert.deepEqual(Buffer.from(await session.get(id, 'data')), bytes);
  await commitOne(session, bytes);
  assert.equal(session.written.newChunks, 1);
  await prune(store);
  assert.deepEqual(Buffer.from(await (await reopenStore(backend)).get(id, 'data')), bytes);
});

test('a writer keeps what only an undecided generation has: its empty sweep decides', async () => {
  const { backend, bytes } = await prepared();
  const store = await reopenStore(backend);
  const session = await store.beginBackup({ host: 'beta' });
  const id = await session.put(bytes, 'data');
  assert.equal(session.written.newChunks, 0);
  // A pruner that takes the writer for dead proposes, and dies.
  await assert.rejects(prune(await reopenStore(dyingOnSweep(backend))), { code: 'STORE_WRITE_FAILED' });
  await session.commit({ roots: rootsOf(id), body: null });
  const { ring } = insideOf(store).context;
  const name = 'gc/1.sweep';
  const { fields } = openRecord(ring, await backend.get(name), { kind: 'sweep', name });
  assert.deepEqual(sweepRecord.decode(fields, name).packs, []);
  await prune(store);
  await prune(store);
  assert.deepEqual(Buffer.from(await (await reopenStore(backend)).get(id, 'data')), bytes);
});

function dyingOnSweep(backend: Backend): Backend {
  return observedBackend(backend, ({ operation, name }) =>
    operation === 'put' && name.endsWith('.sweep')
      ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
      : undefined,
  );
}

test('a writer whose contents were swept meanwhile does not commit', async () => {
  const { backend, store, bytes } = await prepared();
  const session = await (await reopenStore(backend)).beginBackup({ host: 'beta' });
  const id = await session.put(bytes, 'data');
  await prune(store);
  const manifests = namesOf(backend, 'manifests/');
  await assert.rejects(session.commit({ roots: rootsOf(id), body: null }), { code: 'STORE_LOCKED' });
  await session.abandon();
  assert.deepEqual(namesOf(backend, 'manifests/'), manifests);
  assert.deepEqual(namesOf(backend, 'intents/'), []);
});

test('a writer commits when what it needs was copied elsewhere meanwhile', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const many = new Map(
    [...'abcdefgh'].map(name => [name, text(`content of ${name}, `.repeat(20 + name.charCodeAt(0)))]),
  );
  const first = await commitFiles(store, many);
  const kept = await commitFiles(store, new Map([...many].slice(0, 1)));
  await forgetSnapshot(store, first.id, { reason: 'a test' });
  const session = await (await reopenStore(backend)).beginBackup({ host: 'beta' });
  assert.ok((await prune(store)).rewrittenPacks > 0);
  // It reads what moved, and builds on it.
  assert.ok(await session.get(kept.root.id, 'metadata'));
  const id = await session.commit({ roots: [{ id: kept.root.id, kind: 'node' }], body: null });
  await checkWhole(backend, [kept, { ...kept, id }]);
});

test('without a prune the writer looks at nothing twice', async () => {
  const { backend, bytes } = await prepared();
  const observed = observedBackend(backend);
  const session = await (await reopenStore(observed)).beginBackup({ host: 'beta' });
  const from = observed.calls.length;
  await commitOne(session, bytes);
  const later = observed.calls
    .slice(from)
    .filter(({ operation }) => operation === 'get' || operation === 'list');
  assert.deepEqual(
    later
      .map(({ operation, name }) => `${operation} ${name.split('/')[0]}`)
      .filter(what => !what.includes('manifests')),
    ['list keys', 'list gc'],
  );
});

test('a name under gc/ that is not known stops writers and prunes, not readers', async () => {
  const { backend, store } = await prepared();
  await backend.put('gc/7.shredded', text('whatever it is'));
  await assert.rejects(store.beginBackup({ host: 'beta' }), { code: 'STORE_NEWER' });
  await assert.rejects(prune(store), { code: 'STORE_NEWER' });
  await checkWhole(backend, [], { others: true });
});

test('a damaged proposal stops writers, and the next prune ends it without taking anything', async () => {
  const { backend } = await prepared();
  await assert.rejects(prune(await reopenStore(dyingAt(backend, /\.sweep$/))), {
    code: 'STORE_WRITE_FAILED',
  });
  const objects = backend.snapshot();
  objects.set('gc/1', objects.get('gc/1')!.slice(0, 140));
  const damaged = memoryBackend({ objects });
  const store = await reopenStore(damaged);
  await assert.rejects(store.beginBackup({ host: 'beta' }), { code: 'STORE_DAMAGED' });
  assert.ok((await prune(store)).deletedPacks > 0);
  assert.deepEqual(namesOf(damaged, 'gc/'), [
    'gc/1',
    'gc/1.done',
    'gc/1.sweep',
    'gc/2',
    'gc/2.done',
    'gc/2.sweep',
  ]);
  await (await store.beginBackup({ host: 'beta' })).abandon();
});

test('a damaged sweep that is not done stops both: what it takes is unknown', async () => {
  const { backend } = await prepared();
  await assert.rejects(prune(await reopenStore(dyingAt(backend, /\.done$/))), { code: 'STORE_WRITE_FAILED' });
  const objects = backend.snapshot();
  objects.set('gc/1.sweep', objects.get('gc/1.sweep')!.slice(0, 140));
  const store = await reopenStore(memoryBackend({ objects }));
  await assert.rejects(store.beginBackup({ host: 'beta' }), { code: 'STORE_DAMAGED' });
  await assert.rejects(prune(store), { code: 'STORE_DAMAGED' });
});
