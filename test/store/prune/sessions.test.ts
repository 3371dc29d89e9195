import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  beginPrune,
  type Clock,
  forgetSnapshot,
  memoryBackend,
  storeError,
  systemSeams,
} from '../../../store/index.ts';
import { checkWhole, namesOf, prune } from '../../helpers/prune-rig.ts';
import { sleeperClock } from '../../helpers/sleeper-clock.ts';
import { commitFiles, readFiles } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

const text = (content: string): Buffer => Buffer.from(content);
const oneFile = new Map([['a', text('the content of a')]]);

test('a session shows signs of life, one at a time, and takes them with it', async () => {
  const { clock, seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const session = await store.beginBackup({ host: 'alpha' });
  assert.deepEqual(namesOf(backend, 'sessions/'), [`sessions/${session.id}`]);
  for (const beat of [1, 2, 3]) {
    await clock.sleep(5000);
    assert.deepEqual(namesOf(backend, 'sessions/'), [
      `sessions/${session.id}`,
      `sessions/${session.id}.${beat}`,
    ]);
  }
  await session.abandon();
  await clock.sleep(20_000);
  assert.deepEqual(namesOf(backend, 'sessions/'), []);
});

test('a prune beside a backup that lives goes on, leaves it what it wrote, and the backup commits', async () => {
  const { clock, seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const forgotten = await commitFiles(store, new Map([['b', text('what only the forgotten one has')]]));
  const kept = await commitFiles(store, oneFile);
  await using session = await (await reopenStore(backend, seams)).beginBackup({ host: 'alpha' });
  const id = await session.put(text('what the backup has to say'), 'data');
  await session.flush();
  const waits: string[] = [];
  const startMs = clock.monotonicMs();
  {
    const onWait = ({ host, purpose }: { host: string; purpose: string }) => waits.push(`${host} ${purpose}`);
    await using pruning = await beginPrune(store, { host: 'beta', onWait });
    assert.ok(clock.monotonicMs() - startMs <= 6000, `${clock.monotonicMs() - startMs} ms`);
    await pruning.forget([forgotten.id], { reason: 'a test' });
    const { deletedPacks, pending } = await pruning.reclaim();
    assert.equal(deletedPacks, 2);
    assert.ok(pending.atWorkBytes > 0);
  }
  assert.deepEqual(waits, ['alpha backup']);
  await session.commit({ roots: [{ id, kind: 'data' }], body: null });
  await checkWhole(backend, [kept], { others: true });
});

test('what a backup builds on stays while it is at work, whoever forgets it', async () => {
  const { clock, seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const gone = await commitFiles(store, new Map([['b', text('what only the first one has')]]));
  const parent = await commitFiles(store, oneFile);
  await using session = await (await reopenStore(backend, seams)).beginBackup({ host: 'alpha' });
  await forgetSnapshot(store, gone.id, { reason: 'a test' });
  assert.equal(await session.buildOn(gone.id), false);
  assert.equal(await session.buildOn(parent.id), true);
  await clock.sleep(15_000);
  await forgetSnapshot(store, parent.id, { reason: 'a test' });
  {
    await using pruning = await beginPrune(store, { host: 'beta' });
    assert.equal((await pruning.reclaim({ mayBeEmpty: true })).deletedPacks, 2);
  }
  const { root } = parent;
  const id = await session.commit({ roots: [{ id: root.id, kind: 'node' }], body: null });
  await prune(store);
  await checkWhole(backend, [{ ...parent, id }]);
});

test('what a killed run left stays for the backup that begins again beside a prune, and goes later', async () => {
  const { seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  await commitFiles(store, oneFile);
  const silent: Clock = { ...seams.clock, every: () => () => undefined };
  const killed = await (await reopenStore(backend, { ...seams, clock: silent })).beginBackup({
    host: 'alpha',
  });
  const content = text('what takes hours to store');
  await killed.put(content, 'data');
  await killed.flush();
  const again = await (await reopenStore(backend, seams)).beginBackup({ host: 'alpha' });
  const id = await again.put(content, 'data');
  assert.equal(again.written.newChunks, 0);
  {
    await using pruning = await beginPrune(store, { host: 'beta' });
    assert.equal((await pruning.reclaim()).deletedPacks, 0);
  }
  assert.ok(!namesOf(backend, 'sessions/').some(name => name.startsWith(`sessions/${killed.id}`)));
  await again.commit({ roots: [{ id, kind: 'data' }], body: null });
});

test('a prune without other sessions waits for nobody', async () => {
  const { clock, seams } = sleeperClock();
  const store = await makeStore({ seams });
  const startMs = clock.monotonicMs();
  await using session = await beginPrune(store, { host: 'beta' });
  assert.ok(session);
  assert.equal(clock.monotonicMs(), startMs);
});

test('two prunes at once: one is refused', async () => {
  const { seams } = sleeperClock();
  const store = await makeStore({ seams });
  await using session = await beginPrune(store, { host: 'beta' });
  await assert.rejects(beginPrune(store, { host: 'gamma' }), { code: 'STORE_LOCKED' });
  assert.ok(session);
});

test('a prune that ends while another looks at it is in nobody’s way', async () => {
  const { clock, seams } = sleeperClock();
  const backend = memoryBackend();
  const first = await beginPrune(await makeStore({ backend, seams }), { host: 'beta' });
  const watching = await reopenStore(backend, {
    ...seams,
    clock: {
      ...clock,
      async sleep() {
        await first[Symbol.asyncDispose]();
      },
    },
  });
  await using second = await beginPrune(watching, { host: 'gamma' });
  assert.ok(second);
});

test('who waits for a dead session is told how long, and who was dead', async () => {
  const { clock, seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  await store.beginBackup({ host: 'alpha' });
  const still = { ...clock, every: () => () => undefined };
  await (await reopenStore(backend, { ...seams, clock: still })).beginBackup({ host: 'dies' });
  const silence: number[] = [];
  const dead: string[] = [];
  await using session = await beginPrune(store, {
    host: 'beta',
    onSilence: ({ forMs, ofMs }) => silence.push(forMs / ofMs),
    onDead: ({ host }) => dead.push(host),
  });
  assert.ok(session);
  assert.deepEqual(dead, ['dies']);
  assert.ok(silence.length >= 20 && silence.every((share, i) => share < 1 && share >= (silence[i - 1] ?? 0)));
});

test('a session that ends while it is waited for needs no more waiting', async () => {
  const { clock, seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const session = await store.beginBackup({ host: 'alpha' });
  let slept = 0;
  const impatient = await reopenStore(backend, {
    ...seams,
    clock: {
      ...clock,
      async sleep(ms) {
        slept += ms;
        await session.abandon();
      },
    },
  });
  await using pruning = await beginPrune(impatient, { host: 'beta' });
  assert.ok(pruning);
  assert.ok(slept <= 1000, `${slept} ms`);
});

test('a run that was silent for long is dead: it cannot commit, and what it wrote goes', async () => {
  const { seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const kept = await commitFiles(store, oneFile);
  const frozen: Clock = { ...systemSeams.clock, every: () => () => undefined };
  const sleeping = await (await reopenStore(backend, { ...seams, clock: frozen })).beginBackup({
    host: 'laptop',
  });
  const id = await sleeping.put(text('what the laptop has to say'), 'data');
  await sleeping.flush();
  await using pruning = await beginPrune(store, { host: 'beta' });
  const { deletedPacks } = await pruning.reclaim();
  assert.equal(deletedPacks, 1);
  assert.ok(!namesOf(backend, 'sessions/').includes(`sessions/${sleeping.id}`));
  await assert.rejects(sleeping.commit({ roots: [{ id, kind: 'data' }], body: null }), {
    code: 'STORE_LOCKED',
  });
  await sleeping.abandon();
  await checkWhole(backend, [kept]);
});

test('the intent of a dead run is taken from it before it is removed', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const kept = await commitFiles(store, oneFile);
  let commit: (() => Promise<unknown>) | undefined;
  const stalled = await reopenStore({
    ...backend,
    put: async (name, bytes, options) => {
      if (!name.startsWith('manifests/')) return backend.put(name, bytes, options);
      commit = () => backend.put(name, bytes, options);
      return new Promise(() => undefined); // it sleeps here
    },
  });
  void commitFiles(stalled, new Map([['b', text('the content of b')]]));
  while (commit === undefined) await new Promise(resolve => setImmediate(resolve));
  const [intent] = namesOf(backend, 'intents/');
  await prune(store);
  assert.deepEqual(namesOf(backend, 'intents/'), []);
  assert.equal(await commit(), 'exists');
  await assert.rejects(store.manifest(intent!.slice('intents/'.length) as typeof kept.id), {
    code: 'SNAPSHOT_UNKNOWN',
  });
  await checkWhole(backend, [kept]);
});

test('who reads a snapshot has all of it to the end, though it is forgotten and pruned meanwhile', async () => {
  const { seams } = sleeperClock();
  const backend = memoryBackend();
  const store = await makeStore({ backend, seams });
  const snapshot = await commitFiles(store, new Map([['b', text('what only this one has')]]));
  const kept = await commitFiles(store, oneFile);
  {
    await using _reading = await store.beginReading({ host: 'alpha', snapshots: [snapshot.id] });
    await using pruning = await beginPrune(store, { host: 'beta' });
    await pruning.forget([snapshot.id], { reason: 'a test' });
    assert.equal((await pruning.reclaim()).deletedPacks, 0);
    assert.deepEqual(await readFiles(await reopenStore(backend), snapshot.root), snapshot.files);
  }
  await assert.rejects(store.beginReading({ host: 'alpha', snapshots: [snapshot.id] }), {
    code: 'SNAPSHOT_UNKNOWN',
  });
  assert.equal((await prune(store)).deletedPacks, 2);
  assert.deepEqual(namesOf(backend, 'manifests/'), [`manifests/${kept.id}`]);
  await checkWhole(backend, [kept]);
});

test('a store that may only be read is read without a word to others', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const snapshot = await commitFiles(store, oneFile);
  const readOnly = { ...backend, put: () => Promise.reject(storeError('STORE_WRITE_FAILED', 'read-only')) };
  await using other = await reopenStore(readOnly);
  await using _reading = await other.beginReading({ host: 'alpha', snapshots: [snapshot.id] });
  await checkWhole(readOnly, [snapshot]);
});
