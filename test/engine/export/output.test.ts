import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasBackslash } from '../../../engine/database/postgres/sql/statements.ts';
import { textFile } from '../../../engine/export/archive.ts';
import { openOutputFile } from '../../../engine/export/output.ts';
import { openOutputFolder } from '../../../engine/export/output-folder.ts';
import { openSpool } from '../../../engine/export/spool.ts';
import { systemSeams } from '../../../store/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';
import { mountSmallDisk, noSmallDisk } from '../../helpers/small-disk.ts';

const { randomness } = systemSeams;

test('an archive is there under its name when it is whole, for its owner alone', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'a.tar');
  {
    await using output = await openOutputFile(file, { force: false, randomness });
    await output.write(Buffer.from('whole'));
    assert.deepEqual(
      readdirSync(scratch.path).filter(name => !name.endsWith('.part')),
      [],
    );
    await output.commit();
  }
  assert.deepEqual([readdirSync(scratch.path), readFileSync(file, 'utf8')], [['a.tar'], 'whole']);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('what came meanwhile is not replaced, and nothing of ours stays', async () => {
  using scratch = scratchFolder();
  const file = join(scratch.path, 'a.tar');
  {
    await using output = await openOutputFile(file, { force: false, randomness });
    await output.write(Buffer.from('ours'));
    writeFileSync(file, 'theirs');
    await assert.rejects(output.commit(), { code: 'TARGET_NOT_EMPTY' });
  }
  assert.deepEqual([readdirSync(scratch.path), readFileSync(file, 'utf8')], [['a.tar'], 'theirs']);
  {
    await using _given = await openOutputFile(file, { force: true, randomness });
  }
  assert.deepEqual([readdirSync(scratch.path), readFileSync(file, 'utf8')], [['a.tar'], 'theirs']);
});

test('a folder takes the place of an empty one in one step, never of a full one', async () => {
  using scratch = scratchFolder();
  const folder = join(scratch.path, 'tables');
  {
    await using _given = await openOutputFolder(folder, { randomness });
    await _given.put('tables/a.csv', textFile('a'));
  }
  assert.deepEqual(readdirSync(scratch.path), []);
  mkdirSync(folder);
  {
    await using output = await openOutputFolder(folder, { randomness });
    await output.put('tables/a.csv', textFile('a'));
    await output.commit();
  }
  assert.deepEqual(
    [readdirSync(scratch.path), readdirSync(folder).sort()],
    [['tables'], ['SHA256SUMS', 'tables']],
  );
  await assert.rejects(openOutputFolder(folder, { randomness }), { code: 'TARGET_NOT_EMPTY' });
});

test('a full disk is told, and gets its space back', { skip: noSmallDisk ?? false }, async () => {
  using scratch = scratchFolder();
  using disk = mountSmallDisk(join(scratch.path, 'disk'), { bytes: 256 * 1024 });
  const before = disk.freeBytes;
  const write = async (): Promise<void> => {
    await using output = await openOutputFile(join(disk.path, 'a.tar'), { force: false, randomness });
    for (let i = 0; i < 64; i += 1) await output.write(Buffer.alloc(16 * 1024));
    await output.commit();
  };
  await assert.rejects(write(), (error: { code: string; context: { code: string } }) => {
    assert.deepEqual([error.code, error.context.code], ['TARGET_FAILED', 'ENOSPC']);
    return true;
  });
  assert.deepEqual(readdirSync(disk.path), []);
  assert.equal(disk.freeBytes, before);
});

test('a spool gives back what it took, and has no name', async () => {
  using scratch = scratchFolder();
  await using spool = await openSpool(scratch.path, randomness);
  const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(5_000, i));
  for (const piece of pieces) await spool.add(piece);
  assert.deepEqual([await spool.end(), readdirSync(scratch.path)], [200_000, []]);
  const back: Uint8Array[] = [];
  for await (const bytes of spool.parts()) back.push(Buffer.from(bytes));
  assert.deepEqual(Buffer.concat(back), Buffer.concat(pieces));
});

test('a command of psql is found wherever it hides, and no string is taken for one', () => {
  for (const sql of [
    '\\! id',
    'SELECT 1 \\! id\n;',
    "SELECT 'a' \\g |sh",
    'CREATE VIEW v AS SELECT 1\n\\i x\n;',
  ])
    assert.ok(hasBackslash(sql), sql);
  for (const sql of [
    "SELECT E'a\\n', '\\x', $$\\!$$, \"\\\"",
    '-- \\!\nSELECT 1',
    '/* \\! /* */ \\! */ SELECT 1',
  ])
    assert.ok(!hasBackslash(sql), sql);
});
