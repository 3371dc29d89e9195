import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Backend, beginPrune, memoryBackend } from '../../../store/index.ts';
import { checkWhole, namesOf } from '../../helpers/prune-rig.ts';
import { commitFiles } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

for (const isRemoved of [true, false])
  test(`a prune that slept while others pruned, ${isRemoved ? 'and removed its session' : 'and failed to remove its session'}, says so, and does not call the store damaged`, () =>
    sleepWhileOthersPrune({ isRemoved }));

async function sleepWhileOthersPrune({ isRemoved }: { readonly isRemoved: boolean }): Promise<void> {
  const medium = memoryBackend();
  const store = await makeStore({ backend: medium });
  const files = (names: string) => new Map([...names].map(name => [name, Buffer.from(`content of ${name}`)]));
  const kept = await commitFiles(store, files('ab'));
  const [first, second] = [await commitFiles(store, files('bc')), await commitFiles(store, files('bd'))];
  const seen = new Set<string>();
  let isAsleep = false;
  const others = await reopenStore({
    ...medium,
    async delete(name, options) {
      if (isRemoved || !name.startsWith('sessions/')) await medium.delete(name, options);
    },
  });
  const sleeper: Backend = {
    ...medium,
    async get(name, options) {
      const isMerging = name.startsWith('index/') && namesOf(medium, 'gc/').includes('gc/1.sweep');
      // It has decided what goes, has looked through the index, and reads again what it writes anew.
      if (!isAsleep && isMerging && seen.has(name)) {
        isAsleep = true;
        for (const snapshots of [[], [second.id]]) {
          await using awake = await beginPrune(others, { host: 'awake', silenceMs: 0 });
          await awake.forget(snapshots, { reason: 'a test' });
          await awake.reclaim();
        }
      }
      if (isMerging) seen.add(name);
      return medium.get(name, options);
    },
  };
  {
    await using asleep = await beginPrune(await reopenStore(sleeper), { host: 'asleep' });
    await asleep.forget(first.id, { reason: 'a test' });
    await assert.rejects(asleep.reclaim(), { code: 'STORE_LOCKED' });
  }
  assert.ok(isAsleep);
  await checkWhole(medium, [kept]);
}
