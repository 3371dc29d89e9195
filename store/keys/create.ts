import type { Backend, CallOptions } from '../backend/backend.ts';
import { configName, encodeConfig, newConfig } from '../config.ts';
import { storeError } from '../errors.ts';
import { loadBlake3 } from '../hash.ts';
import { hex, type StoreId } from '../ids.ts';
import type { Seams } from '../seams.ts';
import { defaultKdf, type Kdf } from './kdf.ts';
import { configKey, type OpenKeys, openKeys, ringName } from './layout.ts';
import { makeRing, type RingBody, type RingPlace, sealRing } from './ring.ts';
import { sealSlot } from './slots.ts';

export interface CreateKeysOptions extends CallOptions {
  readonly passphrase: string;
  readonly seams: Seams;
  /** Default: Argon2id with 64 MiB and 3 passes. */
  readonly kdf?: Kdf;
  /** Content is cut and named as in that store, so that both can heal each other; epochs are new all the same. */
  readonly like?: Pick<OpenKeys, 'ring' | 'config'>;
  /** Names the slot, for people; readable without the passphrase. */
  readonly label?: string;
}

/**
 * Makes a store: ring, first slot, and last `config`, which is what makes it one. STORE_EXISTS, STORE_NOT_EMPTY; what
 * an init that died has left stays, and no store is seen there.
 */
export async function createKeys(backend: Backend, options: CreateKeysOptions): Promise<OpenKeys> {
  const { seams, kdf = defaultKdf, like, signal } = options;
  const call = signal === undefined ? {} : { signal };
  await refuseUnlessEmpty(backend, call);
  const blake3 = await loadBlake3();
  const { randomness } = seams;
  const createdMs = seams.clock.nowMs();
  const storeId = hex(randomness.bytes(32)) as StoreId;
  const body: RingBody = {
    domain: {
      idsData: like?.ring.domain.idsData ?? randomness.bytes(32),
      idsMetadata: like?.ring.domain.idsMetadata ?? randomness.bytes(32),
      chunker: like?.ring.domain.chunker ?? randomness.bytes(32),
      store: randomness.bytes(32),
    },
    epochs: [{ number: 1, secret: randomness.bytes(32), createdMs }],
    hosts: [],
  };
  const ring = makeRing(body, { storeId, blake3 });
  const config = newConfig(storeId, like?.config.sizes);
  const ringKey = { number: 1, key: randomness.bytes(32) };
  const place: RingPlace = { storeId, blake3, ringKey, name: ringName(1) };
  const slotName = `keys/${hex(randomness.bytes(32))}`;
  const slot = await sealSlot(ringKey, {
    storeId,
    name: slotName,
    passphrase: options.passphrase,
    kdf,
    createdMs,
    randomness,
    blake3,
    label: options.label ?? '',
  });
  // The ring first: of two inits at once the second stops here and has left nothing.
  await create(backend, place.name, sealRing(body, place, randomness), call);
  await create(backend, slotName, slot, call);
  await create(backend, configName, encodeConfig(config, { macKey: configKey(ring), blake3 }), call);
  const { passphrase } = options;
  return openKeys(ring, { config, passphrase, ringKey, ringNumber: 1, body, slotName });
}

async function create(backend: Backend, name: string, bytes: Uint8Array, call: CallOptions): Promise<void> {
  if ((await backend.put(name, bytes, call)) === 'created') return;
  throw storeError('STORE_EXISTS', `Cannot make a store in ${backend.location}: ${name} appeared meanwhile`, {
    remedy: 'Another `stillpoint init` seems to be at work there: use the store that it makes.',
  });
}

async function refuseUnlessEmpty(backend: Backend, call: CallOptions): Promise<void> {
  let first: string | undefined;
  for await (const { name } of backend.list('', call)) {
    if (name === configName) {
      throw storeError('STORE_EXISTS', `Cannot make a store in ${backend.location}: there is one already`, {
        remedy: 'Use it, or choose another place.',
      });
    }
    first ??= name;
  }
  if (first === undefined) return;
  throw storeError('STORE_NOT_EMPTY', `Cannot make a store in ${backend.location}: it holds ${first}`, {
    remedy:
      'Choose an empty place. An interrupted `stillpoint init` leaves a folder `keys` and nothing else; that may be removed.',
  });
}
