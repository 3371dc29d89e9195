import { dismissHost, isHostKeyOld, type NewHost, newHost, renewCommand, renewHost } from './keys/index.ts';
import { insideOf, type Store } from './store.ts';

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Makes the keys of a write-only host; it may write once `list` was called. STORE_HOST_REFUSED. */
export function newWriteOnlyHost(
  store: Store,
  { name, signal }: CallOptions & { readonly name: string },
): Promise<NewHost> {
  const { context, keys } = insideOf(store);
  return newHost(context, keys, { name, call: signal ? { signal } : {} });
}

/** The key file of a write-only host with the keys of every epoch until now; `list` notes that. STORE_HOST_REFUSED. */
export function renewWriteOnlyHost(
  store: Store,
  { keyFile, file, signal }: CallOptions & { readonly keyFile: Uint8Array; readonly file?: string },
): Promise<NewHost & { readonly name: string }> {
  const { context, keys } = insideOf(store);
  return renewHost(context, keys, { keyFile, file, call: signal ? { signal } : {} });
}

/** Ends a write-only host, and begins a new epoch. Names of the others: each needs a new key file. STORE_HOST_REFUSED. */
export function dismissWriteOnlyHost(
  store: Store,
  { name, signal }: CallOptions & { readonly name: string },
): Promise<readonly string[]> {
  const { context, keys } = insideOf(store);
  return dismissHost(context, keys, { name, call: signal ? { signal } : {} });
}

/** Why what the host that opened this store writes is open to who had keys before, and what to do; else undefined. */
export async function oldHostKey(
  store: Store,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly found: string; readonly remedy: string } | undefined> {
  if (!(await isHostKeyOld(insideOf(store).context, signal ? { signal } : {}))) return undefined;
  return {
    found: `The keys were rotated since the key file of ${store.host} was made: what this host writes can be read with the old ones`,
    remedy: `Renew the key file where the passphrase is: ${renewCommand}.`,
  };
}
