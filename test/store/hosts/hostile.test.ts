import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadIndex, readPart } from '../../../store/chunk-index/load.ts';
import { encodeIndexPart } from '../../../store/chunk-index/parts.ts';
import { sameRow } from '../../../store/chunk-index/written.ts';
import {
  forgetSnapshot,
  fromHex,
  hex,
  isStoreError,
  type MemoryBackend,
  readHolds,
  type SessionId,
  type Store,
  setHold,
  verifyStore,
} from '../../../store/index.ts';
import { readTrailer } from '../../../store/pack/reader.ts';
import type { PackRow } from '../../../store/pack/row.ts';
import { putRecord } from '../../../store/protocol/note.ts';
import { ledgerRecord } from '../../../store/protocol/records.ts';
import { insideOf } from '../../../store/store.ts';
import { collect } from '../../helpers/collect.ts';
import { forge } from '../../helpers/forge.ts';
import { checkWhole, namesOf, prune } from '../../helpers/prune-rig.ts';
import { commitFiles, readFiles, type SmallSnapshot } from '../../helpers/small-store.ts';
import { reopenStore } from '../../helpers/stores.ts';
import { openAsHost, storeWithHost } from '../../helpers/write-only-host.ts';

const withCode = (code: string) => (error: unknown) => isStoreError(error) && error.code === code;
const text = (from: number, to: number) =>
  new Map(
    Array.from({ length: to - from }, (_, i) => [
      `f${from + i}`,
      Buffer.from(`line ${from + i} `.repeat(200)),
    ]),
  );

interface Scene {
  readonly backend: MemoryBackend;
  readonly holder: Store;
  readonly hostile: Store;
  /** Of who holds the passphrase. */
  readonly own: SmallSnapshot;
}

async function scene(): Promise<Scene> {
  const { backend, keyFile } = await storeWithHost('hostile');
  const holder = await reopenStore(backend);
  const own = await commitFiles(holder, text(0, 20));
  return { backend, holder, hostile: await openAsHost(backend, keyFile), own };
}

const listed = async (store: Store) => (await collect(store.snapshots())).map(({ id }) => id);
const idBytes = (id: string) => fromHex(id);

test('a hostile host’s mark hides no snapshot, and keeps nobody from forgetting it', async () => {
  const { backend, holder, hostile, own } = await scene();
  const name = `forgotten/${own.id}`;
  assert.ok(await forge(hostile, { kind: 'forgotten', name }, [idBytes(own.id), 0, 'no reason']));
  assert.deepEqual(await listed(await reopenStore(backend)), [own.id]);
  await prune(await reopenStore(backend));
  assert.deepEqual(await readFiles(await reopenStore(backend), own.root), own.files);
  const later = await commitFiles(holder, text(0, 20));
  await forgetSnapshot(await reopenStore(backend), own.id, { reason: 'a test' });
  assert.deepEqual(await listed(await reopenStore(backend)), [later.id]);
  await prune(await reopenStore(backend));
  await checkWhole(backend, [later]);
});

test('a hostile host’s word of damage costs nothing to be stored again', async () => {
  const { backend, hostile, own } = await scene();
  const packs = namesOf(backend, 'packs/');
  for (const pack of packs) {
    const name = `damage/${hex(insideOf(hostile).context.seams.randomness.bytes(32))}`;
    await forge(hostile, { kind: 'damage', name }, [idBytes(pack.slice(9)), null, 0, new Uint8Array(0)]);
  }
  const again = await commitFiles(await reopenStore(backend), text(0, 20));
  assert.deepEqual(namesOf(backend, 'packs/'), packs);
  assert.deepEqual(await readFiles(await reopenStore(backend), again.root), own.files);
});

test('a generation that a hostile host proposes takes nothing, and the next prune ends it', async () => {
  const { backend, hostile, own } = await scene();
  const packs = Buffer.concat(
    namesOf(backend, 'packs/')
      .map(name => fromHex(name.slice(9)))
      .sort(Buffer.compare),
  );
  const none = new Uint8Array(0);
  await forge(hostile, { kind: 'generation', name: 'gc/1' }, [1, 0, packs, none, none, none]);
  await assert.rejects(commitFiles(await reopenStore(backend), text(0, 5)), withCode('STORE_DAMAGED'));
  // Not empty, so no veto; no key holder's either: it counts as one.
  await forge(hostile, { kind: 'sweep', name: 'gc/1.sweep' }, [1, packs, none]);
  await prune(await reopenStore(backend));
  assert.ok(namesOf(backend, 'gc/').includes('gc/1.done'));
  const later = await commitFiles(await reopenStore(backend), text(0, 25));
  await checkWholeBut(backend, [own, later], ['gc/1', 'gc/1.sweep']);
});

