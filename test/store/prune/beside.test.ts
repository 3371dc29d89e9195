import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { forgetSnapshot, memoryBackend, openLocalBackend, verifyStore } from '../../../store/index.ts';
import { observedBackend } from '../../helpers/faulty-backend.ts';
import { checkWhole, copyOf, drop, prune } from '../../helpers/prune-rig.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { commitFiles, readFiles } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';

const contents = new Map([...'abcdef'].map(name => [name, randomBytes(900)]));
const files = (names: string): Map<string, Buffer> =>
  new Map([...names].map(name => [name, contents.get(name)!]));

test('a prune beside a verification is no damage, whenever it comes', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const first = await commitFiles(store, files('abcd'));
  await commitFiles(store, files('aef'));
  await forgetSnapshot(store, first.id, { reason: 'a test' });
  const counting = observedBackend(copyOf(backend));
  await verifyStore(await reopenStore(counting), { readData: 1 });
  for (let at = 1; at <= counting.calls.length; at += 2) {
    const medium = copyOf(backend);
    let calls = 0;
    const passing = async <T>(call: () => Promise<T>): Promise<T> => {
      calls += 1;
      if (calls === at) await prune(await reopenStore(medium));
      return call();
    };
    const beside = await reopenStore({
      ...medium,
      get: (name, options) => passing(() => medium.get(name, options)),
    });
    const { damage } = await verifyStore(beside, { readData: 1 });
    assert.deepEqual(damage, [], `before call ${at}`);
  }
});

test('who reads beside a prune finds what was moved', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const first = await commitFiles(store, files('abcd'));
  const second = await commitFiles(store, files('aef'));
  const reader = await reopenStore(backend);
  assert.deepEqual(await readFiles(reader, second.root), second.files);
  const other = await reopenStore(backend);
  await assert.doesNotReject(other.get(second.root.id, 'metadata'));
  assert.ok((await drop(store, first)).rewrittenPacks > 0);
  assert.deepEqual(await readFiles(other, second.root), second.files);
});

test('temporary files of dead writers go after a day, and no sooner', async () => {
  using scratch = scratchFolder();
  const folder = join(scratch.path, 'store');
  const backend = await openLocalBackend(folder, { create: true });
  const store = await makeStore({ backend });
  const snapshot = await commitFiles(store, files('abc'));
  const [old, young] = [`.tmp-${'0'.repeat(24)}`, `.tmp-${'1'.repeat(24)}`];
  const packs = join(folder, 'packs', (await readdir(join(folder, 'packs')))[0]!);
  for (const place of [folder, packs, join(folder, 'index')]) {
    await writeFile(join(place, old), 'half a pack');
    await writeFile(join(place, young), 'half a pack');
    const longAgo = new Date(Date.UTC(2020, 0, 1));
    await utimes(join(place, old), longAgo, longAgo);
  }
  await prune(store);
  for (const place of [folder, packs, join(folder, 'index')]) {
    const names = await readdir(place);
    assert.ok(!names.includes(old) && names.includes(young), place);
  }
  await checkWhole(backend, [snapshot]);
  await rename(folder, `${folder}.away`);
  await assert.rejects(backend.removeLeftovers!({ nowMs: 0 }), { code: 'STORE_READ_FAILED' });
});
