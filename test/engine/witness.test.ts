import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkWitnessPlace } from '../../engine/doctor/witness.ts';
import { checkWitness, updateWitness } from '../../engine/witness.ts';
import {
  forgetSnapshot,
  type MemoryBackend,
  memoryBackend,
  newWriteOnlyHost,
  type SnapshotId,
  StillpointError,
  type Store,
} from '../../store/index.ts';
import { sealRecord } from '../../store/record.ts';
import { insideOf } from '../../store/store.ts';
import { statesOf } from '../helpers/findings.ts';
import { prune } from '../helpers/prune-rig.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { commitFiles } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';
import { addHost, openAsHost } from '../helpers/write-only-host.ts';

let count = 0;

async function commit(store: Store): Promise<SnapshotId> {
  count += 1;
  return (await commitFiles(store, new Map([['file', Buffer.from(`number ${count} `.repeat(20))]]))).id;
}

/** A store with two snapshots, forgotten and pruned once, and its witness. */
async function witnessed(
  file: string,
): Promise<{ backend: MemoryBackend; store: Store; newest: SnapshotId }> {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await forgetSnapshot(store, await commit(store), { reason: 'a test' });
  await commit(store);
  const newest = await commit(store);
  const first = await checkWitness(store, { file });
  assert.equal(first.isFirst, true);
  await first.write();
  return { backend, store, newest };
}

const found = async (store: Store, file: string) =>
  (await checkWitness(store, { file })).damage.map(({ kind, object }) => `${kind} ${object}`);

test('a witness agrees with what was backed up, forgotten and pruned since', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const { backend, store, newest } = await witnessed(file);
  assert.deepEqual(await found(store, file), []);
  await commit(store);
  await forgetSnapshot(store, newest, { reason: 'a test' });
  await prune(store);
  assert.deepEqual(await updateWitness(await reopenStore(backend), { file }), []);
  assert.doesNotMatch(readFileSync(file, 'utf8'), new RegExp(newest));
});

test('a witness that was taken away is made anew, and that is told', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const { store } = await witnessed(file);
  rmSync(file);
  assert.equal((await updateWitness(store, { file })).length, 1);
  assert.deepEqual(await updateWitness(store, { file }), []);
});

test('a witness names a snapshot that is gone, and stays as it is', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const { backend, store, newest } = await witnessed(file);
  const bytes = readFileSync(file, 'utf8');
  await backend.delete(`manifests/${newest}`);
  assert.deepEqual(await found(store, file), [`witness manifests/${newest}`]);
  assert.equal((await updateWitness(store, { file })).length, 1);
  assert.equal(readFileSync(file, 'utf8'), bytes);
  assert.match((await checkWitness(store, { file })).damage[0]!.state, /newest of alpha/);
});

test('a mark that no holder of the passphrase made explains nothing', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const backend = memoryBackend();
  await makeStore({ backend });
  const keyFile = await addHost(backend, 'hostile');
  const store = await reopenStore(backend);
  const id = await commit(store);
  await (await checkWitness(store, { file })).write();
  const { ring, seams } = insideOf(await openAsHost(backend, keyFile)).context;
  const name = `forgotten/${id}`;
  const place = { kind: 'session', session: id as never, name, randomness: seams.randomness } as const;
  await backend.put(name, sealRecord(ring, place, new Map()));
  await backend.delete(`manifests/${id}`);
  assert.deepEqual(await found(await reopenStore(backend), file), [`witness manifests/${id}`]);
});

test('a witness names other bytes, and generations and keys that went back', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const { backend, store, newest } = await witnessed(file);
  await (await newWriteOnlyHost(store, { name: 'attic' })).list();
  const id = await commit(store);
  await forgetSnapshot(store, id, { reason: 'a test' });
  await prune(store);
  await (await checkWitness(store, { file })).write();
  const objects = backend.snapshot();
  const generation = [...objects.keys()]
    .filter(name => /^gc\/\d+$/.test(name))
    .sort()
    .at(-1)!;
  const manifest = objects.get(`manifests/${newest}`)!;
  manifest[manifest.length - 1]! ^= 1;
  for (const name of [...objects.keys()])
    if (name.startsWith(generation) || name === 'keys/ring-2') objects.delete(name);
  const damaged = await reopenStore(memoryBackend({ objects }));
  assert.deepEqual(
    (await found(damaged, file)).sort(),
    [`witness ${generation}`, 'witness keys/ring-2', `witness manifests/${newest}`].sort(),
  );
});

test('a witness that somebody changed is damage, and one of another store is refused', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const { store, newest } = await witnessed(file);
  const text = readFileSync(file, 'utf8');
  for (const changed of [text.replace(newest, '0'.repeat(64)), text.slice(0, -1), '', '{}', `${text}\n`]) {
    writeFileSync(file, changed);
    assert.deepEqual(await found(store, file), [`witness ${file}`]);
  }
  writeFileSync(file, text);
  const isRefused = (error: unknown) => error instanceof StillpointError && error.code === 'USAGE';
  await assert.rejects(checkWitness(await makeStore(), { file }), isRefused);
  for (const none of ['/dev/zero', scratch.path, join(scratch.path, 'nowhere', 'witness')])
    await assert.rejects(checkWitness(store, { file: none }), isRefused, none);
});

test('a host that may write only keeps a witness of its own', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const backend = memoryBackend();
  await makeStore({ backend });
  const host = await openAsHost(backend, await addHost(backend, 'attic'));
  const id = await commit(host);
  assert.deepEqual(await updateWitness(host, { file }), []);
  await backend.delete(`manifests/${id}`);
  assert.deepEqual(await found(host, file), [`witness manifests/${id}`]);
});

test('the witness of a write-only host is not taken for a changed one by who has the passphrase, nor the other way', async () => {
  using scratch = scratchFolder();
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await commit(store);
  const host = await openAsHost(backend, await addHost(backend, 'attic'));
  for (const [own, other, who] of [
    [store, host, /has the passphrase/],
    [host, store, /write-only host attic/],
  ] as const) {
    const file = join(scratch.path, `witness of ${own.host}`);
    await updateWitness(own, { file });
    assert.deepEqual(await found(own, file), []);
    await assert.rejects(checkWitness(other, { file }), (error: Error) => who.test(error.message));
    assert.match((await updateWitness(other, { file })).join(), who);
    assert.deepEqual(await found(own, file), []);
  }
});

test('a witness inside the store is refused, also by way of a link', async () => {
  using scratch = scratchFolder();
  const place = join(scratch.path, 'store');
  mkdirSync(place);
  symlinkSync(place, join(scratch.path, 'link'));
  const backend = memoryBackend({ location: place });
  const store = await makeStore({ backend });
  const isRefused = { code: 'USAGE' };
  const states = (file: string) => statesOf(checkWitnessPlace({ file, place }));
  for (const file of [join(place, 'witness'), join(scratch.path, 'link', 'keys', 'witness')]) {
    await assert.rejects(checkWitness(store, { file }), isRefused, file);
    assert.equal((await updateWitness(store, { file })).length, 1);
    assert.deepEqual(await states(file), ['failed']);
  }
  const beside = join(scratch.path, 'store-witness');
  assert.deepEqual(await updateWitness(store, { file: beside }), []);
  assert.deepEqual(await states(beside), ['ok']);
  assert.deepEqual(await states(join(scratch.path, 'nowhere', 'witness')), ['failed']);
});
