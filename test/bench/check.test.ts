import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import pg from 'pg';
import {
  checkPair,
  type Disagreement,
  type Instance,
  type PairCheck,
  repositoryPath,
} from '../../bench/instance/index.ts';
import { readRef } from '../../bench/instance/refs.ts';
import type { PostgresServer } from '../../bench/servers/index.ts';
import { latch, unlock, withInstance } from './with-instance.ts';

// A pair taken the slow and certain way, in a latch, with writes before it and after it.
let saved: { home: string; databaseUrl: string };
let home: string;
let told: { drainedMs: number; unlockedMs: number };
const scratch = mkdtempSync(join(tmpdir(), 'stillpoint-test-'));

const { instance: it } = withInstance({}, async (instance, server) => {
  for (let n = 0; n < 12; n += 1)
    await instance.push({ repositoryId: 1 + (n % 3), ref: `refs/heads/feature/${n % 2}` });
  await instance.repack(1);
  const { unlockToken } = await latch(instance);
  saved = { home: join(scratch, 'saved'), databaseUrl: await copyRows(instance, server) };
  cpSync(instance.home, saved.home, { recursive: true });
  await unlock(instance, unlockToken);
  const { drained, unlocked } = instance.latches.at(-1)!;
  told = { drainedMs: drained!.monotonicMs, unlockedMs: unlocked!.monotonicMs };
  for (let n = 0; n < 6; n += 1) await instance.push({ repositoryId: 1 + (n % 3), ref: 'refs/heads/main' });
});
beforeEach(() => {
  home = mkdtempSync(join(scratch, 'home-'));
  cpSync(saved.home, home, { recursive: true });
});
after(() => rmSync(scratch, { recursive: true }));

/** What the check reads, in a database of its own. */
async function copyRows(instance: Instance, server: PostgresServer): Promise<string> {
  const url = await server.createDatabase('saved');
  const from = new pg.Client({ connectionString: instance.databaseUrl });
  const to = new pg.Client({ connectionString: url });
  await Promise.all([from.connect(), to.connect()]);
  for (const table of ['project', 'repository', 'ref_update']) {
    const { rows } = await from.query(`SELECT * FROM public.${table}`);
    const columns =
      table === 'ref_update'
        ? 'id bigint, repository_id bigint, ref_name text, to_hash char(40)'
        : 'id bigint, project_id bigint, key text, slug text';
    await to.query(`CREATE TABLE public.${table} (${columns})`);
    await to.query(
      `INSERT INTO public.${table} SELECT * FROM jsonb_populate_recordset(NULL::public.${table}, $1)`,
      [JSON.stringify(rows)],
    );
  }
  await Promise.all([from.end(), to.end()]);
  return url;
}

async function disagreements(options: Partial<PairCheck> = {}): Promise<Disagreement[]> {
  const acknowledged = it().acknowledged;
  const pair = { home, databaseUrl: saved.databaseUrl, told: { acknowledged, ...told } };
  const report = await checkPair({ ...pair, ...options });
  assert.deepEqual([report.repositories, report.acknowledged], [3, { expected: 12, forbidden: 6 }]);
  return [...report.disagreements];
}

test('a pair taken in a latch agrees', async () => {
  assert.deepEqual(await disagreements({ fsck: 'full' }), []);
});

test('a ref that was moved back is found', async () => {
  const path = repositoryPath(home, 2);
  const { from, to } = it().acknowledged.find(one => one.repositoryId === 2 && one.from !== null)!;
  const ref = it().acknowledged.find(one => one.to === to)!.ref;
  assert.equal(readRef(path, ref), to);
  writeFileSync(join(path, ref), `${from}\n`);
  assert.deepEqual(await disagreements(), [
    { kind: 'ref-differs', repositoryId: 2, ref, inHome: from, inDatabase: to },
  ]);
});

test('a ref without a row, and a row without its ref, are found', async () => {
  const path = repositoryPath(home, 2);
  const head = readRef(path, 'refs/heads/main');
  writeFileSync(join(path, 'refs/heads/extra'), `${head}\n`);
  rmSync(join(path, 'refs/heads/feature'), { recursive: true });
  const found = await disagreements();
  assert.deepEqual(new Set(found.map(one => one.kind)), new Set(['ref-differs']));
  assert.deepEqual(found.find(one => one.ref === 'refs/heads/extra')?.inDatabase, null);
  assert.equal(found.filter(one => one.inHome === null).length, found.length - 1);
});

test('a missing commit is found, by its row and by git', async () => {
  const one = it().acknowledged.find(entry => entry.repositoryId === 3)!;
  rmSync(join(repositoryPath(home, 3), 'objects', one.to!.slice(0, 2), one.to!.slice(2)));
  const kinds = (await disagreements({ fsck: 'connectivity' })).map(found => found.kind);
  assert.deepEqual(kinds, ['commit-missing', 'fsck']);
});

test('a repository that is missing, and one that nobody knows, are found', async () => {
  rmSync(repositoryPath(home, 1), { recursive: true });
  cpSync(repositoryPath(home, 2), repositoryPath(home, 77), { recursive: true });
  const found = (await disagreements()).map(one => `${one.kind} ${one.repositoryId}`);
  assert.deepEqual(found, ['repository-missing 1', 'repository-unknown 77']);
});

test('a home from after the unlock is too new: by its refs and by its commits', async () => {
  rmSync(home, { recursive: true });
  cpSync(it().home, home, { recursive: true });
  const kinds = (await disagreements()).map(one => one.kind);
  assert.deepEqual(kinds, [...Array(3).fill('ref-differs'), ...Array(6).fill('write-too-new')]);
});

test('a database from after the unlock is too new; one from before a write has lost it', async () => {
  const tooNew = await disagreements({ databaseUrl: it().databaseUrl });
  assert.equal(tooNew.filter(one => one.kind === 'write-too-new').length, 6);
  assert.equal(tooNew.filter(one => one.kind === 'commit-missing').length, 6);
  const client = new pg.Client({ connectionString: saved.databaseUrl });
  await client.connect();
  const last = it().acknowledged[11]!;
  const { rows } = await client.query('DELETE FROM public.ref_update WHERE id = $1 RETURNING *', [
    last.rowId,
  ]);
  const lost = await disagreements();
  await client.query(
    'INSERT INTO public.ref_update SELECT * FROM jsonb_populate_record(NULL::public.ref_update, $1)',
    [rows[0]],
  );
  await client.end();
  assert.deepEqual(lost.map(one => one.kind).sort(), ['ref-differs', 'write-lost']);
});
