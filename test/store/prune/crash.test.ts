import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  forgetSnapshot,
  isStoreError,
  type MemoryBackend,
  memoryBackend,
  storeError,
} from '../../../store/index.ts';
import { type BackendCall, observedBackend, replay } from '../../helpers/faulty-backend.ts';
import { checkWhole, copyOf, drop, namesOf, prune } from '../../helpers/prune-rig.ts';
import { commitFiles, type SmallSnapshot } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

const contents = new Map<string, Buffer>();
function files(names: string): Map<string, Buffer> {
  for (const name of names) if (!contents.has(name)) contents.set(name, randomBytes(900));
  return new Map([...names].map(name => [name, contents.get(name)!]));
}

/**
 * A store that gives a prune everything to do: a dead pack, one to copy from, parts that an earlier prune replaced, a
 * run that died with an intent, packs that nobody lists, and a snapshot that was forgotten with its manifest still there.
 */
async function prepared(): Promise<{
  backend: MemoryBackend;
  snapshots: SmallSnapshot[];
  forgotten: SmallSnapshot;
}> {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const first = await commitFiles(store, files('abcd'));
  const second = await commitFiles(store, files('cefg')); // a file's chunk depends on its place: e is second here and below
  const third = await commitFiles(store, files('aeij'));
  await drop(store, first);
  const fourth = await commitFiles(store, files('klm'));
  const dying = observedBackend(backend, ({ operation, name }) =>
    operation === 'put' && name.startsWith('manifests/')
      ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
      : undefined,
  );
  await assert.rejects(commitFiles(await reopenStore(dying), files('xyz')), { code: 'STORE_WRITE_FAILED' });
  const unlisted = observedBackend(backend, ({ operation, name }) =>
    (operation === 'put' && name.startsWith('index/')) || operation === 'delete'
      ? { when: 'before', error: storeError('STORE_WRITE_FAILED', 'no power') }
      : undefined,
  );
  await assert.rejects(commitFiles(await reopenStore(unlisted), files('uvw')), {
    code: 'STORE_WRITE_FAILED',
  });
  await forgetSnapshot(store, second.id, { reason: 'a test' });
  return { backend, snapshots: [third, fourth], forgotten: second };
}

/** The rest of the store's life works, whatever a prune left. */
async function liveOn(
  backend: MemoryBackend,
  snapshots: readonly SmallSnapshot[],
  where: string,
): Promise<void> {
  await checkWhole(backend, snapshots, { where });
  const store = await reopenStore(backend);
  const next = await commitFiles(store, files('efx'));
  await drop(store, snapshots[0]!);
  await checkWhole(backend, [...snapshots.slice(1), next], { where: `${where}, backup and prune` });
}

test('a prune does everything that there was to do', async () => {
  const { backend, snapshots } = await prepared();
  assert.equal(namesOf(backend, 'intents/').length, 1);
  assert.equal(namesOf(backend, 'sessions/').length, 2);
  const result = await prune(await reopenStore(backend));
  assert.ok(result.orphanPacks >= 1 && result.rewrittenPacks >= 1, JSON.stringify(result));
  assert.ok(result.deletedPacks > result.orphanPacks + result.rewrittenPacks, JSON.stringify(result));
  assert.equal(namesOf(backend, 'intents/').length, 0);
  assert.equal(namesOf(backend, 'sessions/').length, 0);
  const { pendingBytes } = await prune(await reopenStore(backend));
  assert.equal(pendingBytes, 0);
  await liveOn(backend, snapshots, 'uninterrupted');
});

test('after a crash at any change that a prune makes every snapshot is whole, and the next prune goes on', async () => {
  const { backend, snapshots } = await prepared();
  const before = backend.snapshot();
  const observed = observedBackend(copyOf(backend));
  const whole = await prune(await reopenStore(observed));
  assert.ok(observed.mutations.length > 15, `${observed.mutations.length} mutations`);
  for (let count = 0; count <= observed.mutations.length; count++) {
    const last = observed.mutations[count - 1];
    const left = replay(observed.mutations.slice(0, count), before);
    await liveOn(left, snapshots, `after ${count} changes, ${last?.operation} ${last?.name}`);
  }
  assert.ok(whole.freedBytes > 0);
});

