import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePair } from '../../engine/pair-codec.ts';
import { findParent } from '../../engine/parent.ts';
import { prune } from '../../engine/retention/prune.ts';
import { memoryBackend, type SnapshotId, type Store, systemClock } from '../../store/index.ts';
import { somePair } from '../helpers/pairs.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';
import { addHost, openAsHost } from '../helpers/write-only-host.ts';

async function commit(store: Store): Promise<SnapshotId> {
  await using session = await store.beginBackup({ host: 'alpha' });
  return await session.commit(encodePair(somePair));
}

test('what a write-only host says of an instance is no parent, and pushes nobody’s snapshot out', async () => {
  const backend = memoryBackend();
  const holder = await makeStore({ backend });
  const own = await commit(holder);
  const host = await openAsHost(backend, await addHost(backend, 'hostile'));
  const theirs: SnapshotId[] = [];
  for (let i = 0; i < 3; i++) theirs.push(await commit(host));
  const anew = await reopenStore(backend);
  const { instance } = somePair;
  assert.equal((await findParent(anew, { instance })).parent?.id, own);
  assert.equal(
    (await findParent(host, { instance })).parent,
    null,
    'without a cache it knows none of its own',
  );
  const { kept } = await prune({
    store: anew,
    host: 'alpha',
    clock: systemClock,
    retention: { policy: { keepLast: 1 }, timeZone: 'UTC' },
    instance,
    isDryRun: true,
    mayBeEmpty: false,
    mayBeUnknown: false,
    onWait: () => {},
    onProgress: () => {},
    signal: AbortSignal.timeout(60_000),
  });
  assert.deepEqual(kept.map(({ snapshot }) => snapshot.id).sort(), [own, theirs[2]!].sort());
});
