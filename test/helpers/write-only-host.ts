import {
  type Backend,
  type MemoryBackend,
  memoryBackend,
  newWriteOnlyHost,
  openStoreAsHost,
  type Store,
  systemSeams,
} from '../../store/index.ts';
import { makeStore, reopenStore } from './stores.ts';

/** Lists a write-only host, and gives its key file. */
export async function addHost(backend: Backend, name: string): Promise<Uint8Array> {
  await using store = await reopenStore(backend);
  const { keyFile, list } = await newWriteOnlyHost(store, { name });
  await list();
  return keyFile;
}

export function openAsHost(backend: Backend, keyFile: Uint8Array): Promise<Store> {
  return openStoreAsHost(backend, { keyFile, seams: systemSeams });
}

/** A store in memory with one write-only host. */
export async function storeWithHost(
  name = 'attic',
): Promise<{ backend: MemoryBackend; keyFile: Uint8Array }> {
  const backend = memoryBackend();
  await makeStore({ backend });
  return { backend, keyFile: await addHost(backend, name) };
}