test('a prune whose time is over at any step ends well, and one after the other they come to the same', async () => {
  const { backend, snapshots } = await prepared();
  let steps = 0;
  const whole = await prune(await reopenStore(copyOf(backend)), {
    isTimeUp: () => {
      steps += 1;
      return false;
    },
  });
  const seen = new Set<string | undefined>();
  for (let allowed = 0; allowed <= steps; allowed++) {
    const where = `after ${allowed} of ${steps} steps`;
    const medium = copyOf(backend);
    let left = allowed;
    const first = await prune(await reopenStore(medium), { isTimeUp: () => left-- <= 0 });
    seen.add(first.stoppedIn);
    assert.equal(first.stoppedIn === undefined, allowed === steps, where);
    if (first.stoppedIn === 'delete') assert.ok(first.pending.timeBytes > 0, where);
    await checkWhole(medium, snapshots, { where });
    const second = await prune(await reopenStore(medium));
    assert.equal(second.stoppedIn, undefined);
    assert.equal(packBytesOf(medium), second.storedBytes, where);
    // Copies differ by what shares a frame.
    assert.ok(Math.abs(second.storedBytes - whole.storedBytes) < 300, where);
    await checkWhole(medium, snapshots, { where: `${where}, gone on with` });
  }
  assert.deepEqual(seen, new Set(['mark', 'delete', undefined]));
});

test('when the time for copies is over what needs none still goes', async () => {
  const { backend, snapshots } = await prepared();
  const first = await prune(await reopenStore(backend), { isTimeUp: (share = 1) => share < 1 });
  assert.equal(first.stoppedIn, 'rewrite');
  assert.ok(first.deletedPacks > 0 && first.rewrittenPacks === 0 && first.pending.timeBytes > 0);
  assert.ok((await prune(await reopenStore(backend))).rewrittenPacks > 0);
  await checkWhole(backend, snapshots);
});

function packBytesOf(backend: MemoryBackend): number {
  return [...backend.snapshot()]
    .filter(([name]) => name.startsWith('packs/'))
    .reduce((sum, [, bytes]) => sum + bytes.length, 0);
}

test('a fault at any call of a prune, once or from then on, costs nothing that is needed', async () => {
  const { backend, snapshots } = await prepared();
  const clean = observedBackend(copyOf(backend));
  await prune(await reopenStore(clean));
  const kinds = [
    ['before', false],
    ['after', false],
    ['after', true],
  ] as const;
  for (const { index: at, operation, name } of clean.calls) {
    if (operation === 'get' && at % 2 === 0) continue; // reads are many and much alike
    const [when, isLasting] = kinds[at % 3]!;
    const where = `${when} call ${at}, ${operation} ${name}, ${isLasting ? 'and all later' : 'once'}`;
    const medium = copyOf(backend);
    const faulty = observedBackend(medium, call => fault(call, { at, when, isLasting }));
    try {
      await prune(await reopenStore(faulty));
    } catch (error) {
      assert.ok(isStoreError(error), `${where}: ${String(error)}`);
    }
    await checkWhole(medium, snapshots, { where });
    await prune(await reopenStore(medium));
    await checkWhole(medium, snapshots, { where: `${where}, pruned again` });
  }
});

function fault(
  { index, operation, name }: BackendCall,
  { at, when, isLasting }: { at: number; when: 'before' | 'after'; isLasting: boolean },
) {
  if (index < at || (index > at && !isLasting)) return undefined;
  const code = operation === 'get' || operation === 'list' ? 'STORE_READ_FAILED' : 'STORE_WRITE_FAILED';
  const error = storeError(code, `Cannot ${operation} ${name}: a fault`);
  return { when: index === at ? when : ('before' as const), error };
}
