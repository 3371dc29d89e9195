import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { makeSandbox } from '../../bench/hostile/sandbox.ts';
import {
  type BaseStore,
  baseStore,
  type Objects,
  openObjects,
  pairOf,
  sealBody,
  sealManifest,
} from '../../bench/hostile/store.ts';
import { storeSteps } from '../../bench/hostile/store-steps.ts';
import { encodePair } from '../../engine/pair-codec.ts';
import { listSnapshots } from '../../engine/snapshots.ts';
import { ChunkTable } from '../../store/chunk-index/table.ts';
import { loadZstd } from '../../store/compress.ts';
import {
  type CborValue,
  type ChunkId,
  encodeCbor,
  openLocalBackend,
  openStore,
  type SessionId,
  systemSeams,
  verifyStore,
} from '../../store/index.ts';
import { decodeFrame } from '../../store/pack/frame.ts';
import { encodeRefs } from '../../store/protocol/records.ts';
import { createSeal } from '../../store/seal/index.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { makeStore, testPassphrase } from '../helpers/stores.ts';

let base: BaseStore;
before(async () => {
  base = await baseStore();
});

const idOf = (number: number): string => number.toString(16).padStart(64, '0');
const outerOf = (host: string, sequence = 1, previous: string | null = null): Uint8Array =>
  encodeCbor(
    new Map<number, CborValue>([
      [0, []],
      [1, host],
      [2, sequence],
      [3, previous === null ? null : Buffer.from(previous, 'hex')],
    ]),
  );

interface ManifestParts {
  readonly id?: string;
  readonly outer?: Uint8Array;
  readonly sealedOuter?: Uint8Array;
  readonly createdMs?: number;
  readonly body?: CborValue;
}

/** A manifest that is sealed and signed, with what is asked for in it. */
function manifestWith({
  id = idOf(1),
  outer = outerOf('h'),
  sealedOuter = outer,
  createdMs = 1,
  body = 0,
}: ManifestParts): [string, Uint8Array] {
  const fields = new Map<number, CborValue>([
    [0, []],
    [1, sealedOuter],
    [2, createdMs],
    [3, encodeRefs([])],
    [4, 0],
    [5, new Uint8Array(32)],
    [6, body],
  ]);
  return [`manifests/${id}`, sealManifest(base.ring, { id, outer, body: encodeCbor(fields) })];
}

const withObjects = (...more: readonly (readonly [string, Uint8Array])[]): Objects =>
  new Map([...base.objects, ...more]);

/** The ids that were told as damaged, and the others. */
async function listed(objects: Objects) {
  await using store = await openObjects(objects);
  const damaged: string[] = [];
  const found = await listSnapshots(store, {
    onDamage: (id, error) => damaged.push(`${id} ${(error as { code?: string }).code}`),
  });
  return { found, damaged };
}

const aPair = (change: (body: Map<number, CborValue>) => void): CborValue => {
  const { body } = encodePair(pairOf({ id: new Uint8Array(32) as ChunkId, level: 0, entries: 1 }, 1));
  const fields = new Map(body as ReadonlyMap<number, CborValue>);
  change(fields);
  return fields;
};

const manifests: readonly (readonly [string, () => ManifestParts])[] = [
  ['a clear part that is not the sealed one', () => ({ outer: outerOf('other'), sealedOuter: outerOf('h') })],
  ['a sequence that nobody could count to', () => ({ outer: outerOf('h', 2 ** 41) })],
  ['a time past the year 9999', () => ({ createdMs: 8_640_000_000_000_001 })],
  ['a body that is no pair', () => ({ body: [1, 2, 3] })],
  ['a pair whose listing is no root', () => ({ body: aPair(() => {}) })],
  ['a pair of a time past the year 9999', () => ({ body: aPair(fields => fields.set(2, 2 ** 53 - 1)) })],
  ['arrays in arrays', () => ({ body: nested(40) })],
];

function nested(depth: number): CborValue {
  let value: CborValue = [];
  for (let i = 0; i < Math.min(depth, 29); i++) value = [value];
  return value;
}

for (const [what, parts] of manifests)
  test(`a manifest with ${what} is damaged, and hides no other`, async () => {
    const { found, damaged } = await listed(withObjects(manifestWith(parts())));
    assert.deepEqual(damaged, [`${idOf(1)} STORE_DAMAGED`]);
    assert.equal(found.length, 2);
  });

