import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeOddFiles } from '../../bench/instance/index.ts';
import { type Rig, runHere } from '../../bench/rig/index.ts';
import { availableServers } from '../../bench/servers/index.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { type LoadedTable, readTables, rowsByServer, sortedRows } from '../helpers/portable-tables.ts';
import { projectRoot } from '../helpers/project.ts';
import { failureOf, smallRig } from '../helpers/small-rig.ts';

const debian = (await availableServers()).find(({ clientDir }) => clientDir !== null);
const skip = debian ? false : 'there is no psql here: install the client of PostgreSQL';

const loadSqlite = join(projectRoot, 'test', 'helpers', 'load-sqlite.py');
const noPython =
  spawnSync('python3', ['-c', 'import sqlite3']).status === 0 ? false : 'there is no python3 here';

describe('an export', { skip }, () => {
  let rig: Rig;
  let archives: string;
  const bare = (...args: string[]) =>
    runHere(args, {
      cwd: archives,
      env: { STILLPOINT_STORE: rig.store, STILLPOINT_PASSPHRASE_FILE: join(rig.folder, 'passphrase') },
    });
  const psql = (...args: string[]) =>
    execFileSync(join(debian!.clientDir!, 'psql'), ['-X', ...args], {
      encoding: 'utf8',
      env: { ...process.env, PGPASSWORD: rig.env['PGPASSWORD'] },
      stdio: 'pipe',
    });

  before(async () => {
    rig = await smallRig({ server: debian!.kind, repositories: 2, files: 60, rows: 300 });
    archives = join(rig.folder, 'archives');
    mkdirSync(archives);
    await writeOddFiles(rig.instance.home);
    await rig.summary(['backup', '--json']);
  });
  after(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  test('is brought back by tar and psql alone', async () => {
    const { code, stderr, json } = await bare('export', 'latest', '-o', 'all.tar.zst', '--json');
    assert.deepEqual([code, stderr], [0, '']);
    const top = `stillpoint-${String(json.at(-1)?.['snapshot']).slice(0, 8)}`;
    execFileSync(
      'tar',
      ['--zstd', '-xpf', 'all.tar.zst', '--numeric-owner', '--xattrs', '--xattrs-include=*'],
      { cwd: archives, stdio: 'pipe' },
    );
    const here = join(archives, top);
    execFileSync('sha256sum', ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: here, stdio: 'pipe' });
    await assertEqualsOriginal(rig.instance, join(here, 'home'));

    const url = rig.server.url('loaded');
    psql('-v', 'name=loaded', '-f', join(here, 'database/create-database.sql'), rig.server.superuserUrl);
    const said = psql('-f', join(here, 'database/load.sql'), url);
    assert.match(said, /every table has its rows$/m);
    psql('-f', join(here, 'database/database-settings.sql'), url);
    await assertDatabasesEqual(rig.instance.databaseUrl, url, { pgDump: debian!.clientDir });
    assert.throws(() => psql('-f', join(here, 'database/load.sql'), url), /not empty/);
  });

  test('replaces no file unless told, and leaves nothing of one that failed', async () => {
    const first = readFileSync(join(archives, 'all.tar.zst'));
    const again = await bare('export', 'latest', '-o', 'all.tar.zst', '--json');
    assert.deepEqual(failureOf(again), { exit: 1, code: 'TARGET_NOT_EMPTY' });
    const forced = await bare('export', 'latest', '-o', 'all.tar.zst', '--force');
    assert.deepEqual([forced.code, forced.stderr], [0, '']);
    assert.deepEqual(
      readFileSync(join(archives, 'all.tar.zst')),
      first,
      'the same snapshot is the same archive',
    );
    for (const [args, code] of [
      [['-o', 'all.zip'], 'USAGE'],
      [[], 'USAGE'],
      [['-o', '-'], 'USAGE'],
      [['-o', 'nowhere/all.tar'], 'TARGET_FAILED'],
      [['-o', join(rig.store, 'all.tar')], 'USAGE'],
    ] as const) {
      const ended = await bare('export', 'latest', ...args, '--json');
      assert.equal(failureOf(ended).code, code, args.join(' '));
    }
    assert.deepEqual(
      readdirSync(archives).filter(name => name.includes('part')),
      [],
    );
  });

  test('of the tables is loaded into SQLite by its description, row for row', {
    skip: noPython,
  }, async () => {
    const { code, stderr } = await bare('export', 'latest', '--portable', '-o', 'tables');
    assert.deepEqual([code, stderr], [0, '']);
    const folder = join(archives, 'tables');
    execFileSync('sha256sum', ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: folder, stdio: 'pipe' });
    const described = readTables(folder);
    const lines = execFileSync('python3', [loadSqlite, folder], {
      encoding: 'utf8',
      stdio: 'pipe',
      maxBuffer: 1e9,
    });
    const expected = await rowsByServer(rig.server.url('bitbucket'), described);
    assert.ok(expected.size > 20);
    const loaded = lines
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as LoadedTable);
    assert.deepEqual(
      new Map(loaded.map(one => [`${one.schema}.${one.name}`, sortedRows(one.rows, one, described)])),
      expected,
    );
  });
});
