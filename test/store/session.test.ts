import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBackend } from '../../store/index.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

test('what was committed is there when the store is opened again', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const session = await store.beginBackup({ host: 'alpha' });
  const small = await session.put(Buffer.from('a few bytes'), 'data');
  const large = await session.put(Buffer.alloc(300_000, 'pattern '), 'data');
  const node = await session.put(Buffer.from('a node'), 'metadata');
  const id = await session.commit({
    roots: [
      { id: small, kind: 'data' },
      { id: node, kind: 'node' },
    ],
    body: new Map([[1, 'body']]),
  });
  const again = await reopenStore(backend);
  assert.equal(await again.resolve(id.slice(0, 6)), id);
  const manifest = await again.manifest(id);
  assert.deepEqual(manifest.body, new Map([[1, 'body']]));
  assert.equal(manifest.sequence, 1);
  assert.deepEqual(Buffer.from(await again.get(large, 'data')), Buffer.alloc(300_000, 'pattern '));
  assert.equal(Buffer.from(await again.get(node, 'metadata')).toString(), 'a node');
  const ids: string[] = [];
  for await (const { id } of again.snapshots()) ids.push(id);
  assert.deepEqual(ids, [id]);
});
