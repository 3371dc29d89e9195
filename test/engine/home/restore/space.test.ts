import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spaceOf } from '../../../../engine/home/restore/space.ts';
import { ListingBuilder } from '../../../../store/index.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';

test('a home takes whole blocks, and its holes take none', async () => {
  const chunks = memoryChunks();
  const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
  const id = await chunks.put(new Uint8Array(5_000), 'data');
  const add = (name: string, contents: Parameters<typeof builder.add>[0]['contents']) =>
    builder.add({ key: Buffer.from(name), body: new Uint8Array([0xa0]), contents });
  await add('/', []);
  await add('/empty', [{ length: 0, extents: [] }]);
  await add('/ref', [{ length: 1, extents: [{ kind: 'inline', bytes: new Uint8Array(1) }] }]);
  await add('/sparse', [
    {
      length: 2 ** 40 + 5_000,
      extents: [
        { kind: 'hole', length: 2 ** 40 },
        { kind: 'chunk', id, offset: 0, length: 5_000 },
      ],
    },
  ]);
  assert.equal(await spaceOf(chunks, { listing: await builder.finish() }), 4096 + 8192);
});
