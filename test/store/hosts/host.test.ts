import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Backend,
  dismissWriteOnlyHost,
  forgetSnapshot,
  isStoreError,
  newWriteOnlyHost,
  readHolds,
  renewWriteOnlyHost,
  type Store,
  setHold,
  storeError,
  verifyStore,
} from '../../../store/index.ts';
import { beginPrune } from '../../../store/prune.ts';
import { insideOf } from '../../../store/store.ts';
import { collect } from '../../helpers/collect.ts';
import { checkWhole, drop, namesOf, prune } from '../../helpers/prune-rig.ts';
import { commitFiles, readFiles } from '../../helpers/small-store.ts';
import { makeStore, reopenStore } from '../../helpers/stores.ts';
import { addHost, openAsHost, storeWithHost } from '../../helpers/write-only-host.ts';

const files = new Map<string, Buffer>([
  ['a', Buffer.from('what only a key holder may read\n'.repeat(40))],
  ['b', Buffer.from('and this\n'.repeat(50))],
]);
const withCode = (code: string) => (error: unknown) => isStoreError(error) && error.code === code;

test('what a write-only host commits a key holder reads, and the host does not', async () => {
  const { backend, keyFile } = await storeWithHost();
  const host = await openAsHost(backend, keyFile);
  const snapshot = await commitFiles(host, files, { host: 'somebody else' });
  await checkWhole(backend, [snapshot]);
  const holder = await reopenStore(backend);
  const [manifest] = await collect(holder.snapshots());
  assert.equal(manifest?.host, 'attic');
  assert.equal(manifest?.isWriteOnly, true);

  const refused: ((store: Store) => Promise<unknown>)[] = [
    store => collect(store.snapshots()),
    store => store.manifest(snapshot.id),
    store => store.resolve(snapshot.id.slice(0, 8)),
    store => readFiles(store, snapshot.root),
    store => store.get(snapshot.root.id, 'metadata'),
    store => verifyStore(store),
    store => beginPrune(store, { host: 'attic' }),
    store => forgetSnapshot(store, snapshot.id, { reason: 'a test' }),
    store => setHold(store, snapshot.id, { isHeld: true, reason: 'a test' }),
  ];
  for (const attempt of refused) await assert.rejects(attempt(host), withCode('STORE_WRITE_ONLY'));
  await setHold(holder, snapshot.id, { isHeld: true, reason: 'a test' });
  await assert.rejects(readHolds(host), withCode('STORE_WRITE_ONLY'));
});

test('nothing in a host’s key opens a pack or a manifest that it or anybody else sealed', async () => {
  const { backend, keyFile } = await storeWithHost();
  const holder = await reopenStore(backend);
  const own = await commitFiles(holder, files);
  const host = await openAsHost(backend, keyFile);
  const theirs = await commitFiles(host, new Map([['c', Buffer.from('of the host\n'.repeat(30))]]));
  const { ring } = insideOf(host).context;
  // Every secret that the key file has or that the program derives from it, tried as the key of everything.
  const secrets = [
    ring.purposeKey('index', 1)!,
    ring.recipient!('data')!,
    ring.recipient!('metadata')!,
    ...Object.values(ring.domain),
    keyFile.subarray(-48, -16),
  ];
  const { openSeal } = await import('../../../store/seal/index.ts');
  const { headerBytes } = await import('../../../store/seal/index.ts');
  let tried = 0;
  for (const [name, bytes] of backend.snapshot()) {
    const kinds = name.startsWith('packs/')
      ? (['data-pack', 'metadata-pack'] as const)
      : name.startsWith('manifests/')
        ? (['manifest'] as const)
        : undefined;
    if (kinds === undefined) continue;
    for (const secret of secrets) {
      const keys = { storeId: ring.storeId, blake3: ring.blake3, epoch: 1, purposeKey: () => secret };
      const seal = openSeal(keys, bytes, { kind: kinds, name });
      const part = bytes.subarray(headerBytes, Math.min(bytes.length, headerBytes + 200));
      for (const ordinal of [0n, 2n ** 64n - 1n]) assert.throws(() => seal.open(ordinal, part));
      tried += 1;
    }
  }
  assert.ok(tried >= 6 * secrets.length, `${tried}`);
  await assert.rejects(readFiles(host, own.root), withCode('STORE_WRITE_ONLY'));
  await assert.rejects(readFiles(host, theirs.root), withCode('STORE_WRITE_ONLY'));
});

test('a host stores nothing twice that it wrote before, and a key holder takes nothing of it for stored', async () => {
  const { backend, keyFile } = await storeWithHost();
  await commitFiles(await openAsHost(backend, keyFile), files);
  const packs = namesOf(backend, 'packs/').length;
  await commitFiles(await openAsHost(backend, keyFile), files);
  assert.equal(namesOf(backend, 'packs/').length, packs);
  const holder = await reopenStore(backend);
  const snapshot = await commitFiles(holder, files);
  assert.ok(namesOf(backend, 'packs/').length > packs);
  assert.ok(
    (await collect(holder.snapshots())).some(({ id, isWriteOnly }) => id === snapshot.id && !isWriteOnly),
  );
});

