import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkWitness } from '../../../engine/witness.ts';
import {
  createStore,
  type MemoryBackend,
  memoryBackend,
  openStore,
  rotateKeys,
  systemSeams,
  verifyStore,
} from '../../../store/index.ts';
import { beginRepair } from '../../../store/repair.ts';
import { collect } from '../../helpers/collect.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { commitFiles } from '../../helpers/small-store.ts';
import { cheapKdf } from '../../helpers/stores.ts';

const passphrase = 'of the test';
const files = new Map([['a', Buffer.from('under later keys\n'.repeat(40))]]);
const open = (backend: MemoryBackend) => openStore(backend, { passphrase, seams: systemSeams });
const rotate = (store: Awaited<ReturnType<typeof open>>) =>
  rotateKeys(store, { otherPassphrases: [], dropsOthers: false });
const isBack = { code: 'STORE_KEYS_BACK' };

/** A store whose keys/ was put back to what it was two rotations before; `file` is its witness from before that. */
async function putBack(file: string): Promise<MemoryBackend> {
  const backend = memoryBackend();
  const store = await createStore(backend, { passphrase, seams: systemSeams, kdf: cheapKdf });
  const before = backend.snapshot();
  for (let round = 0; round < 2; round++) {
    await rotate(store);
    await commitFiles(store, files);
  }
  await (await checkWitness(store, { file })).write();
  const objects = backend.snapshot();
  for (const name of [...objects.keys()]) if (name.startsWith('keys/')) objects.delete(name);
  for (const [name, bytes] of before) if (name.startsWith('keys/')) objects.set(name, bytes);
  return memoryBackend({ objects });
}

test('an old keys folder that was put back is damage of the keys, and of nothing else', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'witness');
  const backend = await putBack(file);
  const store = await open(backend);
  await assert.rejects(verifyStore(store), isBack);
  await assert.rejects(beginRepair(store, { host: 'alpha', readData: false, dryRun: true }), isBack);
  await assert.rejects(store.beginBackup({ host: 'alpha' }), isBack);
  await assert.rejects(collect(store.snapshots()), isBack);
  const { damage } = await checkWitness(store, { file });
  assert.ok(damage.some(({ object }) => object === 'keys/ring-3'));
});

test('keys that were rotated while a store was open are read anew, and verify goes on', async () => {
  const backend = memoryBackend();
  await createStore(backend, { passphrase, seams: systemSeams, kdf: cheapKdf });
  const early = await open(backend);
  const other = await open(backend);
  await rotate(other);
  await commitFiles(other, files);
  assert.equal((await verifyStore(early)).isOk, true);
});
