import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkStoreContent } from '../../../engine/doctor/store-content.ts';
import { checkStorePlace } from '../../../engine/doctor/store-place.ts';
import { encodePair } from '../../../engine/pair-codec.ts';
import { memoryBackend, type Store, storeError, systemClock, systemSeams } from '../../../store/index.ts';
import { findingsOf, statesOf } from '../../helpers/findings.ts';
import { isRoot } from '../../helpers/home-tree.ts';
import { somePair } from '../../helpers/pairs.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { makeStore } from '../../helpers/stores.ts';

const { randomness } = systemSeams;

test('a store inside the home, or around it, fails; one on the same disk is warned of', async () => {
  using scratch = scratchFolder();
  const home = join(scratch.path, 'home');
  const place = join(scratch.path, 'store');
  for (const folder of [home, place]) mkdirSync(folder);
  const states = (where: string, its = home) =>
    statesOf(checkStorePlace({ place: where, home: its, randomness }));
  assert.deepEqual(await states(join(home, 'deep/store')), ['failed']);
  assert.deepEqual((await states(scratch.path))[0], 'failed');
  assert.deepEqual(await states(place), ['warning', 'ok']);
  assert.deepEqual(await states(join(scratch.path, 'absent')), ['warning']);
  assert.deepEqual(readdirSync(place), [], 'the proof leaves nothing');
});

const skip = isRoot ? 'root may write everywhere' : false;
test('a store that this user may not write in fails', { skip }, async () => {
  using scratch = scratchFolder();
  chmodSync(scratch.path, 0o555);
  const check = checkStorePlace({ place: scratch.path, home: null, randomness });
  assert.deepEqual(await statesOf(check), ['failed']);
  chmodSync(scratch.path, 0o755);
});

test('a place that cannot hold hard links fails', async () => {
  const check = checkStorePlace({ place: '/proc/self', home: null, randomness });
  assert.deepEqual(await statesOf(check), ['failed']);
});

const content = (open: () => Promise<Store>) =>
  checkStoreContent({ place: '/', instance: null, clock: systemClock, open });

test('a store that does not open fails with its remedy', async () => {
  const error = storeError('STORE_MISSING', 'Cannot open', { remedy: 'Make one.' });
  const [finding] = await findingsOf(content(() => Promise.reject(error)));
  assert.deepEqual([finding?.state, finding?.remedy], ['failed', 'Make one.']);
});

test('a snapshot from the future is warned of, and the store is closed again', async () => {
  const store = await makeStore({ backend: memoryBackend() });
  const add = async (timeMs: number) => {
    await using session = await store.beginBackup({ host: 'there' });
    await session.commit(encodePair({ ...somePair, timeMs }));
  };
  await add(systemClock.nowMs() - 1_000);
  assert.deepEqual(await statesOf(content(async () => store)), ['ok', 'ok']);
  await add(systemClock.nowMs() + 3_600_000);
  assert.deepEqual(await statesOf(content(async () => store)), ['ok', 'warning', 'ok']);
});
