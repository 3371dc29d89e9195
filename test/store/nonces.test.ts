import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { after, test } from 'node:test';
import { loadBlake3 } from '../../store/hash.ts';
import {
  addKeySlot,
  beginPrune,
  forgetSnapshot,
  hex,
  memoryBackend,
  rotateKeys,
  type SessionId,
  type StoreId,
  setHold,
  storeError,
  systemSeams,
} from '../../store/index.ts';
import { createSeal, createSealTo, recipientPublicKey } from '../../store/seal/index.ts';
import { insideOf } from '../../store/store.ts';
import { observedBackend } from '../helpers/faulty-backend.ts';
import { commitFiles } from '../helpers/small-store.ts';
import { cheapKdf, makeStore, reopenStore } from '../helpers/stores.ts';

/** Every encryption of this process: under which key and nonce, and what of. */
const seen = new Map<string, { readonly what: string; count: number }>();
const keys = new Set<string>();
let encryptions = 0;

const digest = (parts: readonly Uint8Array[]): string =>
  crypto.createHash('sha256').update(Buffer.concat(parts)).digest('hex');

// What the store imports by name is the module's own binding, which this renews: so nothing encrypts past it.
const { createCipheriv } = crypto;
crypto.createCipheriv = ((algorithm: 'aes-256-gcm', key: Buffer, nonce: Buffer, options: never) => {
  const cipher = createCipheriv(algorithm, key, nonce, options);
  const { update, setAAD, final } = cipher;
  const [plain, context]: [Uint8Array[], Uint8Array[]] = [[], []];
  cipher.update = ((bytes: Uint8Array) => {
    plain.push(bytes.slice());
    return (update as (bytes: Uint8Array) => Buffer).call(cipher, bytes);
  }) as never;
  cipher.setAAD = ((bytes: Buffer) => {
    context.push(bytes);
    return setAAD.call(cipher, bytes);
  }) as never;
  cipher.final = (() => {
    assert.equal(algorithm, 'aes-256-gcm');
    encryptions += 1;
    keys.add(hex(key));
    const pair = `${hex(key)} ${hex(nonce)}`;
    const what = `${digest(plain)} ${digest(context)}`;
    const known = seen.get(pair);
    assert.equal(known?.what ?? what, what, 'one key and nonce for two plaintexts');
    seen.set(pair, { what, count: (known?.count ?? 0) + 1 });
    return (final as () => Buffer).call(cipher);
  }) as never;
  return cipher;
}) as typeof createCipheriv;
syncBuiltinESMExports();
after(() => {
  crypto.createCipheriv = createCipheriv;
  syncBuiltinESMExports();
});

test('no key and nonce recur in a busy store: chunks stored twice, puts retried, packs rewritten, keys rotated', async () => {
  const memory = memoryBackend();
  await makeStore({ backend: memory });
  // Every third manifest is created and answered by an error: then it is put again.
  let puts = 0;
  const medium = observedBackend(memory, ({ operation, name }) => {
    if (operation !== 'put' || !name.startsWith('manifests/')) return undefined;
    puts += 1;
    return puts % 3 === 0
      ? { when: 'after', error: storeError('STORE_WRITE_FAILED', 'the acknowledgement is lost') }
      : undefined;
  });
  const store = await reopenStore(medium);
  const filesOf = (day: number) =>
    new Map(
      Array.from({ length: 40 }, (_, index): [string, Buffer] => [
        `file ${index}`,
        // From 128 KiB on a chunk has a frame of its own.
        Buffer.alloc(index < 8 ? 140_000 : 300, `${index % 4 === 0 ? day : 0} of file ${index}\n`),
      ]),
    );
  const snapshots = [];
  for (let day = 1; day <= 12; day += 1) {
    snapshots.push(await commitFiles(store, filesOf(day)));
    if (day % 3 === 0) await rotateKeys(store, { otherPassphrases: [], dropsOthers: true });
    if (day === 4) await addKeySlot(store, { passphrase: 'second', label: '', kdf: cheapKdf });
  }
  // Two sessions that do not know of each other put the same chunks.
  const twins = [await store.beginBackup({ host: 'one' }), await store.beginBackup({ host: 'two' })];
  for (const twin of twins) {
    const id = await twin.put(Buffer.alloc(5000, 'the same in both'), 'data');
    await twin.commit({ roots: [{ id, kind: 'data' }], body: null });
  }
  await setHold(store, snapshots[0]!.id, { isHeld: true, reason: 'a test' });
  for (const { id } of snapshots.slice(1, 6)) await forgetSnapshot(store, id, { reason: 'a test' });
  for (let round = 0; round < 2; round += 1) {
    await using prune = await beginPrune(store, { host: 'one', silenceMs: 0 });
    await prune.reclaim();
  }
  assert.ok(encryptions > 150, `${encryptions} encryptions`);
  const repeated = [...seen.values()].filter(({ count }) => count > 1);
  assert.deepEqual(repeated, [], 'not even for the same bytes');
  const { domain, keyHolder } = insideOf(store).context.ring;
  for (const secret of [...Object.values(domain), keyHolder().publicKey]) assert.ok(!keys.has(hex(secret)));
});

test('where randomness repeats, as on a machine that was copied, a nonce still belongs to one plaintext', async () => {
  const blake3 = await loadBlake3();
  const randomness = { bytes: (count: number) => new Uint8Array(count).fill(7) };
  const { ring } = insideOf(await makeStore()).context;
  const session = hex(systemSeams.randomness.bytes(32)) as SessionId;
  const options = { kind: 'data-pack', session, name: 'packs/ab/one', randomness } as const;
  const recipient = recipientPublicKey(ring.purposeKey('data', 1)!);
  const place = { storeId: ring.storeId as StoreId, epoch: 1, blake3 };
  const before = seen.size;
  for (let index = 0; index < 300; index += 1) {
    const plain = Buffer.from(`copy ${index}`);
    createSeal(ring, options).seal(0n, plain);
    createSealTo(recipient, place, options).seal(BigInt(index), Buffer.from('equal'));
  }
  assert.equal(seen.size - before, 600);
});
