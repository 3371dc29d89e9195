import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runHere } from '../../bench/rig/index.ts';
import { openHome } from '../../engine/home/index.ts';
import {
  findSnapshot,
  listSnapshots,
  prune,
  type RepairOptions,
  type RepairResult,
  repair,
  restore,
  type Snapshot,
  verifySnapshots,
} from '../../engine/index.ts';
import { encodePair } from '../../engine/pair-codec.ts';
import {
  forgetSnapshot,
  type MemoryBackend,
  memoryBackend,
  readLedger,
  type SnapshotId,
  type Store,
  setHold,
  storeError,
  systemClock,
} from '../../store/index.ts';
import { observedBackend, replay } from '../helpers/faulty-backend.ts';
import { forge } from '../helpers/forge.ts';
import { somePair } from '../helpers/pairs.ts';
import { copyOf, drop, namesOf } from '../helpers/prune-rig.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { failureOf } from '../helpers/small-rig.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';
import { openAsHost, storeWithHost } from '../helpers/write-only-host.ts';

const signal = new AbortController().signal;
const onProgress = () => undefined;

/** A snapshot of a folder, as a backup makes it. */
async function backUp(store: Store, root: string, parent?: Snapshot): Promise<SnapshotId> {
  await using session = await store.beginBackup({ host: 'alpha' });
  const base = parent?.home && {
    source: store,
    roots: parent.home.roots,
    timeMs: parent.timeMs,
    has: session.has,
  };
  const options = { root, sink: session, cuts: store.cuts, clock: systemClock, ...(base && { base }) };
  await using home = await openHome(options);
  await home.prescan();
  await home.capture({ budgetBytes: 1 << 24 });
  const result = await home.finish();
  return await session.commit(encodePair({ ...somePair, timeMs: systemClock.nowMs(), home: result }));
}

function repairIn(store: Store, options: Partial<RepairOptions> = {}): Promise<RepairResult> {
  const defaults = { host: 'alpha', readData: true, isDryRun: false, forgetsLost: false, signal, onProgress };
  return repair({ store, ...defaults, ...options });
}

function verifyIn(store: Store) {
  return verifySnapshots({ store, host: 'alpha', isNamed: false, readData: 0, signal, onProgress });
}

async function restoreInto(store: Store, name: string, home: string) {
  const snapshot = await findSnapshot(store, { name });
  return restore({ store, clock: systemClock, host: 'alpha', snapshot, home, signal });
}

/** Bytes that nothing compresses, the same for a seed. */
const noise = (length: number, seed: string): Uint8Array =>
  createCipheriv('aes-128-ctr', seed.padEnd(16), Buffer.alloc(16)).update(Buffer.alloc(length));

const filesCount = 120;

/** A home with small files in many nodes, and large ones in frames of their own. */
function makeHome(folder: string): string {
  const home = join(folder, 'home');
  mkdirSync(join(home, 'shared', 'deep'), { recursive: true });
  for (let i = 0; i < filesCount; i++)
    writeFileSync(join(home, 'shared', `file-${i}`), `content of ${i}\n`.repeat(20));
  writeFileSync(join(home, 'large'), noise(3_000_000, 'large'));
  writeFileSync(join(home, 'shared', 'deep', 'other'), noise(700_000, 'other'));
  return home;
}

const folder = scratchFolder();
const home = makeHome(folder.path);
const original = memoryBackend();
const id = await backUp(await makeStore({ backend: original }), home);
after(() => folder[Symbol.dispose]());

function flipAll(
  backend: MemoryBackend,
  kind: 'data' | 'metadata',
  at: (bytes: Uint8Array) => number,
): MemoryBackend {
  const objects = new Map(backend.snapshot());
  for (const name of namesOf(backend, 'packs/')) {
    const bytes = objects.get(name)!.slice();
    if (bytes[5] !== (kind === 'data' ? 2 : 3)) continue;
    bytes[at(bytes)]! ^= 1;
    objects.set(name, bytes);
  }
  return memoryBackend({ objects });
}

