import {
  type Backend,
  createStore,
  type Kdf,
  memoryBackend,
  openStore,
  type Seams,
  type Store,
  systemSeams,
} from '../../store/index.ts';

export const testPassphrase = 'correct horse battery staple';

/** Costs about a millisecond. */
export const cheapKdf: Kdf = { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 };

/** A new store in memory, or on another empty backend. */
export async function makeStore({
  backend = memoryBackend(),
  seams = systemSeams,
  like,
}: {
  readonly backend?: Backend;
  readonly seams?: Seams;
  readonly like?: Store;
} = {}): Promise<Store> {
  return createStore(backend, { passphrase: testPassphrase, seams, kdf: cheapKdf, ...(like && { like }) });
}

/** Opens what makeStore made. */
export async function reopenStore(backend: Backend, seams: Seams = systemSeams): Promise<Store> {
  return openStore(backend, { passphrase: testPassphrase, seams });
}
