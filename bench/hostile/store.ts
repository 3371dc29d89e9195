import { encodeHomeEntry } from '../../engine/home/entries/entry.ts';
import type { BytePath } from '../../engine/home/paths.ts';
import type { Pair } from '../../engine/pair.ts';
import { encodePair } from '../../engine/pair-codec.ts';
import {
  beginPrune,
  type CborValue,
  type ChunkId,
  type Clock,
  createStore,
  decodeCbor,
  type Entry,
  encodeCbor,
  ListingBuilder,
  memoryBackend,
  openStore,
  type SessionId,
  type Store,
  systemSeams,
} from '../../store/index.ts';
import type { KeyRing } from '../../store/keys/index.ts';
import {
  damageRecord,
  holdRecord,
  intentRecord,
  ledgerRecord,
  sessionRecord,
} from '../../store/protocol/records.ts';
import { sealRecord } from '../../store/record.ts';
import {
  createSeal,
  decodeHeader,
  headerBytes,
  type ObjectKind,
  type ObjectSeal,
  openSeal,
} from '../../store/seal/index.ts';
import { insideOf } from '../../store/store.ts';
import type { Random } from './random.ts';
import { mutated } from './values.ts';

const passphrase = 'correct horse battery staple';
/** Time that goes by without anybody waiting for it. */
const clock: Clock = (() => {
  let passedMs = 0;
  const nowMs = (): number => Date.UTC(2026, 0, 1) + ++passedMs;
  return {
    nowMs,
    nowNs: () => BigInt(nowMs()) * 1_000_000n,
    monotonicMs: () => ++passedMs,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      passedMs += ms;
    },
    every: () => () => undefined,
  };
})();
const seams = { clock, randomness: systemSeams.randomness };

export type Objects = ReadonlyMap<string, Uint8Array>;

/** Opens a store whose objects are these. */
export function openObjects(objects: Objects): Promise<Store> {
  return openStore(memoryBackend({ objects }), { passphrase, seams });
}

/** A small store with a record of nearly every kind, and the keys to make hostile ones of them. */
export interface BaseStore {
  readonly objects: Objects;
  readonly ring: KeyRing;
}

const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0').repeat(32);

export async function baseStore(): Promise<BaseStore> {
  const backend = memoryBackend();
  const store = await createStore(backend, {
    passphrase,
    seams,
    kdf: { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 },
  });
  const first = await commitHome(store, ['a']);
  await commitHome(store, ['a', 'b']);
  await using prune = await beginPrune(store, { host: 'h' });
  await prune.forget(first, { reason: 'no rule keeps it' });
  await prune.reclaim();
  await prune[Symbol.asyncDispose]();
  await commitHome(store, ['a', 'b', 'c']);
  const { ring } = insideOf(store).context;
  const last = [...backend.snapshot().keys()]
    .find(name => name.startsWith('manifests/'))!
    .slice('manifests/'.length);
  const pack = [...backend.snapshot().keys()]
    .find(name => name.startsWith('packs/'))!
    .slice('packs/00/'.length);
  const put = async (
    name: string,
    kind: ObjectKind,
    fields: ReadonlyMap<number, CborValue>,
  ): Promise<void> => {
    await backend.put(
      name,
      sealRecord(ring, { kind, session: hexOf(1) as SessionId, name, randomness: seams.randomness }, fields),
    );
  };
  await put(
    `holds/${last}.1`,
    'hold',
    holdRecord.encode({
      snapshot: last as never,
      version: 1,
      isHeld: true,
      changedMs: 1,
      reason: 'before an upgrade',
    }),
  );
  await put(
    `ledger/${hexOf(2)}`,
    'ledger',
    ledgerRecord.encode({
      act: 'verified',
      host: 'h',
      finishedMs: 1,
      isOk: true,
      snapshots: [last as never],
      packs: [pack as never],
      detail: null,
    }),
  );
  await put(
    `damage/${hexOf(3)}`,
    'damage',
    damageRecord.encode({
      pack: pack as never,
      ordinals: [0],
      foundMs: 1,
      lost: [new Uint8Array(32) as ChunkId],
    }),
  );
  await put(
    `sessions/${hexOf(4)}`,
    'session',
    sessionRecord.encode({ purpose: 'backup', host: 'h', startedMs: 1, snapshots: [last as never] }),
  );
  await put(`intents/${hexOf(4)}`, 'intent', intentRecord.encode({ host: 'h', roots: [] }));
  return { objects: backend.snapshot(), ring };
}