const middle = (bytes: Uint8Array) => Math.floor(bytes.length / 2);

/** Breaks every frame of data that is long. */
function flipMany(backend: MemoryBackend): MemoryBackend {
  let broken = backend;
  for (let part = 1; part < 64; part++)
    broken = flipAll(broken, 'data', bytes => Math.floor((bytes.length * part) / 64));
  return broken;
}

test('lost content comes back from the live home, and a second repair finds nothing to do', async () => {
  const broken = flipMany(original);
  const result = await repairIn(await reopenStore(broken), { home });
  assert.deepEqual([result.ok, result.lost], [true, []]);
  assert.ok(result.healedFiles.length >= 2 && result.recorded.length > 0);
  const store = await reopenStore(broken);
  const snapshots = await listSnapshots(store);
  const { damage } = await verifySnapshots({
    store,
    snapshots,
    readData: 1,
    host: 'alpha',
    isNamed: false,
    signal,
    onProgress,
  });
  assert.deepEqual(damage, []);
  const second = await repairIn(store, { home });
  assert.deepEqual([second.ok, second.recorded, second.healedFiles], [true, [], []]);
});

test('content that was moved within a live file is found by its id', async () => {
  const moved = join(folder.path, 'moved');
  cpSync(home, moved, { recursive: true });
  const large = join(moved, 'large');
  writeFileSync(large, Buffer.concat([Buffer.from('begins anew'), readFileSync(large)]));
  const { lost, healedFiles } = await repairIn(await reopenStore(flipMany(original)), { home: moved });
  assert.ok(healedFiles.some(({ file }) => file === large));
  // Only the chunk that the new bytes went into is another one.
  assert.match(lost.flatMap(({ affects }) => affects).join('\n'), /^file large: bytes 0–\d+ of 3000000$/);
});

test('what is lost is named, what is left is a snapshot of its own, and the next backup heals the old one', async () => {
  const broken = flipAll(original, 'data', middle);
  const store = await reopenStore(broken);
  const dry = await repairIn(store, { isDryRun: true });
  assert.deepEqual(dry.degraded, [{ snapshot: null, of: id }]);
  assert.equal(broken.snapshot().size, original.snapshot().size);
  const result = await repairIn(store);
  assert.equal(result.ok, false);
  assert.deepEqual(
    result.lost.map(({ snapshot }) => snapshot),
    [id],
  );
  const { affects } = result.lost[0]!;
  assert.ok(
    affects.every(text => /^file (large|shared\/\S+): bytes \d+–\d+ of \d+/.test(text)),
    affects.join('\n'),
  );
  const { of } = result.degraded[0]!;
  const left = result.degraded[0]!.snapshot!;
  assert.equal(of, id);
  assert.deepEqual(
    (await readLedger(store)).acts.map(({ act, isOk }) => [act, isOk]),
    [['repaired', false]],
  );
  await checkLeft(store, {
    id,
    left,
    home,
    lost: affects.map(text => /^file ([^:]+):/.exec(text)![1]!),
    folder: folder.path,
  });
  const again = await repairIn(await reopenStore(broken));
  assert.deepEqual([again.recorded, again.degraded, again.lost], [[], [], result.lost]);
  await backUp(await reopenStore(broken), home, await findSnapshot(store, { name: id }));
  const healed = await repairIn(await reopenStore(broken));
  assert.equal(healed.ok, true);
  assert.deepEqual(healed.whole, [{ snapshot: id, degraded: left }]);
  await restoreInto(await reopenStore(broken), id, join(folder.path, 'whole'));
  assert.deepEqual(readFileSync(join(folder.path, 'whole', 'large')), readFileSync(join(home, 'large')));
});

