import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import {
  createStore,
  type Extent,
  hex,
  ListingBuilder,
  memoryBackend,
  readListing,
  rotateKeys,
  storeExtents,
  systemSeams,
} from '../../store/index.ts';
import { collect } from '../helpers/collect.ts';
import { projectRoot } from '../helpers/project.ts';
import {
  extentBytes,
  type Medium,
  opener,
  parseNode,
  type ReadEntry,
  readStore,
} from '../helpers/second-reader.ts';
import { seededRandomness } from '../helpers/seeded.ts';
import { commitFiles, smallStore } from '../helpers/small-store.ts';
import { reopenStore, testPassphrase } from '../helpers/stores.ts';

const golden = join(projectRoot, 'test/golden/v1');
const facts = JSON.parse(await readFile(join(golden, 'facts.json'), 'utf8'));

function mediumOf(objects: ReadonlyMap<string, Uint8Array>): Medium {
  return { names: () => objects.keys(), get: name => objects.get(name) ?? assert.fail(`no object ${name}`) };
}

async function readFolder(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(relative(folder, path), new Uint8Array(await readFile(path)));
  }
  return files;
}

/** All bytes of an entry's contents, with zeros for holes. */
function bytesOf({ contents }: ReadEntry): Buffer {
  const parts = contents.map(content => {
    const bytes = Buffer.concat(
      [...content.extents()].map(extent => extent.bytes ?? Buffer.alloc(extent.length)),
    );
    assert.equal(bytes.length, content.length);
    return bytes;
  });
  return Buffer.concat(parts);
}

test('a reader written from FORMAT.md reads the golden store', async () => {
  const objects = await readFolder(join(golden, 'store'));
  const store = await readStore(mediumOf(objects), facts.passphrase);
  const manifests = [...store.manifests()].sort((a, b) => a.sequence - b.sequence);
  assert.deepEqual(
    manifests.map(({ id }) => id),
    facts.snapshots.map(({ id }: { id: string }) => id),
  );
  assert.deepEqual(
    manifests.map(({ previous }) => previous),
    [null, manifests[0]!.id],
  );
  for (const [i, { roots, host }] of manifests.entries()) {
    assert.equal(host, 'golden.example');
    const entries = [...store.entries(roots[0]!.id)];
    const files = entries.map(entry => [Buffer.from(entry.key).toString(), bytesOf(entry).toString('hex')]);
    assert.deepEqual(Object.fromEntries(files), facts.snapshots[i].files);
  }
});

test('it reads every record, trailer and node of the golden files', async () => {
  const objects = await readFolder(join(golden, 'store'));
  const store = await readStore(mediumOf(objects), facts.passphrase);
  for (const { name, kind, value } of facts.records) {
    const fields = store.record(name);
    const found = [...fields.values()]
      .slice(1)
      .map(field => (field instanceof Uint8Array ? hex(field) : field));
    const flat = JSON.stringify(Object.values(value)).replaceAll('null', '');
    for (const field of found)
      if (typeof field === 'string' && field !== '')
        assert.ok(flat.replaceAll(/[",]/g, '').includes(field), `${kind} ${name}: ${field}`);
  }
  for (const name of objects.keys())
    if (name.startsWith('packs/'))
      assert.deepEqual(
        Buffer.from(store.trailer(name)),
        await readFile(join(golden, `trailers/${name.split('/')[1]}.bin`)),
      );
  for (const [name, { kind, level }] of Object.entries<{ kind: string; level: number }>(facts.nodes)) {
    const node = parseNode(await readFile(join(golden, `nodes/${name}.bin`)));
    assert.deepEqual([['listing', 'extents'][node.kind], node.level], [kind, level]);
  }
  const list = parseNode(await readFile(join(golden, 'nodes/extents-leaf.bin')));
  assert.deepEqual(list.items.map(extentBytes), [70_000, 2 ** 33, 70_000, 128]);
});

test('it opens an object that was sealed to a public key', async () => {
  const keys = JSON.parse(await readFile(join(projectRoot, 'test/golden/keys/facts.json'), 'utf8'));
  const object = await readFile(join(projectRoot, 'test/golden/keys/sealed-to-key.bin'));
  const open = opener(Buffer.from(keys.storeId, 'hex'), epoch =>
    Buffer.from(keys.epochSecrets[epoch - 1], 'hex'),
  );
  const first = { ordinal: 0n, sealed: object.subarray(96, 96 + 28 + 5) };
  const trailer = { ordinal: 2n ** 64n - 1n, sealed: object.subarray(96 + 28 + 5) };
  assert.equal(Buffer.from(open.part(object, keys.packName, first)).toString(), 'first');
  assert.equal(Buffer.from(open.part(object, keys.packName, trailer)).toString(), 'trailer');
});

test('it reads what was stored before and after a rotation, past the slot of one that lost', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend, snapshots: 1 });
  const lost = memoryBackend({ objects: backend.snapshot() });
  const options = { otherPassphrases: [], dropsOthers: false };
  await rotateKeys(store, options);
  await rotateKeys(await reopenStore(lost), options);
  for (const [name, bytes] of lost.snapshot())
    if (/^keys\/[0-9a-f]{64}$/.test(name)) await backend.put(name, bytes);
  const { root } = await commitFiles(store, new Map([['later', Buffer.from('under the second epoch')]]));
  assert.equal((await reopenStore(backend)).id, store.id);
  const reader = await readStore(mediumOf(backend.snapshot()), testPassphrase);
  const manifests = [...reader.manifests()].sort((a, b) => a.sequence - b.sequence);
  assert.deepEqual(
    manifests.map(({ roots }) => hex(roots[0]!.id)),
    [hex(snapshots[0]!.root.id), hex(root.id)],
  );
  for (const { roots } of manifests) assert.ok([...reader.entries(roots[0]!.id)].map(bytesOf).length > 0);
});

