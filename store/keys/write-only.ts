import type { Backend, CallOptions } from '../backend/backend.ts';
import { configBytesMax, configName, decodeConfig } from '../config.ts';
import { isStoreError, storeError } from '../errors.ts';
import { type Blake3, loadBlake3 } from '../hash.ts';
import { decodeHeader, type Purpose, signerFrom } from '../seal/index.ts';
import { type DomainSecrets, derive, domainKeyFrom } from './hierarchy.ts';
import { decodeHostKey, type HostEpoch, type HostKey } from './host-key.ts';
import { listKeys, type OpenKeys, ringBytesMax, ringName } from './layout.ts';
import { noConfig } from './no-config.ts';
import type { HostRecord, KeyRing } from './ring.ts';

/**
 * Opens a store with the key file of a write-only host. STORE_MISSING; STORE_WRONG_KEY where the file is of another store;
 * or none; STORE_DAMAGED of the store, STORE_NEWER of either.
 */
export async function unlockWithHostKey(
  backend: Backend,
  {
    keyFile,
    file,
    signal,
  }: CallOptions & { readonly keyFile: Uint8Array; readonly file?: string | undefined },
): Promise<OpenKeys> {
  const blake3 = await loadBlake3();
  const key = decodeHostKey(keyFile, blake3, { file });
  const bytes = await readConfigBytes(backend, signal === undefined ? {} : { signal });
  const { config } = decodeConfig(bytes, blake3);
  if (config.storeId !== key.storeId)
    throw wrongKey(
      backend,
      `its store is ${key.storeId.slice(0, 8)}…, and this one ${config.storeId.slice(0, 8)}…`,
    );
  // The MAC of config is not for hosts; who made the key file noted what the file was.
  if (Buffer.compare(blake3.hash(bytes), key.configHash) !== 0)
    throw storeError(
      'STORE_DAMAGED',
      'Cannot read the store’s config: it is not the one that the key was made for',
      {
        remedy: 'Put back the file `config` from a copy of the store.',
        context: { object: configName },
      },
    );
  const ring = hostRing(key, blake3);
  const closed = (): never => {
    throw writeOnly(key.name, 'the key ring');
  };
  return {
    ring,
    config,
    get ringKey() {
      return closed();
    },
    get ringNumber() {
      return closed();
    },
    get body() {
      return closed();
    },
    get slotName() {
      return closed();
    },
    get passphrase() {
      return closed();
    },
    checkRing: closed,
  };
}

async function readConfigBytes(backend: Backend, call: CallOptions): Promise<Uint8Array> {
  try {
    return await backend.get(configName, { ...call, bytesMax: configBytesMax });
  } catch (error) {
    if (!isStoreError(error) || error.code !== 'STORE_OBJECT_MISSING') throw error;
    throw await noConfig(backend, call, error);
  }
}

/** The keys that a host has, in the form of a ring: what it lacks is STORE_WRITE_ONLY. */
export function hostRing(key: HostKey, blake3: Blake3): KeyRing {
  const newest = key.epochs.at(-1);
  if (newest?.keyHolder === undefined)
    throw wrongKey(undefined, newest ? 'it does not say who holds the passphrase' : 'it has no epoch');
  const epochs = new Map(key.epochs.map(epoch => [epoch.number, epoch]));
  const signer = signerFrom(key.signingSeed);
  // What a key holder derives from the store's own secret, a host derives from its own: its cache is for itself alone.
  const domain: DomainSecrets = { ...key.domain, store: derive(key.signingSeed, 'host/store') };
  const own: HostRecord = {
    name: key.name,
    publicKey: signer.publicKey,
    fromEpoch: key.epochs[0]!.number,
    createdMs: key.createdMs,
  };
  return {
    storeId: key.storeId,
    blake3,
    epoch: newest.number,
    domain,
    hosts: [own],
    self: { name: key.name, signer, ringKeyNumber: key.ringKeyNumber },
    epochSecret() {
      throw writeOnly(key.name, 'an epoch’s secret');
    },
    purposeKey(purpose: Purpose, epoch: number) {
      const known = epochs.get(epoch);
      if (known === undefined && epoch > newest.number) throw outdated(key, epoch);
      if (purpose === 'index') return known?.indexKey;
      throw writeOnly(key.name, purpose === 'data' ? 'contents' : 'listings and manifests');
    },
    recipient: purpose => recipientOf(newest, purpose),
    domainKey: (label, length) => domainKeyFrom(domain, label, length),
    keyHolder(epoch = newest.number) {
      const publicKey = epochs.get(epoch)?.keyHolder;
      if (publicKey === undefined)
        throw wrongKey(undefined, `it does not say who holds the passphrase in epoch ${epoch}`);
      return {
        publicKey,
        sign() {
          throw writeOnly(key.name, 'the signing key of who holds the passphrase');
        },
      };
    },
  };
}

function recipientOf(epoch: HostEpoch, purpose: Purpose): Uint8Array | undefined {
  if (purpose === 'data') return epoch.dataRecipient;
  return purpose === 'metadata' ? epoch.metadataRecipient : undefined;
}

/** How a key file is made anew. */
export const renewCommand = '`stillpoint keys add --write-only --renew FILE -o NEW`';

/**
 * Whether the keys were rotated since a host's key file was made: the store has a ring under a later ring key, whose number
 * stands in clear. A change without a new ring key tells nothing here, and neither does a key file without that number.
 */
export async function isHostKeyOld(
  { backend, ring }: { readonly backend: Backend; readonly ring: KeyRing },
  call: CallOptions,
): Promise<boolean> {
  const known = ring.self?.ringKeyNumber;
  if (known === undefined) return false;
  const newest = (await listKeys(backend, call)).ringNumbers.at(-1);
  if (newest === undefined) return false;
  const name = ringName(newest);
  const bytes = await backend.get(name, { ...call, bytesMax: ringBytesMax });
  try {
    return decodeHeader(bytes, ring.blake3, name).epoch > known;
  } catch (error) {
    if (isStoreError(error)) return false; // junk that anybody may have put there tells nothing
    throw error;
  }
}

/** What a write-only host cannot do, and who can. */
export function writeOnly(host: string, what: string): Error {
  return storeError('STORE_WRITE_ONLY', `Cannot open ${what}: the key of ${host} may write only`, {
    remedy: 'Do it where the passphrase is, with STILLPOINT_PASSPHRASE_FILE or passphraseFile.',
    context: { host },
  });
}

function outdated({ name }: HostKey, epoch: number): Error {
  return storeError(
    'STORE_KEY_OLD',
    `Cannot open what was written in epoch ${epoch}: the key of ${name} is older`,
    {
      remedy: `The keys of the store were changed since the key file was made, or this host was removed: \`stillpoint keys list\`, where the passphrase is, says which. Renew the file there: ${renewCommand}; a host that was removed is added anew.`,
      context: { host: name, epoch },
    },
  );
}

function wrongKey(backend: Backend | undefined, state: string): Error {
  const where = backend === undefined ? 'a store' : `the store in ${backend.location}`;
  return storeError('STORE_WRONG_KEY', `Cannot open ${where} with this key file: ${state}`, {
    remedy: 'Use the key file that `stillpoint keys add --write-only` made for this host and store.',
  });
}