async function checkLeft(
  store: Store,
  {
    id,
    left,
    home,
    lost,
    folder,
  }: { id: SnapshotId; left: SnapshotId; home: string; lost: readonly string[]; folder: string },
): Promise<void> {
  assert.deepEqual(
    (await listSnapshots(store)).map(one => one.id),
    [id, left],
  );
  const target = join(folder, 'left');
  const restored = await restoreInto(store, left, target);
  assert.equal(restored.lost.length, lost.length);
  for (const name of lost) assert.throws(() => readFileSync(join(target, name)), { code: 'ENOENT' });
  const names = [
    'large',
    'shared/deep/other',
    ...Array.from({ length: filesCount }, (_, i) => `shared/file-${i}`),
  ];
  for (const name of names.filter(one => !lost.includes(one)))
    assert.deepEqual(readFileSync(join(target, name)), readFileSync(join(home, name)), name);
  const { damage } = await verifySnapshots({
    store,
    snapshots: [await findSnapshot(store, { name: left })],
    readData: 1,
    host: 'alpha',
    isNamed: true,
    signal,
    onProgress,
  });
  assert.ok(
    damage.every(({ kind }) => kind === 'data-pack'),
    'the old packs are named, and the new snapshot is a whole pair',
  );
}

test('a retention policy keeps or forgets a snapshot together with what is left of it', async () => {
  const broken = flipAll(original, 'data', middle);
  const { degraded } = await repairIn(await reopenStore(broken));
  const left = degraded[0]!.snapshot!;
  const newer = await backUp(await reopenStore(broken), home);
  const store = await reopenStore(broken);
  const pruneTo = (keepLast: number) =>
    prune({
      ...{
        store,
        host: 'alpha',
        clock: systemClock,
        instance: undefined,
        isDryRun: false,
        mayBeEmpty: false,
        mayBeUnknown: false,
      },
      retention: { policy: { keepLast }, timeZone: 'UTC' },
      onWait: () => undefined,
      signal,
      onProgress,
    });
  assert.deepEqual(
    (await pruneTo(2)).kept.map(({ snapshot }) => snapshot.id),
    [id, left, newer],
  );
  assert.deepEqual(
    (await pruneTo(1)).forgotten.map(({ snapshot }) => snapshot.id),
    [id, left],
  );
});

test('folders whose own entries are lost are made anew and named; what is below lost nodes is counted', async () => {
  const before = await findSnapshot(await reopenStore(original), { name: id });
  const packs = namesOf(original, 'packs/').filter(name => original.snapshot().get(name)![5] === 3);
  assert.equal(packs.length, 1);
  for (let part = 1; part < 8; part++) {
    const broken = flipAll(original, 'metadata', bytes => Math.floor((bytes.length * part) / 8));
    const dry = await repairIn(await reopenStore(broken), { isDryRun: true });
    const store = await reopenStore(broken);
    const { lost, degraded, ok } = await repairIn(store);
    assert.equal(dry.degraded.length, degraded.length, 'a dry run says the same');
    if (ok) continue; // the trailer, say
    assert.equal(lost.length, 1);
    if (degraded.length === 0) {
      assert.match(
        lost[0]!.affects.join('\n'),
        new RegExp(`^${before.home!.roots[0]!.listing.entries} files`),
      );
      continue;
    }
    const left = await findSnapshot(store, { name: degraded[0]!.snapshot! });
    const gone = lost[0]!.affects.reduce(
      (sum, text) => sum + Number(/^(\d+) files and/.exec(text)?.[1] ?? 0),
      0,
    );
    const made = lost[0]!.affects.filter(text => text.startsWith('folder ')).length;
    const { files, folders } = left.home!;
    assert.equal(files + folders, before.home!.roots[0]!.listing.entries - gone + made);
    const target = join(folder.path, `part-${part}`);
    await restoreInto(store, left.id, target);
    assert.deepEqual((await repairIn(await reopenStore(broken))).degraded, []);
    rmSync(target, { recursive: true });
  }
});