test('a manifest of a million and more values is damaged before they are made', async () => {
  const id = idOf(1);
  const body = new Uint8Array(4 * 2 ** 20).fill(0x80);
  body.set([0x9a, 0, 0x3f, 0xff, 0xfb]);
  const bytes = sealManifest(base.ring, { id, outer: outerOf('h'), body });
  const { damaged } = await listed(withObjects([`manifests/${id}`, bytes]));
  assert.deepEqual(damaged, [`${id} STORE_DAMAGED`]);
});

test('manifests that come before each other, and those of hundreds of hosts, are listed in order', async () => {
  const circle = [
    manifestWith({ id: idOf(1), outer: outerOf('h', 1, idOf(2)) }),
    manifestWith({ id: idOf(2), outer: outerOf('h', 2, idOf(1)) }),
  ];
  const many = Array.from({ length: 300 }, (_, i) =>
    manifestWith({ id: idOf(10 + i), outer: outerOf(`h${i}`), createdMs: 300 - i }),
  );
  await using store = await openObjects(withObjects(...circle, ...many));
  const hosts: string[] = [];
  for await (const { host } of store.snapshots()) hosts.push(host);
  assert.equal(hosts.length, 304);
  assert.equal(hosts[0], 'h'); // by the latest time of each host so far
  assert.ok(hosts.indexOf('h299') < hosts.indexOf('h0'));
  const { damage } = await verifyStore(store, {});
  assert.deepEqual(
    damage.filter(({ kind }) => kind === 'manifest'),
    [],
  ); // who came before whom decides nothing
});

test('a generation that is far ahead is damage for who writes, and nothing for who reads', async () => {
  const objects = withObjects(
    ['gc/999999999999999', Buffer.from('x')],
    ['gc/999999999999999.done', Buffer.from('x')],
  );
  using sandbox = makeSandbox();
  const outcomes = new Map<string, string>();
  for (const [step, work] of storeSteps(objects, sandbox)) {
    try {
      await work();
      outcomes.set(step, 'done');
    } catch (error) {
      outcomes.set(step, String((error as { code?: string }).code));
    }
    sandbox.clear();
  }
  assert.deepEqual(
    [...outcomes],
    [
      ['snapshots', 'done'],
      ['verify', 'done'],
      ['restore', 'done'],
      ['repair', 'done'],
      ['prune', 'STORE_DAMAGED'],
    ],
  );
});

test('an index that lists one chunk thousands of times, or many in one place, takes no longer than another', () => {
  const key = new Uint8Array(16).fill(7);
  const table = new ChunkTable();
  for (let frame = 0; frame < 200_000; frame++) table.add(key, { frame, offset: 0, length: 1 });
  assert.equal(table.copies(key).length, 64);
  const crowded = new ChunkTable();
  for (let i = 0; i < 200_000; i++) {
    const other = Buffer.alloc(16, 9); // the same first word: without mixing, all of them in one run
    other.writeUInt32LE(i, 8);
    crowded.add(other, { frame: i, offset: 0, length: 1 });
  }
  assert.equal(crowded.size, 200_000);
});

test('frames that announce another length than they have, either way, are damage', async () => {
  const zstd = await loadZstd();
  const bytes = zstd.compress(new Uint8Array(100_000));
  for (const rawBytes of [1, 99_999, 100_001, 16 * 2 ** 20])
    assert.throws(() => decodeFrame(bytes, { codec: 'zstd', rawBytes }, { zstd, subject: 'frame' }), {
      code: 'STORE_DAMAGED',
    });
  assert.throws(
    () => decodeFrame(new Uint8Array(3), { codec: 'raw', rawBytes: 4 }, { zstd, subject: 'frame' }),
    { code: 'STORE_DAMAGED' },
  );
});

