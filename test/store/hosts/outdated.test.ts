import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dismissWriteOnlyHost,
  isStoreError,
  newWriteOnlyHost,
  oldHostKey,
  readKeys,
  renewWriteOnlyHost,
  rotateKeys,
  type Store,
} from '../../../store/index.ts';
import { commitFiles } from '../../helpers/small-store.ts';
import { reopenStore } from '../../helpers/stores.ts';
import { openAsHost, storeWithHost } from '../../helpers/write-only-host.ts';

const files = new Map([['a', Buffer.from('what a host writes\n'.repeat(40))]]);
const rotate = (store: Store) => rotateKeys(store, { otherPassphrases: [], dropsOthers: false });
const toRenew = async (store: Store) =>
  (await readKeys(store)).hosts.filter(({ isToRenew }) => isToRenew).map(({ name }) => name);

test('a host whose key file is older than a rotation goes on, and says so until it is renewed', async () => {
  const { backend, keyFile } = await storeWithHost();
  const holder = await reopenStore(backend);
  assert.equal(await oldHostKey(await openAsHost(backend, keyFile)), undefined);
  assert.deepEqual(await toRenew(holder), []);
  await rotate(holder);
  const old = await openAsHost(backend, keyFile);
  assert.match((await oldHostKey(old))?.remedy ?? '', /keys add --write-only --renew/);
  await commitFiles(old, files);
  assert.deepEqual(await toRenew(holder), ['attic']);

  const renewed = await renewWriteOnlyHost(await reopenStore(backend), { keyFile });
  await renewed.list();
  assert.equal(await oldHostKey(await openAsHost(backend, renewed.keyFile)), undefined);
  assert.deepEqual(await toRenew(await reopenStore(backend)), []);
});

test('other changes of the keys make no host’s key file look old', async () => {
  const { backend, keyFile } = await storeWithHost();
  const other = await newWriteOnlyHost(await reopenStore(backend), { name: 'other' });
  await other.list();
  assert.equal(await oldHostKey(await openAsHost(backend, keyFile)), undefined);
  assert.deepEqual(await toRenew(await reopenStore(backend)), []);
  await dismissWriteOnlyHost(await reopenStore(backend), { name: 'other' });
  assert.deepEqual(await toRenew(await reopenStore(backend)), ['attic']);
});

test('a host that meets what is of a newer epoch is told that its key is old, and how to renew it', async () => {
  const { backend, keyFile } = await storeWithHost();
  const holder = await reopenStore(backend);
  await rotate(holder);
  await commitFiles(holder, files);
  const attempt = openAsHost(backend, keyFile).then(store => commitFiles(store, files));
  await assert.rejects(
    attempt,
    error =>
      isStoreError(error) &&
      error.code === 'STORE_KEY_OLD' &&
      /keys add --write-only --renew/.test(error.remedy ?? ''),
  );
});