async function commitHome(store: Store, names: readonly string[]) {
  await using session = await store.beginBackup({ host: 'h' });
  const builder = new ListingBuilder(session, store.cuts.nodes);
  const entries: Entry[] = [entryOf('', 'folder')];
  for (const name of names) {
    const bytes = Buffer.from(`${name} `.repeat(500));
    const id = await session.put(bytes, 'data');
    entries.push(
      entryOf(name, 'file', {
        length: bytes.length,
        extents: [{ kind: 'chunk', id, offset: 0, length: bytes.length }],
      }),
    );
  }
  for (const entry of entries) await builder.add(entry);
  const { roots, body } = encodePair(pairOf(await builder.finish(), names.length));
  return await session.commit({ roots, body });
}

function entryOf(path: string, kind: 'file' | 'folder', content?: Entry['contents'][number]): Entry {
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const times = {
    mtimeNs: 0n,
    ctimeNs: 0n,
    inode: 1n,
    fileSystem: 0,
    xattrs: [],
    unsettled: false,
    linked: false,
  };
  return encodeHomeEntry({ path: path as BytePath, kind, mode: 0o755, ...owner, ...times, content });
}

/** A pair with a home and without a database, that was not latched. */
export function pairOf(listing: { id: ChunkId; level: number; entries: number }, files: number): Pair {
  const none = {
    lockRequestedAtMs: null,
    lockedAtMs: null,
    drainedAtMs: null,
    capturedAtMs: null,
    unlockedAtMs: null,
  };
  return {
    instance: 'bitbucket',
    timeMs: 1_700_000_000_000,
    durationMs: 1,
    tags: ['t'],
    parent: null,
    program: '0.1.0',
    fence: {
      kind: 'none',
      application: { type: 'none', version: '', displayName: '', identity: '' },
      taskId: null,
      ...none,
      ...{ lockMs: 0, drainMs: 0, captureMs: 0, unlockMs: 0, heldMs: 0 },
    },
    forecast: { captureMs: 0, heldMs: 0 },
    home: {
      roots: [{ path: Buffer.from('/srv/home'), listing }],
      ...{ files, folders: 1, bytes: files * 1_000, changed: files, changedInLatch: 0, unreadable: [] },
    },
    database: null,
    configuration: '{"instance":"bitbucket"}',
    warnings: [],
    commands: [],
  };
}

/** Sealed and signed by a key holder, whatever it says: bytes that are no structured data, too. */
export function sealBody(seal: ObjectSeal, ring: KeyRing, body: Uint8Array): Uint8Array {
  const signature = ring.keyHolder().sign(seal.signedBytes(body));
  return seal.seal(0n, Buffer.concat([Uint8Array.of(signature.length), signature, body]));
}

/** A manifest as its parts say, true or not. */
export function sealManifest(
  ring: KeyRing,
  { id, outer, body }: { readonly id: string; readonly outer: Uint8Array; readonly body: Uint8Array },
): Uint8Array {
  const seal = createSeal(ring, {
    kind: 'manifest',
    session: id as SessionId,
    name: `manifests/${id}`,
    randomness: seams.randomness,
  });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(outer.length);
  const clear = Buffer.concat([seal.header, length, outer]);
  return Buffer.concat([clear, ring.blake3.hash(clear).subarray(0, 16), sealBody(seal, ring, body)]);
}