/** As checkWhole, beside objects of a host that are what verify names. */
async function checkWholeBut(
  backend: MemoryBackend,
  snapshots: readonly SmallSnapshot[],
  forged: readonly string[],
) {
  const store = await reopenStore(backend);
  const result = await verifyStore(store, { readData: 1 });
  assert.deepEqual(
    result.damage.map(({ object }) => object).filter(object => !forged.includes(object)),
    [],
  );
  assert.deepEqual(result.affected, []);
  for (const { root, files } of snapshots) assert.deepEqual(await readFiles(store, root), files);
}

test('that a generation is done, or that another has begun, is not for a host to say', async () => {
  const { backend, hostile } = await scene();
  const { ring, seams } = insideOf(await reopenStore(backend)).context;
  const { sealRecord } = await import('../../../store/record.ts');
  const none = new Uint8Array(0);
  const place = {
    kind: 'generation',
    session: hex(none.length ? none : new Uint8Array(32)) as SessionId,
    name: 'gc/1',
    randomness: seams.randomness,
  } as const;
  await backend.put(
    'gc/1',
    sealRecord(ring, place, new Map([1, 0, none, none, none, none].map((value, i) => [i + 1, value]))),
  );
  // An open generation is no hindrance, and one that a host says is done is.
  const before = await commitFiles(await reopenStore(backend), text(0, 3));
  await forge(hostile, { kind: 'done', name: 'gc/1.done' }, [1]);
  const blocked = async (why: string) => {
    await assert.rejects(commitFiles(await reopenStore(backend), text(0, 4)), withCode('STORE_DAMAGED'), why);
    await assert.rejects(prune(await reopenStore(backend)), withCode('STORE_DAMAGED'), why);
  };
  await blocked('done');
  await backend.delete('gc/1.done');
  await forge(hostile, { kind: 'generation', name: 'gc/2' }, [2, 0, none, none, none, none]);
  await blocked('begun');
  await forge(hostile, { kind: 'sweep', name: 'gc/2.sweep' }, [2, none, none]);
  await blocked('begun and swept');
  await forge(hostile, { kind: 'done', name: 'gc/2.done' }, [2]);
  await blocked('begun and done');
  for (const name of ['gc/2', 'gc/2.sweep', 'gc/2.done']) await backend.delete(name);
  await prune(await reopenStore(backend));
  assert.deepEqual(await readFiles(await reopenStore(backend), before.root), before.files);
});

test('holds are not a host’s to give or to take', async () => {
  const { backend, holder, hostile, own } = await scene();
  await setHold(holder, own.id, { isHeld: true, reason: 'a test' });
  for (const version of ['2', '9007199254740991', '9999999999999999']) {
    const name = `holds/${own.id}.${version}`;
    await forge(hostile, { kind: 'hold', name }, [
      idBytes(own.id),
      Math.min(Number(version), Number.MAX_SAFE_INTEGER),
      false,
      0,
      '',
    ]);
  }
  const anew = await reopenStore(backend);
  assert.deepEqual([...(await readHolds(anew))], [own.id]);
  await setHold(anew, own.id, { isHeld: false, reason: 'a test' });
  assert.deepEqual([...(await readHolds(anew))], []);
});

test('a ledger of a host makes none of its copies good', async () => {
  const { backend, hostile } = await scene();
  const theirs = text(40, 50);
  await commitFiles(hostile, theirs);
  const before = namesOf(backend, 'packs/');
  const packs = Buffer.concat(before.map(name => fromHex(name.slice(9))).sort(Buffer.compare));
  const name = `ledger/${'ab'.repeat(32)}`;
  await forge(hostile, { kind: 'ledger', name }, [0, 'alpha', 1, true, new Uint8Array(0), packs, null]);
  await commitFiles(await reopenStore(backend), theirs);
  assert.equal(namesOf(backend, 'packs/').length, before.length + 2, 'data and metadata were stored again');
});

test('what a key holder has read of a host’s copies serves everybody', async () => {
  const { backend, holder, hostile } = await scene();
  const mine = namesOf(backend, 'packs/');
  const theirs = text(40, 50);
  await commitFiles(hostile, theirs);
  const packs = namesOf(backend, 'packs/');
  const record = {
    act: 'verified',
    host: 'alpha',
    finishedMs: 1,
    isOk: true,
    snapshots: [],
    detail: null,
    packs: packs.filter(name => !mine.includes(name)).map(name => name.slice(9) as PackRow['pack']),
  } as const;
  const name = `ledger/${'cd'.repeat(32)}`;
  await putRecord(insideOf(holder).context, { name, kind: 'ledger', codec: ledgerRecord, record });
  const again = await commitFiles(await reopenStore(backend), theirs);
  assert.deepEqual(namesOf(backend, 'packs/'), packs);
  assert.deepEqual(await readFiles(await reopenStore(backend), again.root), theirs);
});

