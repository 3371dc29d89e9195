import type { CallOptions } from '../backend/backend.ts';
import { configBytesMax, configName } from '../config.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { signerFrom } from '../seal/index.ts';
import { decodeHostKey, encodeHostKey, type HostKey, hostEpochFrom } from './host-key.ts';
import { listKeys, type OpenKeys } from './layout.ts';
import { putNextRing, refuseUnlessNewest } from './next-ring.ts';
import type { HostRecord, RingBody } from './ring.ts';

type KeyContext = Pick<StoreContext, 'backend' | 'ring' | 'seams'>;

/** A host that is not listed yet. */
export interface NewHost {
  /** What the host has in place of a passphrase: to be written down before it is listed. */
  readonly keyFile: Uint8Array;
  /** Lists it in a new ring: from here on its signature counts. STORE_LOCKED where the keys were changed meanwhile. */
  list(): Promise<void>;
}

const nameBytesMax = 200;

/** Makes the keys of a write-only host. STORE_HOST_REFUSED for a name that is none, or taken. */
export async function newHost(
  context: KeyContext,
  keys: OpenKeys,
  { name, call }: { readonly name: string; readonly call: CallOptions },
): Promise<NewHost> {
  const { ring, seams } = context;
  checkName(name);
  if (activeHost(keys.body, name) !== undefined)
    throw refused(`Cannot add the write-only host ${name}: there is one already`, {
      remedy: `Dismiss it first with \`stillpoint keys remove --host ${name}\`, or make its key file anew with --renew.`,
    });
  const signingSeed = seams.randomness.bytes(32);
  const createdMs = seams.clock.nowMs();
  const host: HostRecord = {
    name,
    publicKey: signerFrom(signingSeed).publicKey,
    fromEpoch: ring.epoch,
    keyEpoch: ring.epoch,
    createdMs,
  };
  return {
    keyFile: await keyFileOf(context, keys, { name, signingSeed, createdMs, call }),
    list: () => putRing(context, keys, { body: { ...keys.body, hosts: [...keys.body.hosts, host] }, call }),
  };
}

/**
 * A key file for the same host with the keys of every epoch until now; listing it notes that it has them. STORE_HOST_REFUSED
 * unless the host is listed.
 */
export async function renewHost(
  context: KeyContext,
  keys: OpenKeys,
  {
    keyFile,
    file,
    call,
  }: { readonly keyFile: Uint8Array; readonly file?: string | undefined; readonly call: CallOptions },
): Promise<NewHost & { readonly name: string }> {
  const { ring } = context;
  const { storeId, name, signingSeed, createdMs } = decodeHostKey(keyFile, ring.blake3, { file });
  const { publicKey } = signerFrom(signingSeed);
  const listed = keys.body.hosts.find(host => Buffer.compare(host.publicKey, publicKey) === 0);
  if (storeId !== ring.storeId || listed === undefined || listed.untilEpoch !== undefined)
    throw refused(`Cannot renew the key file of ${name}: this store does not list it, or has dismissed it`, {
      remedy: 'See `stillpoint keys list`, and add the host with another name.',
    });
  const keyEpoch = ring.epoch;
  const hosts = keys.body.hosts.map(host => (host === listed ? { ...host, keyEpoch } : host));
  return {
    name,
    keyFile: await keyFileOf(context, keys, { name, signingSeed, createdMs, call }),
    async list() {
      if (listed.keyEpoch !== keyEpoch) await putRing(context, keys, { body: { ...keys.body, hosts }, call });
    },
  };
}

/**
 * Ends a write-only host: its signature counts no more on what is written from here on, which is of a new epoch that its key
 * file cannot open. The other hosts need a new key file each: their names. STORE_HOST_REFUSED where there is no such host.
 */
export async function dismissHost(
  context: KeyContext,
  keys: OpenKeys,
  { name, call }: { readonly name: string; readonly call: CallOptions },
): Promise<readonly string[]> {
  const { ring, seams } = context;
  const { body } = keys;
  if (activeHost(body, name) === undefined)
    throw refused(`Cannot dismiss the write-only host ${name}: there is none of that name`, {
      remedy: 'See `stillpoint keys list`.',
    });
  const epoch = {
    number: ring.epoch + 1,
    secret: seams.randomness.bytes(32),
    createdMs: seams.clock.nowMs(),
  };
  const hosts = body.hosts.map(host =>
    host.name === name && host.untilEpoch === undefined ? { ...host, untilEpoch: ring.epoch } : host,
  );
  await putRing(context, keys, { body: { ...body, epochs: [...body.epochs, epoch], hosts }, call });
  return hosts.filter(({ untilEpoch }) => untilEpoch === undefined).map(host => host.name);
}

function activeHost({ hosts }: RingBody, name: string): HostRecord | undefined {
  return hosts.find(host => host.name === name && host.untilEpoch === undefined);
}

function checkName(name: string): void {
  const bytes = Buffer.byteLength(name);
  // 'key holder' is who a record names that a passphrase signed.
  if (
    bytes > 0 &&
    bytes <= nameBytesMax &&
    !/[\u0000-\u001f\u007f-\u009f]/.test(name) &&
    name !== 'key holder'
  )
    return;
  throw refused('Cannot add a write-only host: its name is none', {
    remedy: `Give a name in one line of at most ${nameBytesMax} bytes, as of the machine.`,
  });
}

async function keyFileOf(
  { backend, ring }: KeyContext,
  keys: OpenKeys,
  host: Pick<HostKey, 'name' | 'signingSeed' | 'createdMs'> & { readonly call: CallOptions },
): Promise<Uint8Array> {
  const { name, signingSeed, createdMs, call } = host;
  const config = await backend.get(configName, { ...call, bytesMax: configBytesMax });
  const { idsData, idsMetadata, chunker } = ring.domain;
  const key: HostKey = {
    storeId: ring.storeId,
    name,
    signingSeed,
    domain: { idsData, idsMetadata, chunker },
    // All: what prunes did is read from its beginning, and told under the keys of its time.
    epochs: keys.body.epochs.map(({ number }) => hostEpochFrom(ring, number)),
    configHash: ring.blake3.hash(config),
    createdMs,
    ringKeyNumber: keys.ringKey.number,
  };
  return encodeHostKey(key, ring.blake3);
}

/** Creates the next ring under the ring key in use. STORE_LOCKED where another change was first. */
async function putRing(
  context: KeyContext,
  keys: OpenKeys,
  { body, call }: { readonly body: RingBody; readonly call: CallOptions },
): Promise<void> {
  refuseUnlessNewest(keys, (await listKeys(context.backend, call)).ringNumbers);
  await putNextRing(context, keys, { body, ringKey: keys.ringKey });
}

function refused(message: string, { remedy }: { readonly remedy: string }): Error {
  return storeError('STORE_HOST_REFUSED', message, { remedy });
}
