import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeCbor, encodeCbor } from '../../store/cbor.ts';
import { fieldsOf } from '../../store/cbor-fields.ts';
import {
  appendLedger,
  forgetSnapshot,
  hex,
  type MemoryBackend,
  memoryBackend,
  type NewLedgerAct,
  type PackId,
  readLedger,
  type SnapshotId,
  systemSeams,
} from '../../store/index.ts';
import { type LedgerRecord, ledgerRecord } from '../../store/protocol/records.ts';
import { projectRoot } from '../helpers/project.ts';
import { smallStore } from '../helpers/small-store.ts';
import { makeStore, reopenStore } from '../helpers/stores.ts';

const snapshot = (byte: number) => hex(new Uint8Array(32).fill(byte)) as SnapshotId;
const pack = (byte: number) => hex(new Uint8Array(32).fill(byte)) as PackId;
const act = (act: Partial<NewLedgerAct>): NewLedgerAct => ({
  act: 'verified',
  host: 'alpha',
  isOk: true,
  snapshots: [],
  packs: [],
  detail: null,
  ...act,
});
const recordsOf = (backend: MemoryBackend) =>
  [...backend.snapshot().keys()].filter(name => name.startsWith('ledger/'));

test('the ledger says when a snapshot was last verified and drilled, and a pack read, with all well', async () => {
  const store = await makeStore();
  await appendLedger(store, act({ snapshots: [snapshot(1)], packs: [pack(1)], finishedMs: 2000 }));
  await appendLedger(store, act({ snapshots: [snapshot(1)], finishedMs: 1000 }));
  await appendLedger(store, act({ act: 'drilled', snapshots: [snapshot(2)], finishedMs: 3000 }));
  await appendLedger(store, act({ act: 'repaired', snapshots: [snapshot(3)], finishedMs: 3000 }));
  const ledger = await readLedger(store);
  assert.equal(ledger.verifiedAtMs(snapshot(1)), 2000);
  assert.equal(ledger.readAtMs(pack(1)), 2000);
  assert.equal(ledger.drilledAtMs(snapshot(2)), 3000);
  assert.equal(ledger.verifiedAtMs(snapshot(2)), null);
  assert.equal(ledger.verifiedAtMs(snapshot(3)), null);
  assert.equal(ledger.readAtMs(pack(2)), null);
  assert.equal(ledger.acts.length, 4);
});

test('what was found damaged is not proven by what was found before, and is by what is found later', async () => {
  const store = await makeStore();
  const both = { snapshots: [snapshot(1)], packs: [pack(1)] };
  await appendLedger(store, act({ ...both, finishedMs: 1000 }));
  await appendLedger(store, act({ act: 'drilled', ...both, finishedMs: 1001 }));
  await appendLedger(store, act({ ...both, isOk: false, finishedMs: 2000 }));
  const damaged = await readLedger(store);
  assert.equal(damaged.verifiedAtMs(snapshot(1)), null);
  assert.equal(damaged.drilledAtMs(snapshot(1)), null);
  assert.equal(damaged.readAtMs(pack(1)), null);
  assert.deepEqual([damaged.wasDamaged(snapshot(1)), damaged.wasDamaged(snapshot(2))], [true, false]);
  await appendLedger(store, act({ act: 'repaired', ...both, finishedMs: 2500 }));
  assert.equal((await readLedger(store)).wasDamaged(snapshot(1)), true);
  await appendLedger(store, act({ ...both, finishedMs: 3000 }));
  const again = await readLedger(store);
  assert.deepEqual([again.verifiedAtMs(snapshot(1)), again.wasDamaged(snapshot(1))], [3000, false]);
});

test('a ledger record that cannot be read is a problem, and the others count', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  await appendLedger(store, act({ snapshots: [snapshot(1)], finishedMs: 1000 }));
  const [name] = recordsOf(backend);
  await appendLedger(store, act({ snapshots: [snapshot(2)], finishedMs: 1000 }));
  const objects = backend.snapshot();
  objects.get(name!)![120]! ^= 1;
  const ledger = await readLedger(await reopenStore(memoryBackend({ objects })));
  assert.deepEqual(
    ledger.problems.map(({ object }) => object),
    [name],
  );
  assert.equal(ledger.verifiedAtMs(snapshot(1)), null);
  assert.equal(ledger.verifiedAtMs(snapshot(2)), 1000);
});