test('a prune keeps what hosts need, gives them copies to build on, and counts nobody’s copy that was not read', async () => {
  const { backend, keyFile } = await storeWithHost();
  const many = (from: number, to: number) =>
    new Map(
      Array.from({ length: to - from }, (_, i) => [
        `f${from + i}`,
        Buffer.from(`line ${from + i} `.repeat(90)),
      ]),
    );
  const first = await commitFiles(await openAsHost(backend, keyFile), many(0, 40));
  const second = await commitFiles(await openAsHost(backend, keyFile), many(30, 40));
  const holder = await reopenStore(backend);
  await drop(holder, first);
  await checkWhole(backend, [second]);
  const packs = namesOf(backend, 'packs/').length;
  const third = await commitFiles(await openAsHost(backend, keyFile), many(30, 40));
  assert.equal(namesOf(backend, 'packs/').length, packs, 'copies of a prune are as good as its own');
  await checkWhole(backend, [second, third]);

  // Both have the same bytes: the key holder's copy is what stays, and goes with its snapshot no sooner.
  const own = await commitFiles(holder, many(30, 40));
  await drop(holder, second, third);
  await checkWhole(backend, [own]);
});

test('sequence is the host’s own, also where others claim its name', async () => {
  const { backend, keyFile } = await storeWithHost();
  const other = await addHost(backend, 'other');
  const first = await commitFiles(await openAsHost(backend, keyFile), files);
  await commitFiles(await openAsHost(backend, other), files);
  const second = await commitFiles(
    await openAsHost(backend, keyFile),
    new Map([...files, ['c', Buffer.from('new')]]),
  );
  const manifests = await collect((await reopenStore(backend)).snapshots());
  const find = (id: string) => manifests.find(manifest => manifest.id === id);
  assert.equal(find(second.id)?.sequence, 2);
  assert.equal(find(second.id)?.previous, first.id);
  const host = await openAsHost(backend, keyFile);
  assert.deepEqual(
    (await collect(host.clearParts()))
      .filter(part => part.host === 'attic')
      .map(part => part.sequence)
      .sort(),
    [1, 2],
  );
});

test('a dismissed host writes nothing that counts, and the others go on with a new key file', async () => {
  const { backend, keyFile } = await storeWithHost('attic');
  const other = await addHost(backend, 'other');
  const before = await commitFiles(await openAsHost(backend, keyFile), files);
  const holder = await reopenStore(backend);
  assert.deepEqual(await dismissWriteOnlyHost(holder, { name: 'attic' }), ['other']);
  const anew = await reopenStore(backend);
  await assert.rejects(dismissWriteOnlyHost(anew, { name: 'attic' }), withCode('STORE_HOST_REFUSED'));
  await commitFiles(anew, new Map([['d', Buffer.from('of the new epoch')]]));
  // Its key file has no key of the new epoch, in which the store is read from now on.
  await assert.rejects(
    openAsHost(backend, keyFile).then(store => commitFiles(store, files)),
    withCode('STORE_KEY_OLD'),
  );
  await assert.rejects(renewWriteOnlyHost(anew, { keyFile }), withCode('STORE_HOST_REFUSED'));
  const renewed = await renewWriteOnlyHost(anew, { keyFile: other });
  assert.equal(renewed.name, 'other');
  const after = await commitFiles(await openAsHost(backend, renewed.keyFile), files);
  await checkWhole(backend, [before, after], { others: true });
  const again = await newWriteOnlyHost(anew, { name: 'attic' });
  await again.list();
  await commitFiles(await openAsHost(backend, again.keyFile), files);
});

test('a dismissed host stops when others have written since, and not before', async () => {
  const { backend, keyFile } = await storeWithHost('attic');
  const commit = async () => commitFiles(await openAsHost(backend, keyFile), files);
  await dismissWriteOnlyHost(await reopenStore(backend), { name: 'attic' });
  const late = await commit();
  const holder = await reopenStore(backend);
  assert.ok((await collect(holder.snapshots())).some(({ id }) => id === late.id));
  await commitFiles(holder, new Map([['d', Buffer.from('of the new epoch')]]));
  await assert.rejects(commit, withCode('STORE_KEY_OLD'));
});

test('a host backs up again and again where nothing may be deleted, and a later prune clears up', async () => {
  const { backend, keyFile } = await storeWithHost();
  const appendOnly: Backend = {
    ...backend,
    delete: async name => {
      throw storeError('STORE_WRITE_FAILED', `Cannot delete ${name}: it is not allowed`);
    },
  };
  const snapshots = [];
  for (const note of ['one', 'two', 'three'])
    snapshots.push(
      await commitFiles(
        await openAsHost(appendOnly, keyFile),
        new Map([...files, [note, Buffer.from(note)]]),
      ),
    );
  assert.ok(namesOf(backend, 'sessions/').length >= 3);
  await prune(await reopenStore(backend));
  assert.deepEqual(namesOf(backend, 'sessions/'), []);
  await checkWhole(backend, snapshots);
});

test('a key file of another store, or one that is none, opens nothing', async () => {
  const { keyFile } = await storeWithHost();
  const other = await storeWithHost();
  await assert.rejects(openAsHost(other.backend, keyFile), withCode('STORE_WRONG_KEY'));
  const broken = Uint8Array.from(keyFile);
  broken[40]! ^= 1;
  await assert.rejects(openAsHost(other.backend, broken), withCode('STORE_WRONG_KEY'));
  const holder = await makeStore();
  await assert.rejects(newWriteOnlyHost(holder, { name: 'key holder' }), withCode('STORE_HOST_REFUSED'));
  await assert.rejects(newWriteOnlyHost(holder, { name: '' }), withCode('STORE_HOST_REFUSED'));
});
