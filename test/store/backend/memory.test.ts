import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemoryBackend, memoryBackend } from '../../../store/backend/index.ts';
import { backendContract, bytesOf, collect } from './contract.ts';

backendContract('memory', {
  make: async () => memoryBackend(),
  again: async backend => backend, // one memory, one process
});

test('a snapshot of a memory backend starts another, and neither sees the other change', async () => {
  const first: MemoryBackend = memoryBackend();
  await first.put('a', bytesOf(1));
  const second = memoryBackend({ objects: first.snapshot() });
  await first.put('b', bytesOf(2));
  await second.delete('a');
  assert.deepEqual(await collect(first.list('')), [
    { name: 'a', bytes: 1 },
    { name: 'b', bytes: 1 },
  ]);
  assert.deepEqual(await collect(second.list('')), []);
});