test('an act from the future proves that, and not when, and what a believable one says counts more', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  const dayMs = 86_400_000;
  const nowMs = systemSeams.clock.nowMs();
  const future = nowMs + 400 * dayMs;
  const both = { snapshots: [snapshot(1)], packs: [pack(1)], listed: [pack(2)] };
  await appendLedger(store, act({ ...both, finishedMs: future }));
  await appendLedger(store, act({ act: 'drilled', ...both, finishedMs: future }));
  const says = async () => {
    const ledger = await readLedger(store);
    return [ledger.verifiedAtMs(snapshot(1)), ledger.wasVerified(snapshot(1)), ledger.readAtMs(pack(1))];
  };
  assert.deepEqual(await says(), [null, true, null]);
  const ledger = await readLedger(store);
  assert.deepEqual([ledger.drilledAtMs(snapshot(1)), ledger.wasDrilled(snapshot(1))], [null, true]);
  assert.deepEqual([ledger.listedAtMs(pack(2)), ledger.ahead.length], [null, 2]);
  await appendLedger(store, act({ ...both, finishedMs: nowMs }));
  assert.deepEqual(await says(), [nowMs, true, nowMs]);
  for (let more = 0; more < 64; more++)
    await appendLedger(store, act({ snapshots: [snapshot(2)], finishedMs: nowMs - more }));
  assert.deepEqual(await says(), [nowMs, true, nowMs], 'merging forgets the time that can be believed last');
  await appendLedger(store, act({ ...both, isOk: false, finishedMs: nowMs + 1 }));
  assert.deepEqual(await says(), [null, false, null]);
});

test('many records become few, and nothing that is of use is forgotten', async () => {
  const backend = memoryBackend();
  const { store, snapshots } = await smallStore({ backend });
  const [first, second] = snapshots.map(({ id }) => id);
  await appendLedger(store, act({ act: 'drilled', snapshots: [first!], finishedMs: 1 }));
  await appendLedger(store, act({ snapshots: [second!], finishedMs: 2 }));
  await appendLedger(store, act({ isOk: false, snapshots: [first!], finishedMs: 3, packs: [pack(9)] }));
  await forgetSnapshot(store, second!, { reason: 'test' });
  for (let day = 10; day < 150; day++)
    await appendLedger(store, act({ snapshots: [first!], packs: [pack(day % 30)], finishedMs: day }));
  assert.ok(recordsOf(backend).length <= 64, `${recordsOf(backend).length} records`);
  const ledger = await readLedger(store);
  assert.equal(ledger.verifiedAtMs(first!), 149);
  assert.equal(ledger.verifiedAtMs(second!), null, 'it is forgotten');
  assert.equal(ledger.readAtMs(pack(9)), 129);
  assert.equal(ledger.readAtMs(pack(29)), 149);
  assert.ok(ledger.acts.some(({ isOk }) => !isOk));
  assert.ok(ledger.acts.length < 110, `${ledger.acts.length} acts`);
  assert.deepEqual(ledger.problems, []);
});

test('a record that another merges while the ledger is read is read where it went', async () => {
  const backend = memoryBackend();
  const store = await makeStore({ backend });
  for (let i = 0; i < 64; i++)
    await appendLedger(store, act({ snapshots: [snapshot(i)], finishedMs: 1000 + i }));
  let isMerged = false;
  const reader = await reopenStore({
    ...backend,
    async get(name, options) {
      if (name.startsWith('ledger/') && !isMerged) {
        isMerged = true;
        await appendLedger(store, act({ finishedMs: 5000 }));
      }
      return backend.get(name, options);
    },
  });
  const ledger = await readLedger(reader);
  assert.equal(recordsOf(backend).length, 1);
  assert.equal(ledger.verifiedAtMs(snapshot(0)), 1000);
  assert.equal(ledger.verifiedAtMs(snapshot(63)), 1063);
  assert.deepEqual(ledger.problems, []);
});

test('a merged record is encoded as its golden file is', async () => {
  const record: LedgerRecord = {
    act: 'verified',
    host: 'alpha',
    finishedMs: 3000,
    isOk: true,
    snapshots: [snapshot(0xa1)],
    packs: [],
    detail: null,
    earlier: [
      {
        act: 'drilled',
        host: 'beta',
        finishedMs: 2000,
        isOk: false,
        snapshots: [],
        packs: [pack(0xb1)],
        detail: new Map([[1, 2]]),
      },
    ],
  };
  const golden = await readFile(join(projectRoot, 'test/golden/store/ledger-merged.bin'));
  assert.equal(hex(encodeCbor(new Map([[0, []], ...ledgerRecord.encode(record)]))), hex(golden));
  assert.deepEqual(
    ledgerRecord.decode(fieldsOf(decodeCbor(golden, { what: 'golden' }), 'golden'), 'golden'),
    record,
  );
});
