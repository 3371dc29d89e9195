import type { CborValue } from '../../store/cbor.ts';
import { loadZstd } from '../../store/compress.ts';
import { contextOf, type StoreContext } from '../../store/context.ts';
import {
  type ChunkId,
  type Extent,
  hex,
  ListingBuilder,
  memoryBackend,
  type PackId,
  type SessionId,
  type SnapshotId,
  type Store,
  storeExtents,
} from '../../store/index.ts';
import { createKeys, type Kdf } from '../../store/keys/index.ts';
import type { Node } from '../../store/listing/index.ts';
import {
  abortedRecord,
  damageRecord,
  doneRecord,
  forgottenRecord,
  generationRecord,
  heartbeatRecord,
  holdRecord,
  intentRecord,
  ledgerRecord,
  type RecordCodec,
  sessionRecord,
  sweepRecord,
} from '../../store/protocol/records.ts';
import { sealRecord } from '../../store/record.ts';
import type { ObjectKind } from '../../store/seal/index.ts';
import { storeWith } from '../../store/store.ts';
import { seededRandomness, seededSeams } from './seeded.ts';

export const goldenPassphrase = 'correct horse battery staple';
const kdf: Kdf = { type: 'scrypt', cost: 256, blockSize: 8, lanes: 1 };

/** A record of the golden store. */
export interface GoldenRecord {
  readonly name: string;
  readonly kind: ObjectKind;
  readonly codec: RecordCodec<unknown>;
  readonly value: unknown;
}

export interface GoldenStore {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly snapshots: readonly { readonly id: SnapshotId; readonly files: ReadonlyMap<string, Buffer> }[];
  readonly records: readonly GoldenRecord[];
}

/**
 * A store with every kind of object, the same on every run: time and randomness come from a seed, and one implementation
 * of zstd compresses, since others may choose other bytes.
 */
export async function buildGoldenStore(): Promise<GoldenStore> {
  const seams = seededSeams('stillpoint golden store');
  const backend = memoryBackend();
  const keys = await createKeys(backend, { passphrase: goldenPassphrase, seams, kdf, label: 'golden' });
  const zstd = await loadZstd({ prefer: 'wasm' });
  const context = contextOf({ backend, ring: keys.ring, zstd, seams });
  const store = storeWith(context, keys);
  const first = await commit(store, firstFiles(), 'the first');
  const second = await commit(store, new Map([...firstFiles(), ['data/noise', noise(700)]]), 'the second');
  const records = goldenRecords({ first: first.id, random: seededRandomness('stillpoint golden records') });
  for (const record of records) await backend.put(record.name, sealed(context, record));
  return { objects: backend.snapshot(), snapshots: [first, second], records };
}

function sealed({ ring, seams }: StoreContext, { name, kind, codec, value }: GoldenRecord): Uint8Array {
  const session = '5e'.repeat(32) as SessionId;
  return sealRecord(ring, { kind, session, name, randomness: seams.randomness }, codec.encode(value));
}

function noise(length: number): Buffer {
  return Buffer.from(seededRandomness('noise').bytes(length));
}

function firstFiles(): Map<string, Buffer> {
  return new Map([
    ['bin/tool', Buffer.from('the same line again\n'.repeat(40))],
    ['data/many', Buffer.from(Array.from({ length: 40 }, (_, i) => `part ${i}, `).join(''))],
    [
      'data/sparse',
      Buffer.concat([Buffer.alloc(4096), Buffer.from('after the hole'), Buffer.from('kept in place')]),
    ],
    ['empty', Buffer.alloc(0)],
    ['etc/motd', Buffer.from('welcome\n')],
  ]);
}

async function commit(store: Store, files: ReadonlyMap<string, Buffer>, note: string) {
  await using session = await store.beginBackup({ host: 'golden.example' });
  const builder = new ListingBuilder(session, store.cuts.nodes);
  const put = async (bytes: Uint8Array): Promise<Extent> => ({
    kind: 'chunk',
    id: await session.put(bytes, 'data'),
    offset: 0,
    length: bytes.length,
  });
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    let extents: Extent[] = bytes.length === 0 ? [] : [await put(bytes)];
    if (name === 'data/sparse')
      extents = [
        { kind: 'hole', length: 4096 },
        await put(bytes.subarray(4096, -13)),
        { kind: 'inline', bytes: bytes.subarray(-13) },
      ];
    if (name === 'data/many') extents = await Promise.all(inParts(bytes, 40).map(put));
    const contents = [await storeExtents(session, store.cuts.nodes, extents)];
    await builder.add({ key: Buffer.from(name), body: Buffer.from([0x18, name.length + 24]), contents });
  }
  const root = await builder.finish();
  const body = new Map<number, CborValue>([
    [1, note],
    [2, root.id],
    [3, root.level],
    [4, root.entries],
  ]);
  return { id: await session.commit({ roots: [{ id: root.id, kind: 'node' }], body }), files };
}

function inParts(bytes: Buffer, count: number): Buffer[] {
  const size = Math.ceil(bytes.length / count);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size)).filter(
    part => part.length > 0,
  );
}