test('a manifest that is lost stops no prune once a person has said that it is to be forgotten', async () => {
  const backend = copyOf(original);
  const store = await reopenStore(backend);
  const second = await backUp(store, home, await findSnapshot(store, { name: id }));
  await backUp(store, home, await findSnapshot(store, { name: id }));
  await setHold(store, second, { isHeld: true, reason: 'test' });
  const gone = new Map(backend.snapshot());
  gone.delete(`manifests/${second}`);
  const bytes = gone.get(`manifests/${id}`)!.slice();
  bytes[bytes.length - 1]! ^= 1;
  const broken = memoryBackend({ objects: gone.set(`manifests/${id}`, bytes) });
  const pruneIt = async () =>
    prune({
      ...{ store: await reopenStore(broken), host: 'alpha', clock: systemClock, instance: undefined },
      ...{
        isDryRun: false,
        mayBeEmpty: false,
        mayBeUnknown: false,
        retention: null,
        onWait: () => undefined,
        signal,
        onProgress,
      },
    });
  await assert.rejects(pruneIt(), { code: 'STORE_DAMAGED' });
  const told = await repairIn(await reopenStore(broken));
  assert.deepEqual([told.ok, told.forgotten], [false, []]);
  assert.deepEqual(new Set(told.lost.map(({ snapshot }) => snapshot)), new Set([id, second]));
  const { ok, forgotten } = await repairIn(await reopenStore(broken), { forgetsLost: true });
  assert.equal(ok, true);
  assert.deepEqual(
    new Set(forgotten),
    new Set([
      { id, refused: undefined, wasHeld: false },
      { id: second, refused: undefined, wasHeld: true },
    ]),
  );
  await pruneIt();
  assert.equal((await repairIn(await reopenStore(broken))).ok, true);
});

test('wherever a repair is killed, the next one makes one snapshot of what is left, and no other is touched', async () => {
  const small = join(folder.path, 'small');
  mkdirSync(small);
  writeFileSync(join(small, 'whole'), noise(200_000, 'whole'));
  writeFileSync(join(small, 'lost'), noise(200_000, 'lost'));
  const backend = memoryBackend();
  const of = await backUp(await makeStore({ backend }), small);
  const broken = flipAll(backend, 'data', () => 200);
  const observed = observedBackend(copyOf(broken));
  const { degraded } = await repairIn(await reopenStore(observed));
  assert.equal(degraded.length, 1);
  for (let count = 0; count < observed.mutations.length; count++) {
    const cut = replay(observed.mutations.slice(0, count), broken.snapshot());
    await repairIn(await reopenStore(cut));
    const store = await reopenStore(cut);
    const snapshots = await listSnapshots(store);
    assert.deepEqual(
      snapshots.map(one => one.degraded?.of),
      [undefined, of],
      `after ${count}`,
    );
    const left = snapshots[1]!.home!;
    assert.deepEqual([left.files, left.bytes], [1, 200_000]);
    const { recorded, degraded: more } = await repairIn(store);
    assert.deepEqual([recorded, more], [[], []]);
  }
});

test('a live home that is no folder is a usage error, before the store is opened', async () => {
  for (const path of [join(folder.path, 'nobody'), join(home, 'large')]) {
    const ended = await runHere(['repair', '--home', path, '--json'], { cwd: '/', env: {} });
    assert.deepEqual(failureOf(ended), { exit: 2, code: 'USAGE' });
    assert.ok(ended.stderr.includes(path) || ended.stdout.includes(path), 'the folder is named');
  }
});

test('what the medium fails to read is neither recorded as lost nor left out of a new snapshot', async () => {
  const error = storeError('STORE_READ_FAILED', 'Cannot read: the medium failed', {
    context: { errno: 'EIO' },
  });
  const isData = (name: string) => name.startsWith('packs/') && original.snapshot().get(name)?.[5] === 2;
  const medium = observedBackend(copyOf(original), ({ operation, name }) =>
    operation === 'get' && isData(name) ? { when: 'before', error } : undefined,
  );
  const { ok, degraded, recorded, lost, unreadable } = await repairIn(await reopenStore(medium));
  assert.deepEqual([ok, degraded, recorded.filter(one => one.lost > 0)], [false, [], []]);
  assert.deepEqual(
    lost.map(({ snapshot }) => snapshot),
    [id],
  );
  assert.ok(unreadable.length > 0);
  assert.ok(!medium.mutations.some(({ name }) => name.startsWith('manifests/')));
});