test('a host cannot end another’s run but for the time, and hides nothing by it', async () => {
  const { backend, holder, hostile, own } = await scene();
  await using session = await holder.beginBackup({ host: 'alpha' });
  const chunk = await session.put(Buffer.from('something new'.repeat(20)), 'data');
  const name = `manifests/${session.id}`;
  await forge(hostile, { kind: 'aborted', name, session: session.id }, [new Uint8Array(32), 0, 1]);
  await assert.rejects(
    session.commit({ roots: [{ id: chunk, kind: 'data' }], body: null }),
    withCode('STORE_LOCKED'),
  );
  const damaged: string[] = [];
  const anew = await reopenStore(backend);
  assert.deepEqual(
    (await collect(anew.snapshots({ onDamage: id => damaged.push(id) }))).map(({ id }) => id),
    [own.id],
  );
  assert.deepEqual(damaged, [session.id]);
});

/** A part of the index as a host can make it: rows of whatever packs. */
async function forgeIndexPart(
  hostile: Store,
  rows: readonly PackRow[],
  { replaces = [], first = '0' }: { readonly replaces?: readonly string[]; readonly first?: '0' | 'f' } = {},
) {
  const name = `index/${first.repeat(64)}`; // read before all others, or after them
  await forge(hostile, { kind: 'index', name }, [...encodeIndexPart({ rows, replaces }).values()]);
}

/** All chunks of a pack, said to lie in another, or said to be other chunks. */
function lie(row: PackRow, pack: PackRow['pack'], { others }: { readonly others: boolean }): PackRow {
  const chunks = Buffer.from(row.chunks);
  if (others) for (let at = 0; at < chunks.length; at += 20) chunks[at]! ^= 0xff;
  return { ...row, pack, chunks };
}

async function rowsOf(backend: MemoryBackend): Promise<PackRow[]> {
  const { context } = insideOf(await reopenStore(backend));
  return Promise.all(
    namesOf(backend, 'packs/').map(name =>
      readTrailer(context, {
        pack: name.slice(9) as PackRow['pack'],
        bytes: backend.snapshot().get(name)!.length,
      }),
    ),
  );
}

for (const first of ['0', 'f'] as const)
  test(`a host that lists others’ packs wrongly, in part ${first}…, hides nothing that is in them`, async () => {
    const { backend, hostile, own } = await scene();
    const theirs = await commitFiles(hostile, text(60, 70));
    const rows = await rowsOf(backend);
    await forgeIndexPart(
      hostile,
      rows.map(row => lie(row, row.pack, { others: true })),
      { first },
    );
    const { index, problems } = await loadIndex(insideOf(await reopenStore(backend)).context);
    assert.deepEqual(problems, []);
    for (const row of rows)
      for (let at = 0; at < row.chunks.length; at += 20)
        assert.ok(index.has(row.chunks.subarray(at, at + 16)));
    for (const { root, files } of [own, theirs])
      assert.deepEqual(await readFiles(await reopenStore(backend), root), files);
    // A prune that writes the forged part anew, since a pack of it goes, takes none of it over.
    await forgetSnapshot(await reopenStore(backend), theirs.id, { reason: 'a test' });
    const later = await commitFiles(await reopenStore(backend), text(0, 30));
    await prune(await reopenStore(backend));
    await prune(await reopenStore(backend));
    const truth = new Map((await rowsOf(backend)).map(row => [row.pack, row]));
    const { context } = insideOf(await reopenStore(backend));
    for (const name of namesOf(backend, 'index/')) {
      const part = await readPart(context, name, {});
      assert.ok('rows' in part);
      for (const row of part.host === undefined ? part.rows : [])
        if (!part.written?.has(row.pack) && truth.has(row.pack))
          assert.ok(sameRow(row, truth.get(row.pack)!), name);
    }
    for (const { root, files } of [own, later])
      assert.deepEqual(await readFiles(await reopenStore(backend), root), files);
  });