function goldenRecords({
  first,
  random,
}: {
  first: SnapshotId;
  random: { bytes(count: number): Uint8Array };
}): GoldenRecord[] {
  const id = <Id extends string>(): Id => hex(random.bytes(32)) as Id;
  const ids = <Id extends string>(count: number): Id[] =>
    Array.from({ length: count }, () => id<Id>()).sort();
  const session = id<SessionId>();
  const swept = ids<PackId>(2);
  const part = id<string>();
  const chunk = random.bytes(32) as ChunkId;
  const record = <T>(name: string, kind: ObjectKind, codec: RecordCodec<T>, value: T): GoldenRecord => ({
    name,
    kind,
    codec: codec as RecordCodec<unknown>,
    value,
  });
  const ms = Date.UTC(2026, 0, 2);
  return [
    record(`sessions/${session}`, 'session', sessionRecord, {
      purpose: 'read',
      host: 'reader.example',
      startedMs: ms,
      snapshots: [first],
    }),
    record(`sessions/${session}.1`, 'heartbeat', heartbeatRecord, { beat: 1, snapshots: [first] }),
    record(`intents/${session}`, 'intent', intentRecord, {
      host: 'writer.example',
      roots: [
        { id: chunk, kind: 'node' },
        { id: random.bytes(32) as ChunkId, kind: 'data' },
      ],
    }),
    record('gc/1', 'generation', generationRecord, {
      number: 1,
      createdMs: ms,
      dead: swept,
      rewritten: ids<PackId>(1),
      orphans: [],
      indexParts: [part],
    }),
    record('gc/1.sweep', 'sweep', sweepRecord, { number: 1, packs: swept, indexParts: [part] }),
    record('gc/1.done', 'done', doneRecord, { number: 1, allSwept: undefined }),
    record('gc/2.sweep', 'sweep', sweepRecord, { number: 2, packs: [], indexParts: [] }),
    record('gc/32.done', 'done', doneRecord, { number: 32, allSwept: swept }),
    record(`forgotten/${id()}`, 'forgotten', forgottenRecord, {
      snapshot: id<SnapshotId>(),
      forgottenMs: ms,
      reason: 'policy: keepDaily 30',
    }),
    record(`damage/${id()}`, 'damage', damageRecord, {
      pack: id<PackId>(),
      ordinals: [0, 7],
      foundMs: ms,
      lost: [chunk],
    }),
    record(`damage/${id()}`, 'damage', damageRecord, {
      pack: id<PackId>(),
      ordinals: undefined,
      foundMs: ms,
      lost: [],
    }),
    record(`ledger/${id()}`, 'ledger', ledgerRecord, {
      act: 'drilled',
      host: 'drill.example',
      finishedMs: ms,
      isOk: true,
      snapshots: [first],
      packs: swept,
      detail: new Map<number, CborValue>([[1, 'rows compared']]),
    }),
    record(`holds/${first}.1`, 'hold', holdRecord, {
      snapshot: first,
      version: 1,
      isHeld: true,
      changedMs: ms,
      reason: 'before the upgrade',
    }),
    record(`manifests/${id()}`, 'aborted', abortedRecord, { by: session, abortedMs: ms, generation: 1 }),
  ];
}

const idOf = (byte: number): ChunkId => new Uint8Array(32).fill(byte) as ChunkId;

/** Nodes before they become chunks: each kind, as leaf and above. */
export const goldenNodes: Readonly<Record<string, Node>> = {
  'listing-leaf': {
    kind: 'listing',
    level: 0,
    entries: [
      { key: Buffer.from('a/empty'), body: Buffer.from([0xa0]), contents: [] },
      {
        key: Buffer.from('a/file'),
        body: Buffer.from([0xa1, 0x01, 0x02]),
        contents: [
          {
            length: 5 + 4096 + 1_048_576 + 3,
            extents: [
              { kind: 'inline', bytes: Buffer.from('head:') },
              { kind: 'hole', length: 4096 },
              { kind: 'chunk', id: idOf(0xda), offset: 0, length: 1_048_576 },
              { kind: 'chunk', id: idOf(0xdb), offset: 65_536, length: 3 },
            ],
          },
          { length: 2 ** 40, list: idOf(0xe1) },
          { length: 7, extents: [{ kind: 'chunk', id: idOf(0xda), offset: 9, length: 7 }] },
        ],
      },
    ],
  },
  'listing-inner': {
    kind: 'listing',
    level: 1,
    branches: [
      { key: Buffer.from('a/file'), node: idOf(0x01), entries: 2 },
      { key: Buffer.from('b'), node: idOf(0x02), entries: 300 },
    ],
  },
  'extents-leaf': {
    kind: 'extents',
    level: 0,
    extents: [
      { kind: 'chunk', id: idOf(0xda), offset: 0, length: 70_000 },
      { kind: 'hole', length: 2 ** 33 },
      { kind: 'chunk', id: idOf(0xda), offset: 0, length: 70_000 },
      { kind: 'inline', bytes: Buffer.alloc(128, 0x2e) },
    ],
  },
  'extents-inner': {
    kind: 'extents',
    level: 1,
    spans: [
      { node: idOf(0x03), length: 2 ** 33 },
      { node: idOf(0x04), length: 200 },
      { node: idOf(0x03), length: 2 ** 33 },
    ],
  },
};