/** The same store with a bit of these objects turned. */
function turnIn(backend: MemoryBackend, names: readonly string[]): MemoryBackend {
  const objects = new Map(backend.snapshot());
  for (const name of names) {
    const bytes = objects.get(name)!.slice();
    bytes[bytes.length - 1]! ^= 1;
    objects.set(name, bytes);
  }
  return memoryBackend({ objects });
}

test('damage that a repair calls harmless is known to every later verify, and what guards safety stays damage', async () => {
  const backend = copyOf(original);
  const store = await reopenStore(backend);
  const other = join(folder.path, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'file'), noise(1_000, 'goes'));
  const second = await backUp(store, other);
  const third = await backUp(store, home, await findSnapshot(store, { name: id }));
  await setHold(store, id, { isHeld: true, reason: 'a test' });
  await setHold(store, id, { isHeld: false, reason: 'a test' });
  await setHold(store, third, { isHeld: true, reason: 'a test' });
  await forgetSnapshot(store, second, { reason: 'a test' });
  await drop(store);
  await verifyIn(store);
  const harmless = [
    ...['ledger/', 'gc/'].flatMap(prefix => namesOf(backend, prefix)),
    `forgotten/${second}`,
    `holds/${id}.1`,
  ];
  assert.ok(harmless.length > 5, 'a ledger, and a generation that is done');
  const broken = turnIn(backend, [...harmless, `holds/${third}.1`]);
  const verified = async () => {
    const { ok, damage, known } = await verifyIn(await reopenStore(broken));
    const objects = (list: typeof damage) => list.map(({ object }) => object).sort();
    return { ok, damage: objects(damage), known: objects(known) };
  };
  const all = [...harmless, `holds/${third}.1`].sort();
  assert.deepEqual(await verified(), { ok: false, damage: all, known: [] });
  await repairIn(await reopenStore(broken), { isDryRun: true });
  assert.equal((await verified()).known.length, 0, 'a dry run notes nothing');
  assert.equal((await repairIn(await reopenStore(broken))).ok, false);
  assert.deepEqual(await verified(), { ok: false, damage: [`holds/${third}.1`], known: harmless.sort() });
  await setHold(await reopenStore(broken), third, { isHeld: false, reason: 'said anew' });
  assert.equal((await repairIn(await reopenStore(broken))).ok, true);
  assert.deepEqual(await verified(), { ok: true, damage: [], known: all });
  const { size } = broken.snapshot();
  await repairIn(await reopenStore(broken));
  assert.equal(broken.snapshot().size, size, 'what is known is not noted again');
});

test('a damaged part of the index is damage until a repair has replaced it, and known from then on', async () => {
  const broken = turnIn(original, namesOf(original, 'index/').slice(0, 1));
  const verified = async () => {
    const { ok, damage, known } = await verifyIn(await reopenStore(broken));
    return [ok, damage.length, known.map(({ object }) => object)];
  };
  assert.deepEqual(await verified(), [false, 1, []]);
  assert.equal((await repairIn(await reopenStore(broken), { readData: false })).ok, true);
  assert.deepEqual(await verified(), [true, 0, namesOf(original, 'index/').slice(0, 1)]);
});

test('a record of damage that nobody can read is harmless only once the data was read again', async () => {
  const broken = flipAll(original, 'data', middle);
  await repairIn(await reopenStore(broken));
  const records = namesOf(broken, 'damage/');
  assert.ok(records.length > 0);
  const unreadable = turnIn(broken, records);
  const left = async (readData: boolean) =>
    (await repairIn(await reopenStore(unreadable), { readData, isDryRun: true })).left.map(
      one => one.isHarmless,
    );
  assert.deepEqual(
    await left(false),
    records.map(() => false),
  );
  assert.deepEqual(
    await left(true),
    records.map(() => true),
  );
});