test('it reads a store as large as real ones are made, with inner nodes, extent lists and packs of both codecs', async () => {
  const passphrase = 'another pässphrase';
  const backend = memoryBackend();
  const kdf = { type: 'argon2id', memoryKiB: 256, passes: 1, lanes: 1 } as const;
  const store = await createStore(backend, { passphrase, seams: systemSeams, kdf });
  await using session = await store.beginBackup({ host: 'alpha' });
  const randomness = seededRandomness('second reader');
  const builder = new ListingBuilder(session, store.cuts.nodes);
  const noise = await session.put(randomness.bytes(200_000), 'data');
  for (let i = 0; i < 4000; i++) {
    const extents: Extent[] = [{ kind: 'inline', bytes: Buffer.from(`file ${i}`) }];
    if (i % 10 === 0) {
      const bytes = Buffer.from(`content of ${i} `.repeat(30));
      extents.push({
        kind: 'chunk',
        id: await session.put(bytes, 'data'),
        offset: 3,
        length: bytes.length - 3,
      });
    }
    if (i === 77)
      for (let j = 0; j < 3000; j++)
        extents.push(
          { kind: 'chunk', id: noise, offset: (j * 7919) % 190_000, length: 5 },
          { kind: 'hole', length: 1 + j },
        );
    const content = await storeExtents(session, store.cuts.nodes, extents);
    await builder.add({
      key: Buffer.from(`d/${i + 10_000}`),
      body: Buffer.from([0xf6]),
      contents: [content],
    });
  }
  const root = await builder.finish();
  assert.ok(root.level > 0);
  const id = await session.commit({ roots: [{ id: root.id, kind: 'node' }], body: 'body' });

  const reader = await readStore(mediumOf(backend.snapshot()), passphrase);
  const [manifest] = [...reader.manifests()];
  assert.deepEqual([manifest!.id, manifest!.body, manifest!.sequence], [id, 'body', 1]);
  const expected = await collect(readListing(store, root));
  const found = [...reader.entries(manifest!.roots[0]!.id)];
  assert.deepEqual(
    found.map(({ key }) => hex(key)),
    expected.map(({ key }) => hex(key)),
  );
  for (const [i, entry] of found.entries()) {
    if (i % 10 !== 0 && i !== 77) continue;
    const bytes = bytesOf(entry);
    assert.ok(bytes.subarray(0, 20).toString().startsWith(`file ${i}`));
    if (i % 10 === 0) assert.ok(bytes.toString().endsWith(`content of ${i} `));
    if (i === 77) assert.equal(bytes.length, 7 + 3000 * 5 + (3000 * 3001) / 2);
  }
});
