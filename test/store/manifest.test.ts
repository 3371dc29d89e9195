import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChunkId, hex, type SnapshotId } from '../../store/index.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../../store/manifest.ts';
import { setDigest } from '../../store/manifests.ts';
import { insideOf } from '../../store/store.ts';
import { seededRandomness } from '../helpers/seeded.ts';
import { makeStore } from '../helpers/stores.ts';

const { context } = insideOf(await makeStore());
const { ring } = context;
const randomness = seededRandomness('manifest');
const id = hex(randomness.bytes(32)) as SnapshotId;
const manifest: Manifest = {
  id,
  host: 'alpha',
  sequence: 3,
  previous: hex(randomness.bytes(32)) as SnapshotId,
  createdMs: 1_750_000_000_000,
  roots: [
    { id: randomness.bytes(32) as ChunkId, kind: 'node' },
    { id: randomness.bytes(32) as ChunkId, kind: 'data' },
  ],
  seen: { count: 2, digest: randomness.bytes(32) },
  body: new Map([[1, 'anything']]),
};
const bytes = encodeManifest(ring, manifest, { randomness });

test('a manifest is read as it was written', () => {
  assert.deepEqual(decodeManifest(ring, bytes, id), manifest);
  const first = { ...manifest, previous: null, roots: [], body: null };
  assert.deepEqual(decodeManifest(ring, encodeManifest(ring, first, { randomness }), id), first);
});

test('what stands outside the seal cannot be changed, even with a right checksum', () => {
  const forged = Buffer.from(bytes);
  const at = forged.indexOf('alpha');
  forged.write('omega', at);
  const end = 100 + forged.readUInt32LE(96);
  forged.set(ring.blake3.hash(forged.subarray(0, end)).subarray(0, 16), end);
  assert.throws(() => decodeManifest(ring, forged, id), { code: 'STORE_DAMAGED' });
});

test('a manifest of another name, cut short, or with a clear part as long as it likes is refused', () => {
  const other = '0'.repeat(64) as SnapshotId;
  assert.throws(() => decodeManifest(ring, bytes, other), { code: 'STORE_DAMAGED' });
  for (let length = 0; length < bytes.length; length += 7)
    assert.throws(() => decodeManifest(ring, bytes.subarray(0, length), id), { code: 'STORE_DAMAGED' });
  const endless = Buffer.from(bytes);
  endless.writeUInt32LE(0xffff_ffff, 96);
  assert.throws(() => decodeManifest(ring, endless, id), { code: 'STORE_DAMAGED' });
});

test('the digest of a set of manifests does not depend on their order', () => {
  const ids = Array.from({ length: 5 }, () => hex(randomness.bytes(32)) as SnapshotId);
  assert.deepEqual(setDigest(context, ids), setDigest(context, [...ids].reverse()));
  assert.notDeepEqual(setDigest(context, ids), setDigest(context, ids.slice(1)));
});