test('a manifest that was said to be lost and forgotten is no damage, though no prune came yet', async () => {
  const backend = copyOf(original);
  await backUp(await reopenStore(backend), home);
  const broken = turnIn(backend, [`manifests/${id}`]);
  assert.equal((await verifyIn(await reopenStore(broken))).ok, false);
  await repairIn(await reopenStore(broken), { forgetsLost: true });
  const { ok, damage, known } = await verifyIn(await reopenStore(broken));
  assert.deepEqual([ok, damage], [true, []]);
  assert.deepEqual(
    known.map(one => one.object),
    [`manifests/${id}`],
  );
  assert.equal((await repairIn(await reopenStore(broken))).ok, true);
});

test('what the medium fails to read, at whichever look, keeps neither verify nor repair from naming what else is lost', async () => {
  const backend = copyOf(original);
  const store = await reopenStore(backend);
  const other = join(folder.path, 'beside');
  mkdirSync(other);
  writeFileSync(join(other, 'file'), noise(50_000, 'beside'));
  const second = await backUp(store, other);
  await forgetSnapshot(store, await backUp(store, home), { reason: 'a test' });
  await drop(store);
  const isLost = (name: string) =>
    name.includes(second.slice(0, 32)) && backend.snapshot().get(name)![5] === 2;
  const [lost] = namesOf(backend, 'packs/').filter(isLost);
  const objects = new Map(backend.snapshot());
  objects.set(
    lost!,
    objects.get(lost!)!.map((byte, at) => (at === 1_000 ? byte ^ 1 : byte)),
  );
  const error = storeError('STORE_READ_FAILED', 'Cannot read: the medium failed', {
    context: { errno: 'EIO' },
  });
  const others = ['manifests/', 'gc/', 'index/'].flatMap(prefix => namesOf(backend, prefix));
  for (const name of others)
    for (const from of [1, 3]) {
      let reads = Number.NEGATIVE_INFINITY;
      const medium = observedBackend(memoryBackend({ objects }), call =>
        call.operation === 'get' && call.name === name && ++reads >= from
          ? { when: 'before', error }
          : undefined,
      );
      const opened = await reopenStore(medium);
      reads = 0;
      const verified = await verifySnapshots({
        ...{ store: opened, host: 'alpha', isNamed: false, readData: 1, signal, onProgress },
      });
      const isNamed = verified.damage.find(one => one.object === lost)?.affects.includes('file');
      if (name !== `manifests/${second}`) assert.ok(isNamed, `${name} ${from}`);
      reads = 0;
      const repaired = await repairIn(opened);
      const names = repaired.lost.flatMap(({ affects }) => affects);
      if (name !== `manifests/${second}`)
        assert.ok(
          names.some(text => text.startsWith('file file:')),
          `${name} ${from}`,
        );
      assert.equal(repaired.ok, false);
    }
});

test('damage that stops every backup is not called harmless, and a medium that fails is no reason to', async () => {
  const { backend, keyFile } = await storeWithHost();
  const store = await reopenStore(backend);
  await backUp(store, home);
  const host = await openAsHost(backend, keyFile);
  await forge(host, { kind: 'generation', name: 'gc/1' }, [1, 0, ...Array(4).fill(new Uint8Array(0))]);
  await forge(host, { kind: 'done', name: 'gc/1.done' }, [1]);
  await forge(host, { kind: 'ledger', name: `ledger/${id}` }, [0]);
  const harm = (result: RepairResult) => result.left.map(one => [one.object, one.isHarmless]);
  const stopped = await repairIn(await reopenStore(backend));
  assert.deepEqual(
    new Map(harm(stopped) as [string, boolean][]),
    new Map([
      ['gc/1.done', false],
      [`ledger/${id}`, false],
    ]),
  );
  assert.equal(stopped.ok, false);
  const noted = copyOf(original);
  await verifyIn(await reopenStore(noted));
  const error = storeError('STORE_READ_FAILED', 'Cannot read: the medium failed', {
    context: { errno: 'EIO' },
  });
  const medium = observedBackend(noted, ({ operation, name }) =>
    operation === 'get' && name.startsWith('ledger/') ? { when: 'before', error } : undefined,
  );
  assert.deepEqual(harm(await repairIn(await reopenStore(medium))), [[namesOf(noted, 'ledger/')[0], false]]);
});