test('where a host says two things of a pack, verify takes the pack’s own word, and a prune leaves both parts as they are', async () => {
  for (const first of ['0', 'f'] as const) {
    const { backend, hostile, own } = await scene();
    const before = namesOf(backend, 'index/');
    const theirs = await commitFiles(hostile, text(60, 70));
    const honest = namesOf(backend, 'index/').filter(name => !before.includes(name));
    const isTheirs = ({ pack }: PackRow) => pack.startsWith(theirs.id.slice(0, 32));
    const lies = (await rowsOf(backend)).filter(isTheirs).map(row => lie(row, row.pack, { others: true }));
    await forgeIndexPart(hostile, lies, { first });
    const forged = `index/${first.repeat(64)}`;
    const { damage, affected } = await verifyStore(await reopenStore(backend), { readData: 1 });
    assert.deepEqual([damage.map(({ object }) => object), affected], [[forged], []]);
    const holder = await reopenStore(backend);
    for (let count = 0; count < 33; count++) await commitFiles(holder, text(count, count + 1));
    const small = namesOf(backend, 'index/').length;
    for (let round = 0; round < 3; round++) {
      await prune(await reopenStore(backend));
      const { context } = insideOf(await reopenStore(backend));
      for (const name of namesOf(backend, 'index/')) {
        const part = await readPart(context, name, {});
        const replaced = 'rows' in part ? part.replaces.map(id => `index/${id}`) : [];
        assert.ok(
          ![...honest, forged].some(one => replaced.includes(one)),
          'no part says to have their rows',
        );
      }
    }
    assert.ok(namesOf(backend, 'index/').length < small, 'the many small parts were merged');
    for (const { root, files } of [own, theirs])
      assert.deepEqual(await readFiles(await reopenStore(backend), root), files);
  }
});

test('a host that claims to have what others need makes no prune delete theirs, and nobody read its bytes', async () => {
  const { backend, hostile, own } = await scene();
  const mine = await rowsOf(backend);
  // Packs of its own, whole by their size, that are said to hold everybody's chunks; one has the smallest id of all.
  const claims = mine.map((row, i) =>
    lie(row, `${'00'.repeat(31)}0${i + 1}` as PackRow['pack'], { others: false }),
  );
  for (const [i, row] of claims.entries()) {
    const bytes = backend.snapshot().get(namesOf(backend, 'packs/')[i]!)!;
    await backend.put(
      `packs/00/${row.pack}`,
      bytes.map(byte => byte ^ 1),
    );
  }
  await forgeIndexPart(hostile, claims);
  const before = namesOf(backend, 'packs/');
  await prune(await reopenStore(backend));
  for (const row of mine) assert.ok(namesOf(backend, 'packs/').some(name => name.endsWith(row.pack)));
  assert.deepEqual(await readFiles(await reopenStore(backend), own.root), own.files);
  // Nobody who holds the passphrase builds on what it claims.
  for (const row of mine) await backend.delete(before.find(name => name.endsWith(row.pack))!);
  const again = await commitFiles(await reopenStore(backend), text(0, 20));
  assert.deepEqual(await readFiles(await reopenStore(backend), again.root), own.files);
});

test('a host that says that its part of the index replaces others’ makes no prune delete those', async () => {
  const { backend, holder, hostile, own } = await scene();
  const parts = namesOf(backend, 'index/');
  const rows = await rowsOf(backend);
  await forgeIndexPart(hostile, rows, { replaces: parts.map(name => name.slice(6)) });
  await forgetSnapshot(holder, (await commitFiles(holder, text(70, 90))).id, { reason: 'a test' });
  await prune(await reopenStore(backend));
  await prune(await reopenStore(backend));
  for (const name of parts) assert.ok(namesOf(backend, 'index/').includes(name), name);
  await checkWhole(backend, [own]);
});

test('a host’s manifest that points nowhere harms itself alone, and one in another’s name is none', async () => {
  const { backend, hostile, own } = await scene();
  const { encodeManifest } = await import('../../../store/manifest.ts');
  const { ring, seams } = insideOf(hostile).context;
  const manifest = (host: string, fill: number) => {
    const id = hex(new Uint8Array(32).fill(fill)) as SmallSnapshot['id'];
    const roots = [{ id: new Uint8Array(32).fill(7) as SmallSnapshot['root']['id'], kind: 'node' as const }];
    const seen = { count: 0, digest: new Uint8Array(32) };
    const said = { id, host, sequence: 1, previous: null, createdMs: 1, roots, seen, body: null };
    return { id, bytes: encodeManifest(ring, said, { randomness: seams.randomness }) };
  };
  const nowhere = manifest('hostile', 3);
  const spoofed = manifest('alpha', 4);
  for (const { id, bytes } of [nowhere, spoofed]) await backend.put(`manifests/${id}`, bytes);
  const anew = await reopenStore(backend);
  const damaged: string[] = [];
  assert.deepEqual(
    (await collect(anew.snapshots({ onDamage: id => damaged.push(id) }))).map(({ id }) => id).sort(),
    [own.id, nowhere.id].sort(),
  );
  assert.deepEqual(damaged, [spoofed.id]);
  assert.deepEqual((await verifyStore(anew)).affected, [nowhere.id]);
  await assert.rejects(prune(anew), withCode('STORE_DAMAGED'));
  // Both are named, and can be forgotten; then all goes on.
  for (const { id } of [nowhere, spoofed]) await forgetSnapshot(anew, id, { reason: 'a test' });
  await prune(await reopenStore(backend));
  await checkWhole(backend, [own]);
});