test('an index part that is no structured data, a record with too many ids, a row of another length: each is told', async () => {
  const name = `index/${idOf(5)}`;
  const seal = createSeal(base.ring, {
    kind: 'index',
    session: idOf(5) as SessionId,
    name,
    randomness: systemSeams.randomness,
  });
  const bodies: readonly Uint8Array[] = [
    Buffer.from([0xff]),
    encodeCbor(
      new Map<number, CborValue>([
        [0, []],
        [1, [[new Uint8Array(32), 0, new Uint8Array(12), new Uint8Array(20)]]],
        [2, []],
      ]),
    ),
    encodeCbor(
      new Map<number, CborValue>([
        [0, []],
        [1, [[new Uint8Array(32), 0, frameRow(2 ** 32 - 1), new Uint8Array(20)]]],
        [2, []],
      ]),
    ),
  ];
  for (const body of bodies) {
    await using store = await openObjects(
      withObjects([name, Buffer.concat([seal.header, sealBody(seal, base.ring, body)])]),
    );
    const { damage } = await verifyStore(store, {});
    assert.ok(damage.some(({ object }) => object === name));
  }
});

function frameRow(rawBytes: number): Uint8Array {
  const row = Buffer.alloc(13);
  row.writeUInt32LE(100, 0);
  row.writeUInt32LE(rawBytes, 4);
  row.writeUInt32LE(1, 9);
  return row;
}

test('what lies in a store’s folder in the place of an object is never waited for, followed or held whole', async () => {
  using scratch = scratchFolder();
  const location = join(scratch.path, 'store');
  const backend = await openLocalBackend(location, { create: true });
  {
    await using _store = await makeStore({ backend });
  }
  const outside = join(scratch.path, 'outside');
  writeFileSync(outside, 'secret');
  const put = (name: string, make: (path: string) => void): void => {
    const path = join(location, name);
    mkdirSync(join(path, '..'), { recursive: true });
    make(path);
  };
  const huge = (path: string): void => {
    writeFileSync(path, '');
    truncateSync(path, 20 * 2 ** 30);
  };
  const fifo = (path: string): void => void execFileSync('mkfifo', [path]);
  const pack = (number: number): string => `packs/00/${idOf(number)}`;
  put(`manifests/${idOf(1)}`, fifo);
  put(`manifests/${idOf(2)}`, path => symlinkSync('/dev/zero', path));
  put(`manifests/${idOf(3)}`, path => symlinkSync(outside, path));
  put(`manifests/${idOf(4)}`, huge);
  put(`manifests/${idOf(5)}`, path => mkdirSync(path));
  put(`index/${idOf(6)}`, huge);
  put(pack(7), huge);
  put(pack(8), fifo);
  put(pack(9), path => symlinkSync('/dev/zero', path));
  put(`ledger/${idOf(10)}`, huge);
  put(`holds/${idOf(11)}.1`, huge);
  put(`damage/${idOf(12)}`, huge);
  put('gc/1', huge);
  put(`sessions/${idOf(13)}`, huge);
  const strange = ['..', '.hidden', 'UPPER', 'a b', 'x'.repeat(201)];
  for (const name of strange.slice(1)) put(`manifests/${name}`, path => writeFileSync(path, 'x'));
  await using store = await openStore(backend, { passphrase: testPassphrase, seams: systemSeams });
  const told: string[] = [];
  const onDamage = (id: string, error: Error): void =>
    void told.push(`${id.slice(-1)} ${(error as { code?: string }).code}`);
  for await (const _ of store.snapshots({ onDamage })) assert.fail('there is no snapshot');
  assert.deepEqual(told, ['3 STORE_DAMAGED', '4 STORE_DAMAGED']); // a FIFO, a device and a folder are no objects
  await assert.rejects(backend.get(`manifests/${idOf(1)}`), { code: 'STORE_DAMAGED' });
  await assert.rejects(backend.get(`manifests/${idOf(2)}`), { code: 'STORE_DAMAGED' });
  await assert.rejects(backend.get(pack(8), { offset: 0, length: 96 }), { code: 'STORE_DAMAGED' });
  await assert.rejects(store.get(new Uint8Array(32) as ChunkId, 'data'), { code: 'STORE_OBJECT_MISSING' });
  const before = process.memoryUsage().rss;
  const { damage } = await verifyStore(store, { readData: 1 });
  assert.ok(process.memoryUsage().rss - before < 300 * 2 ** 20);
  const named = (name: string): boolean => damage.some(({ object }) => object === name);
  for (const name of [`index/${idOf(6)}`, pack(7), `ledger/${idOf(10)}`, 'gc/1'])
    assert.ok(named(name), name);
  assert.equal(readdirSync(join(location, 'manifests')).length, 5 + strange.length - 1);
  rmSync(location, { recursive: true });
});
