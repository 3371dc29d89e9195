import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError, memoryBackend, type SnapshotId, storeError, verifyStore } from '../../store/index.ts';
import { collect } from '../helpers/collect.ts';
import { type BackendCall, observedBackend } from '../helpers/faulty-backend.ts';
import { commitFiles, readFiles, type SmallSnapshot, smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

const added = new Map([
  ['etc/hosts', Buffer.from('127.0.0.1 localhost\n')],
  ['var/log', Buffer.from('another line, not stored before\n'.repeat(9))],
  ['var/new', Buffer.from('a new file')],
]);

async function prepared() {
  const backend = memoryBackend();
  const { snapshots } = await smallStore({ backend });
  return { objects: backend.snapshot(), snapshots };
}

type Fault = 'before' | 'after' | undefined;

/** One backup on a copy of the objects, with faults; what it came to, and what it left. */
async function attempt(objects: ReadonlyMap<string, Uint8Array>, faultOf: (call: BackendCall) => Fault) {
  const medium = memoryBackend({ objects });
  const backend = observedBackend(medium, call => {
    const when = faultOf(call);
    const isRead = call.operation === 'get' || call.operation === 'list';
    const code = isRead ? 'STORE_READ_FAILED' : 'STORE_WRITE_FAILED';
    return when && { when, error: storeError(code, `Cannot ${call.operation} ${call.name}: a fault`) };
  });
  let committed: SmallSnapshot | undefined;
  let failure: unknown;
  try {
    committed = await commitFiles(await reopenStore(backend), added);
  } catch (error) {
    failure = error;
  }
  return { medium, calls: backend.calls, committed, failure };
}

/** Every listed snapshot is whole and says what it said; returns their ids. */
async function checkWhole(
  objects: ReadonlyMap<string, Uint8Array>,
  known: readonly SmallSnapshot[],
): Promise<SnapshotId[]> {
  const store = await reopenStore(memoryBackend({ objects }));
  const result = await verifyStore(store, { readData: 1 });
  assert.deepEqual(result.damage, []);
  for (const snapshot of known) assert.deepEqual(await readFiles(store, snapshot.root), snapshot.files);
  return (await collect(store.snapshots())).map(({ id }) => id);
}

test('a crash at any call of the medium leaves only whole snapshots, and the next backup works', async () => {
  const { objects, snapshots } = await prepared();
  const { calls } = await attempt(objects, () => undefined);
  assert.ok(calls.length > 20, `${calls.length} calls`);
  for (const { index: at, operation, name } of calls) {
    for (const fault of ['before', 'after'] as const) {
      const where = `${fault} call ${at}, ${operation} ${name}`;
      const { medium, committed } = await attempt(objects, call =>
        call.index < at ? undefined : call.index === at ? fault : 'before',
      );
      const ids = await checkWhole(medium.snapshot(), snapshots);
      const isManifestThere = ids.length === snapshots.length + 1;
      assert.ok(isManifestThere || ids.length === snapshots.length, where);
      if (committed !== undefined) assert.ok(ids.includes(committed.id), where);
      const next = await commitFiles(await reopenStore(memoryBackend({ objects: medium.snapshot() })), added);
      assert.notEqual(next.id, committed?.id);
    }
  }
});

test('a single error at any call either fails the run without a trace or changes nothing', async () => {
  const { objects, snapshots } = await prepared();
  const { calls } = await attempt(objects, () => undefined);
  for (const { index: at, operation, name } of calls) {
    for (const fault of ['before', 'after'] as const) {
      const where = `${fault} call ${at}, ${operation} ${name}`;
      const { medium, committed, failure } = await attempt(objects, call =>
        call.index === at ? fault : undefined,
      );
      const ids = await checkWhole(medium.snapshot(), committed ? [...snapshots, committed] : snapshots);
      assert.equal(ids.length, snapshots.length + (committed === undefined ? 0 : 1), where);
      if (committed === undefined) assert.ok(isStoreError(failure), `${where}: ${String(failure)}`);
      const left = [...medium.snapshot().keys()].filter(key => /^(intents|sessions)\//.test(key));
      // Only what could not be deleted may stay: prune waits for it, nobody else does.
      if (operation !== 'delete' && operation !== 'sync') assert.deepEqual(left, [], where);
    }
  }
});
