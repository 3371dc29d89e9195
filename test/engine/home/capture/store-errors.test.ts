import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { storeError } from '../../../../store/index.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

/** Nothing like an error of the source, but for its cause. */
const full = storeError('STORE_WRITE_FAILED', 'Cannot write a pack: no space is left', {
  cause: Object.assign(new Error('no space'), { code: 'ENOSPC', errno: -28, syscall: 'write' }),
});

test('a store that fails while a file is read ends the backup: it is no file that cannot be read', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  mkdirSync(root);
  for (const [name, length] of Object.entries({ small: 900, large: 2_000_000 }))
    writeFileSync(`${root}/${name}`, Buffer.alloc(length, name));
  for (let failing = 1; failing <= 3; failing++) {
    const chunks = memoryChunks();
    let puts = 0;
    const put: typeof chunks.put = (...chunk) =>
      ++puts === failing ? Promise.reject(full) : chunks.put(...chunk);
    await assert.rejects(captureHome(root, { chunks: { ...chunks, put } }), { code: 'STORE_WRITE_FAILED' });
  }
});
