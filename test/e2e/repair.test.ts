import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type Rig, runHere } from '../../bench/rig/index.ts';
import { decodeEntry } from '../../engine/database/postgres/entries/entry.ts';
import { findSnapshot } from '../../engine/index.ts';
import { loadIndex } from '../../store/chunk-index/load.ts';
import {
  type ChunkId,
  extentsOf,
  openLocalBackend,
  openStore,
  readListing,
  systemSeams,
} from '../../store/index.ts';
import { packName } from '../../store/pack/row.ts';
import { insideOf } from '../../store/store.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { restoreArguments, smallRig } from '../helpers/small-rig.ts';

describe('a damaged store', () => {
  let rig: Rig;
  let snapshot: string;

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 40, rows: 200 });
    await query(
      rig.instance.databaseUrl,
      `CREATE TABLE many (id integer PRIMARY KEY, text text);
       INSERT INTO many SELECT i, sha512(i::text::bytea)::text FROM generate_series(1, 8000) i;
       SELECT lo_from_bytea(0, sha512(i::text::bytea) || convert_to(repeat(sha512((-i)::text::bytea)::text, 40), 'UTF8'))
         FROM generate_series(1, 400) i;
       CREATE TABLE few (of integer REFERENCES many); INSERT INTO few VALUES (7)`,
    );
    snapshot = String((await run(['backup'], 0))['snapshot']);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** Runs the program in this process; the last JSON line. */
  async function run(
    args: readonly string[],
    exit: number,
    store = rig.store,
  ): Promise<Record<string, unknown>> {
    process.env['PGPASSWORD'] = rig.env['PGPASSWORD']; // the client library looks nowhere else
    const env = { ...rig.env, STILLPOINT_STORE: store };
    const ended = await runHere([...args, '--json', '--store', store], { cwd: rig.folder, env });
    assert.equal(ended.code, exit, `${ended.stdout}${ended.stderr}`);
    return ended.json.at(-1) ?? {};
  }

  function copyOf(store: string, name: string): string {
    const copy = join(rig.folder, name);
    cpSync(store, copy, { recursive: true });
    return copy;
  }

  /** Without parity, unless it is kept: what is broken here would come back. */
  function copyOfStore(name: string, { keepsParity = false } = {}): string {
    const store = copyOf(rig.store, name);
    if (!keepsParity) rmSync(join(store, 'parity'), { recursive: true });
    return store;
  }

  test('rows that are lost are named, all else is restored, and the next backup makes the old snapshot whole', async () => {
    const store = copyOfStore('rows');
    await breakRowsOf('many', store, rig);
    const found = await run(['repair'], 20, store);
    const [loss] = found['lost'] as { snapshot: string; affects: string[] }[];
    assert.deepEqual(
      loss!.affects.map(text => text.replace(/\(.*/, '')),
      ['database: table public.many: 8000 of 8000 rows '],
    );
    const [made] = found['degraded'] as { snapshot: string; of: string }[];
    assert.equal(made!.of, snapshot);
    const target = rig.target('left');
    const restored = await run(restoreArguments(target, made!.snapshot), 3, store);
    assert.deepEqual(restored['lost'], loss!.affects);
    const exported = await run(['export', made!.snapshot, '-o', `${target.home}.tar`], 3, store);
    assert.deepEqual(exported['lost'], loss!.affects);
    await assertEqualsOriginal(rig.instance, target.home, { rootTimes: false });
    assert.deepEqual(
      await query(
        target.databaseUrl,
        'SELECT (SELECT count(*) FROM many) many, (SELECT count(*) FROM few) few',
      ),
      [{ many: '0', few: '1' }],
    );
    const again = await run(['repair'], 20, store);
    assert.deepEqual([again['recorded'], again['healed'], again['degraded']], [[], [], []]);
    await run(['backup'], 0, store);
    const healed = await run(['repair'], 0, store);
    assert.deepEqual(healed['whole'], [{ snapshot, degraded: made!.snapshot }]);
    const whole = rig.target('whole');
    await run(restoreArguments(whole, snapshot), 0, store);
    await assertDatabasesEqual(rig.instance.databaseUrl, whole.databaseUrl);
    await run(['verify', '--read-data'], 0, store);
  });

  test('nothing is lost where a pack has its parity, which each has unless it is configured otherwise', async () => {
    const store = copyOfStore('parity', { keepsParity: true });
    await breakRowsOf('many', store, rig);
    const { healed } = await run(['repair'], 0, store);
    assert.deepEqual(
      (healed as { from: string }[]).map(({ from }) => from),
      ['its parity'],
    );
    await run(['verify', '--read-data'], 0, store);
  });

  test('large objects that are lost are named, and all else is restored', async () => {
    const store = copyOfStore('objects');
    await breakRowsOf('pg_largeobject', store, rig);
    const found = await run(['repair'], 20, store);
    const [loss] = found['lost'] as { affects: string[] }[];
    assert.ok(loss!.affects.some(text => text.startsWith('database: large objects: ')));
    const [made] = found['degraded'] as { snapshot: string }[];
    await run(['verify', made!.snapshot], 0, store);
    const target = rig.target('objects');
    const restored = await run(restoreArguments(target, made!.snapshot), 3, store);
    assert.deepEqual(restored['lost'], loss!.affects);
  });

  test('a newest snapshot that is gone is missed by the host that made it, and nothing is pruned until it is given up', async () => {
    const store = copyOf(rig.store, 'newest');
    const { snapshot: newest } = await run(['backup'], 0, store);
    const manifest = join(store, 'manifests', String(newest));
    renameSync(manifest, join(rig.folder, 'newest-away'));
    const missed = new RegExp(`[Ss]napshot ${String(newest).slice(0, 8)}, committed from here, is gone`);
    for (let again = 0; again < 2; again++) {
      const env = { ...rig.env, STILLPOINT_STORE: store };
      assert.match((await runHere(['backup'], { cwd: rig.folder, env })).stderr, missed);
      await run(['prune'], 20, store);
      await run(['verify'], 20, store);
    }
    renameSync(join(rig.folder, 'newest-away'), manifest);
    await run(['prune'], 0, store);
    await run(['verify', '--read-data'], 0, store);
    rmSync(manifest);
    await run(['prune'], 20, store);
    await run(['repair', '--forget-lost'], 0, store);
    await run(['prune'], 0, store);
    await run(['verify'], 0, store);
  });

  test('a held snapshot whose manifest is damaged can be released, and given up', async () => {
    const store = copyOf(rig.store, 'held');
    const { snapshot: later } = await run(['backup'], 0, store);
    await run(['hold', snapshot], 0, store);
    const manifest = join(store, 'manifests', snapshot);
    const bytes = readFileSync(manifest);
    rmSync(manifest);
    writeFileSync(manifest, bytes.fill(0, bytes.length - 20));
    await run(['prune'], 20, store);
    await run(['hold', '--release', snapshot.slice(0, 12)], 0, store);
    await run(['repair', '--forget-lost'], 0, store);
    await run(['prune'], 0, store);
    await run(['verify', String(later)], 0, store);
  });

  test('packs that are gone are told by doctor, and without any nothing is repaired or pruned', async () => {
    const store = copyOf(rig.store, 'away');
    renameSync(join(store, 'packs'), join(rig.folder, 'packs-away'));
    const findings = await runHere(['doctor', '--store', store], { cwd: rig.folder, env: rig.env });
    assert.match(findings.stdout, /^FAILED +store .*it is not there/m);
    const before = readdirSync(store, { recursive: true }).sort();
    const refused = await runHere(['repair', '--store', store], { cwd: rig.folder, env: rig.env });
    assert.match(refused.stderr, /none of the \d+ packs that its index lists is there/);
    assert.equal(refused.code, 20);
    await run(['prune'], 20, store);
    assert.deepEqual(readdirSync(store, { recursive: true }).sort(), before);
    renameSync(join(rig.folder, 'packs-away'), join(store, 'packs'));
    await run(['verify', '--read-data'], 0, store);
  });

  test('an index that is gone comes back', async () => {
    const store = copyOfStore('index');
    rmSync(join(store, 'index'), { recursive: true });
    const elsewhere = { ...rig.env, STILLPOINT_STORE: copyOf(store, 'told') };
    const told = await runHere(['backup'], { cwd: rig.folder, env: elsewhere });
    assert.match(told.stderr, /Parts of the index of .* are gone/);
    assert.match(told.stdout, /stored +\d new chunks?, [\d.]+ KiB/, 'the packs were asked');
    const findings = await runHere(['doctor', '--store', store], { cwd: rig.folder, env: rig.env });
    assert.match(findings.stdout, /^FAILED +store .*Parts of the index/m);
    mkdirSync(join(store, 'gc'), { recursive: true });
    writeFileSync(join(store, 'gc', 'junk'), '');
    const stopped = await runHere(['doctor', '--store', store], { cwd: rig.folder, env: rig.env });
    assert.match(stopped.stdout, /^FAILED +store .*gc\/junk/m);
    const looked = await runHere(['verify', '--store', store], { cwd: rig.folder, env: rig.env });
    assert.match(looked.stdout, /needs a newer Stillpoint, generation gc\/junk/);
    assert.equal(looked.code, 20); // the index is gone, too
    rmSync(join(store, 'gc', 'junk'));
    const { rebuilt } = await run(['repair', '--index'], 0, store);
    assert.equal((rebuilt as unknown[]).length, 1);
    assert.ok(existsSync(join(store, 'index')));
    await run(['verify', '--read-data'], 0, store);
  });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Makes one byte of a table's rows wrong. */
async function breakRowsOf(table: string, folder: string, rig: Rig): Promise<void> {
  const passphrase = readFileSync(join(rig.folder, 'passphrase'), 'utf8').trim();
  await using store = await openStore(await openLocalBackend(folder), { passphrase, seams: systemSeams });
  const { database } = await findSnapshot(store, { name: 'latest' });
  const ids: ChunkId[] = [];
  for await (const entry of readListing(store, database!.listing)) {
    const one = decodeEntry(entry);
    if (one.entry !== 'segment' || one.name !== table) continue;
    for await (const extent of extentsOf(store, one.rows)) if (extent.kind === 'chunk') ids.push(extent.id);
  }
  const { index } = await loadIndex(insideOf(store).context);
  // The frame that has least of other tables.
  const places = ids.flatMap(id => index.places(id));
  const held = (frame: number) =>
    places.reduce((sum, one) => sum + (one.frame === frame ? one.length : 0), 0);
  const share = ({ frame, rawBytes }: (typeof places)[number]) => held(frame) / rawBytes;
  const place = places.reduce((best, one) => (share(one) > share(best) ? one : best));
  const file = join(folder, packName(place.pack));
  const bytes = readFileSync(file);
  bytes[place.sealedOffset + 100]! ^= 1;
  writeFileSync(file, bytes);
}