/** A store with one thing in it that somebody with the keys, or without, has made. */
export function hostileObjects(random: Random, { objects, ring }: BaseStore): Objects {
  const made = new Map(objects);
  const names = [...objects.keys()].filter(name => !name.startsWith('keys/') && name !== 'config').sort();
  const name = random.pick(names);
  switch (random.below(8)) {
    case 0:
      made.set(
        strangeName(random),
        random.chance(0.5) ? random.bytes(random.below(300)) : objects.get(name)!,
      );
      break;
    case 1:
      made.delete(name);
      break;
    case 2: {
      const bytes = Buffer.from(
        objects.get(
          random.pick([...names, 'config', ...[...objects.keys()].filter(one => one.startsWith('keys/'))]),
        )!,
      );
      made.set(name, random.chance(0.5) ? bytes : bytes.subarray(0, random.below(bytes.length)));
      break;
    }
    default:
      made.set(name, resealed(random, { ring, name, bytes: objects.get(name)! }));
  }
  return made;
}

function strangeName(random: Random): string {
  const id = random.bytes(32).toString('hex');
  return random.pick([
    `manifests/${id}`,
    `forgotten/${id}`,
    `index/${id}`,
    `packs/${id.slice(32, 34)}/${id}`,
    `damage/${id}`,
    `ledger/${id}`,
    `gc/999999999999999`,
    `gc/2`,
    `gc/2.done`,
    'gc/x',
    `sessions/${id}`,
    `sessions/${id}.999999`,
    `intents/${id}`,
    `holds/${id}.1`,
    `parity/${id}`,
    'keys/ring-2',
    `keys/${id}`,
    'unknown/x',
    `packs/00/${id}`,
  ]);
}

/** The same object with other contents, opened and sealed again with the right keys. */
function resealed(
  random: Random,
  { ring, name, bytes }: { readonly ring: KeyRing; readonly name: string; readonly bytes: Uint8Array },
): Uint8Array {
  const { kind, session } = decodeHeader(bytes, ring.blake3, name);
  if (kind === 'data-pack' || kind === 'metadata-pack') return flipped(random, bytes);
  const opened = openSeal(ring, bytes, { kind, name });
  const seal = createSeal(ring, { kind, session, name, randomness: seams.randomness });
  if (kind !== 'manifest') {
    const body = recordBody(opened, bytes.subarray(headerBytes));
    return Buffer.concat([seal.header, sealBody(seal, ring, otherBody(random, body))]);
  }
  const outerEnd = headerBytes + 4 + Buffer.from(bytes).readUInt32LE(headerBytes);
  const outer = bytes.slice(headerBytes + 4, outerEnd);
  const body = recordBody(opened, bytes.subarray(outerEnd + 16));
  const id = name.slice('manifests/'.length);
  if (random.chance(0.1)) return sealManifest(ring, { id, outer: otherBody(random, outer), body });
  if (random.chance(0.15)) {
    const both = otherBody(random, outer);
    const fields = new Map(decodeCbor(body) as ReadonlyMap<number, CborValue>).set(1, both);
    return sealManifest(ring, { id, outer: both, body: encodeCbor(fields) });
  }
  return sealManifest(ring, { id, outer, body: otherBody(random, body) });
}

function recordBody(seal: ObjectSeal, sealed: Uint8Array): Uint8Array {
  const plain = seal.open(0n, sealed);
  return plain.slice(1 + plain[0]!);
}

/** Another value, or bytes that are none. */
function otherBody(random: Random, body: Uint8Array): Uint8Array {
  if (random.chance(0.15)) return flipped(random, body);
  try {
    return encodeCbor(mutated(random, decodeCbor(body)));
  } catch {
    return body;
  }
}

function flipped(random: Random, bytes: Uint8Array): Uint8Array {
  const other = Buffer.from(bytes);
  other[random.below(other.length)]! ^= 1 << random.below(8);
  return new Uint8Array(other);
}
