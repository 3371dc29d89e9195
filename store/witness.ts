import { timingSafeEqual } from 'node:crypto';
import { fromHex, hex, type SnapshotId } from './ids.ts';
import { underLaterKeys } from './keys/index.ts';
import { listKeys, ringName } from './keys/layout.ts';
import { decodeClearPart, manifestBytesMax, manifestName } from './manifest.ts';
import { isForgotten, listForgottenIds, listManifestIds, readAhead } from './manifests.ts';
import { generationName, readGenerations } from './protocol/generations.ts';
import { unlessMissing } from './protocol/sessions.ts';
import { insideOf, type Store } from './store.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What was in a store at one time, for whoever keeps it where the store cannot be reached. */
export interface Witness {
  /** Of the ring in use, `keys/ring-<n>`. */
  readonly ring: number;
  /** The highest under gc/; 0 without any. */
  readonly generation: number;
  /** By id; what is forgotten is left out. */
  readonly snapshots: readonly WitnessedSnapshot[];
}

export interface WitnessedSnapshot {
  readonly id: SnapshotId;
  readonly host: string;
  readonly sequence: number;
  /** BLAKE3 of the manifest's bytes, in hex. */
  readonly digest: string;
}

/** One thing that a witness saw and that is not so now. */
export interface Contradiction {
  readonly object: string;
  readonly state: string;
}

/** What of the keys went back since. Needs no key, so that it can be said of a store that cannot be read. */
export async function keysContradiction(
  store: Store,
  seen: Witness,
  { signal }: CallOptions = {},
): Promise<Contradiction[]> {
  const { ringNumbers } = await listKeys(insideOf(store).context.backend, signal ? { signal } : {});
  return ringsBack(seen, ringNumbers.at(-1) ?? 0);
}

function ringsBack(seen: Witness, ring: number): Contradiction[] {
  if (ring >= seen.ring) return [];
  return [
    { object: ringName(seen.ring), state: `It was there, and the newest now is ${ring}: the keys went back` },
  ];
}

/** Looks at what a witness is to hold. Opens no manifest, so that a write-only host can, too. */
export async function takeWitness(store: Store, options: CallOptions = {}): Promise<Witness> {
  const { context, keys } = insideOf(store);
  return underLaterKeys({ backend: context.backend, keys }, () => lookNow(store, options));
}

async function lookNow(store: Store, options: CallOptions): Promise<Witness> {
  const { context } = insideOf(store);
  const { backend, ring } = context;
  const { signal } = options;
  const call = signal ? { signal } : {};
  const { last } = await readGenerations(context, { signal, reading: 'lenient' });
  const forgotten = await listForgottenIds(context, options);
  const ids = (await listManifestIds(context, options)).filter(id => !forgotten.has(id));
  const snapshots: WitnessedSnapshot[] = [];
  const read = (id: SnapshotId) =>
    unlessMissing(() => backend.get(manifestName(id), { bytesMax: manifestBytesMax, ...call }));
  for await (const [id, reading] of readAhead(ids, read)) {
    const bytes = await reading;
    const part = bytes && decodeClearPart(ring, bytes, id);
    if (bytes === undefined || part === undefined) continue; // forgotten meanwhile, or of an aborted run
    const { host, sequence } = part;
    snapshots.push({ id, host, sequence, digest: hex(ring.blake3.hash(bytes)) });
  }
  const { ringNumbers } = await listKeys(backend, call);
  return { ring: ringNumbers.at(-1) ?? 0, generation: last, snapshots };
}

/**
 * What was seen once and is neither there now nor gone in a way that only a key holder can bring about: a snapshot without
 * the signed record of who forgot it, a manifest with other bytes, generations or keys that went back.
 */
export async function contradictions(
  store: Store,
  { seen, now }: { readonly seen: Witness; readonly now: Witness },
  options: CallOptions = {},
): Promise<Contradiction[]> {
  const { context } = insideOf(store);
  const found: Contradiction[] = [];
  const here = new Map(now.snapshots.map(snapshot => [snapshot.id, snapshot]));
  const newest = newestOf(seen);
  for (const { id, host, sequence, digest } of seen.snapshots) {
    const object = manifestName(id);
    const snapshot = here.get(id);
    if (snapshot === undefined && !(await isForgotten(context, id, options))) {
      const which = newest.get(host) === sequence ? `the newest of ${host}` : `number ${sequence} of ${host}`;
      found.push({
        object,
        state: `It was there, ${which}, and is gone; no holder of the passphrase forgot it`,
      });
    } else if (snapshot !== undefined && snapshot.digest !== digest) {
      found.push({ object, state: 'It has other bytes than it had' });
    }
  }
  if (now.generation < seen.generation)
    found.push({
      object: generationName(seen.generation),
      state: `It was there, and the newest now is ${now.generation}: the store went back`,
    });
  return [...found, ...ringsBack(seen, now.ring)];
}

function newestOf({ snapshots }: Witness): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { host, sequence } of snapshots) newest.set(host, Math.max(sequence, newest.get(host) ?? 0));
  return newest;
}

const version = 1;
const macLineBytes = 4 + 64 + 1;

/** JSON ‖ LF ‖ "mac " hex LF, under a key of the store: readable by anybody, writable by nobody who lacks it. */
export function encodeWitness(store: Store, { ring, generation, snapshots }: Witness): Uint8Array {
  const facts = { witness: version, store: store.id, by: store.host ?? null, ring, generation, snapshots };
  const json = Buffer.from(`${JSON.stringify(facts, null, 1)}\n`);
  return Buffer.concat([json, Buffer.from(`mac ${hex(macOf(store, json))}\n`)]);
}

/** A witness as it was written; else why it is none. */
export function decodeWitness(
  store: Store,
  bytes: Uint8Array,
): Witness | 'of another store' | 'of a newer version' | `kept by ${string}` | 'not what was written' {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const json = file.subarray(0, -macLineBytes);
  const facts = parsed(json.toString('utf8'));
  if (facts === undefined) return 'not what was written';
  if (typeof facts['store'] === 'string' && facts['store'] !== store.id) return 'of another store';
  const by = facts['by'] ?? null;
  // Each key has its own: who lacks the passphrase has no key that its holders keep theirs under.
  if (by !== (store.host ?? null))
    return typeof by === 'string' ? `kept by the write-only host ${by}` : 'kept by who has the passphrase';
  const mac = /^mac ([0-9a-f]{64})\n$/.exec(file.toString('latin1', json.length))?.[1];
  if (mac === undefined || !timingSafeEqual(fromHex(mac), macOf(store, json))) return 'not what was written';
  if (facts['witness'] !== version) return 'of a newer version';
  return facts as unknown as Witness; // the MAC says that it is what was written
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function macOf(store: Store, json: Uint8Array): Uint8Array {
  const { ring } = insideOf(store).context;
  return ring.blake3.keyed(ring.domainKey('store/witness'), json);
}
