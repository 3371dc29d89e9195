import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BackupSession,
  type ChunkId,
  memoryBackend,
  type SnapshotId,
  type Store,
  verifyStore,
} from '../../store/index.ts';
import { collect } from '../helpers/collect.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

/** One host: at most one session at a time, and what it has put there. */
interface Host {
  readonly store: Store;
  session: BackupSession | undefined;
  put: Map<number, ChunkId>;
}

const content = (number: number): Buffer => Buffer.from(`content ${number} `.repeat(1 + (number % 5)));

const step = fc.record({
  host: fc.nat(2),
  act: fc.constantFrom('put', 'put', 'put', 'flush', 'commit', 'abandon', 'kill'),
  content: fc.nat(12),
});

test('whatever hosts do beside each other, what they committed is whole, and nothing else is visible', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
      const backend = memoryBackend();
      await makeStore({ backend });
      const hosts: Host[] = [];
      for (let i = 0; i < 3; i++)
        hosts.push({ store: await reopenStore(backend), session: undefined, put: new Map() });
      const committed = new Map<SnapshotId, ReadonlyMap<number, ChunkId>>();
      for (const { host: number, act, content: which } of steps) {
        const host = hosts[number]!;
        host.session ??= await host.store.beginBackup({ host: `host ${number}` });
        if (act === 'put') host.put.set(which, await host.session.put(content(which), 'data'));
        else if (act === 'flush') await host.session.flush();
        else if (act === 'commit') {
          const roots = [...host.put.values()].map(id => ({ id, kind: 'data' as const }));
          committed.set(await host.session.commit({ roots, body: null }), new Map(host.put));
        } else if (act === 'abandon') await host.session.abandon();
        if (act === 'commit' || act === 'abandon' || act === 'kill') {
          host.session = undefined;
          host.put = new Map();
        }
      }
      const fresh = await reopenStore(backend);
      assert.deepEqual((await verifyStore(fresh, { readData: 1 })).damage, []);
      const listed = await collect(fresh.snapshots());
      assert.deepEqual(listed.map(({ id }) => id).sort(), [...committed.keys()].sort());
      for (const chunks of committed.values())
        for (const [which, id] of chunks)
          assert.deepEqual(Buffer.from(await fresh.get(id, 'data')), content(which));
    }),
    { numRuns: 40 },
  );
});
