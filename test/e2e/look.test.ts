import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { type Rig, runHere } from '../../bench/rig/index.ts';
import { programs } from '../../bench/rig/program.ts';
import { failureOf, restoreArguments, smallRig } from '../helpers/small-rig.ts';

type Item = Readonly<Record<string, unknown>>;

describe('looking into a snapshot', () => {
  let rig: Rig;
  /** With nothing but the store and its passphrase. */
  const bare = (...args: string[]) =>
    runHere(args, {
      cwd: rig.folder,
      env: { STILLPOINT_STORE: rig.store, STILLPOINT_PASSPHRASE_FILE: join(rig.folder, 'passphrase') },
    });
  const entriesAt = async (...args: string[]): Promise<Item[]> => {
    const { code, stdout, stderr } = await bare('ls', 'latest', ...args, '--json');
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout.split('\n').length, 2, 'one document');
    return (JSON.parse(stdout) as { entries: Item[] }).entries;
  };

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 60, rows: 200, inProcess: true });
    writeFileSync(join(rig.instance.home, 'shared', 'new\nline \x1b[31m'), 'odd');
    writeFileSync(
      Buffer.concat([Buffer.from(`${rig.instance.home}/shared/`), Buffer.from([0x66, 0xff])]),
      'no text',
    );
    writeFileSync(join(rig.instance.home, 'shared', 'large.bin'), Buffer.alloc(3_000_000, 'stillpoint'));
    const client = new pg.Client(rig.instance.databaseUrl);
    await client.connect();
    await client.query(`CREATE TABLE public."t\\n" AS SELECT 17 AS a`);
    await client.end();
    await rig.summary(['backup', '--json']);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('ls shows a folder for people, and no control character reaches the terminal', async () => {
    const { code, stdout, stderr } = await bare('ls', 'latest', 'shared');
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^-rw-r----- .* bitbucket\.properties$|^-rw------- .* bitbucket\.properties$/m);
    assert.match(stdout, /^drwx.* data\/$/m);
    assert.match(stdout, /new\\x0aline \\x1b\[31m$/m);
    assert.match(stdout, /f\\xff$/m);
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test('ls in JSON is one document with every field, names exact where they are text', async () => {
    const entries = await entriesAt('shared');
    const odd = entries.find(({ path }) => path === 'shared/new\nline \x1b[31m');
    assert.deepEqual([odd?.['type'], odd?.['size']], ['file', 3]);
    for (const name of ['mode', 'uid', 'gid', 'user', 'group', 'mtime']) assert.ok(odd && name in odd, name);
    const bytes = entries.find(({ pathBytes }) => pathBytes !== undefined);
    assert.deepEqual(bytes?.['path'], 'shared/f\\xff');
    assert.deepEqual(Buffer.from(String(bytes?.['pathBytes']), 'base64').at(-1), 0xff);
    const all = await entriesAt('-r');
    const found = execFileSync('find', [join(rig.instance.home, 'shared/data')], { encoding: 'buffer' });
    const lines = found.toString('latin1').trim().split('\n').length;
    assert.equal(all.filter(({ path }) => /^shared\/data(\/|$)/.test(String(path))).length, lines);
  });

  test('the top of a snapshot, its tables, and each of their rows can be reached', async () => {
    const top = await entriesAt('/');
    assert.deepEqual(
      top.map(({ path }) => path),
      [rig.instance.home, 'database:'],
    );
    const groups = await entriesAt('database:');
    assert.deepEqual(groups.length, 3);
    const tables = await entriesAt('database:tables/public');
    const project = tables.find(({ path }) => path === 'database:tables/public/project');
    assert.equal(project?.['type'], 'table');
    const { stdout } = await bare('cat', 'latest', 'database:tables/public/project');
    assert.equal(stdout.trimEnd().split('\n').length, project?.['rows']);
    const shown = await bare('ls', 'latest', 'database:tables/public');
    const [odd] = shown.stdout.match(/t\\\\n$/m) ?? [];
    assert.equal((await bare('cat', 'latest', `database:tables/public/${odd}`)).stdout, '17\n');
    const parent = await bare('cat', 'latest', 'database:tables/public/activity', '--json');
    assert.deepEqual(failureOf(parent), { exit: 1, code: 'PATH_UNKNOWN' });
    const ddl = await bare('cat', 'latest', 'database:definitions/pre-data');
    assert.match(ddl.stdout, /CREATE TABLE public\.project/);
    const sequence = await bare('cat', 'latest', 'database:sequences/public/project_id_seq');
    assert.match(sequence.stdout, /^\d+\t[tf]\n$/);
    const missing = await bare('ls', 'latest', 'database:tables/public/projct', '--json');
    assert.deepEqual(failureOf(missing), { exit: 1, code: 'PATH_UNKNOWN' });
    assert.match(missing.stderr, /database:tables\/public\/project/);
  });

  test('cat gives the bytes as they are, and ends quietly when nobody reads on', async () => {
    const env = { ...rig.env, PATH: process.env['PATH'] ?? '' };
    const large = join(rig.instance.home, 'shared', 'large.bin');
    const options = { cwd: rig.folder, env, maxBuffer: 1 << 24 };
    const args = [programs.stillpoint, 'cat', 'latest', large];
    const whole = spawnSync(process.execPath, args, options);
    assert.deepEqual([whole.status, String(whole.stderr)], [0, '']);
    assert.ok(whole.stdout.equals(readFileSync(large)));
    const pipe = '{ "$@"; echo $? >&2; } | head -c 5';
    const cut = spawnSync('sh', ['-c', pipe, '-', process.execPath, ...args], options);
    assert.deepEqual([String(cut.stdout), String(cut.stderr)], ['still', '0\n']);
  });

  test('what is not there is 1, and a way up is a usage error', async () => {
    const missing = await bare('cat', 'latest', 'shared/bitbucket.propertise', '--json');
    assert.deepEqual(failureOf(missing), { exit: 1, code: 'PATH_UNKNOWN' });
    assert.match(missing.stderr, /bitbucket\.properties\b/);
    assert.equal(missing.stdout, '');
    assert.deepEqual(failureOf(await bare('ls', 'latest', '../etc', '--json')), { exit: 2, code: 'USAGE' });
  });

  test('a part of the home is restored with nothing but store and passphrase, and owned as asked', async () => {
    const { home } = rig.target('part');
    const odd = 'shared/new\\x0aline \\x1b[31m';
    const args = ['restore', 'latest', '--home', home, '--path', 'shared/config', '--path', odd];
    const ended = await bare(...args, '--repository', '2', '--owner', '123:456', '--json');
    const { home: done, database, afterwards } = ended.json.at(-1) ?? {};
    assert.deepEqual([ended.code, ended.stderr, database, afterwards], [0, '', null, []]);
    assert.ok(Number((done as Item)['files']) > 2);
    assert.deepEqual(readdirSync(home), ['shared']);
    assert.deepEqual(readdirSync(join(home, 'shared')).sort(), ['config', 'data', 'new\nline \x1b[31m']);
    assert.deepEqual(readdirSync(join(home, 'shared/data/repositories')), ['2']);
    if (process.geteuid?.() === 0) assert.equal(statSync(join(home, 'shared')).uid, 123);
    const repository = join(home, 'shared/data/repositories/2');
    execFileSync('git', ['-c', 'safe.directory=*', '-C', repository, 'fsck', '--full'], { stdio: 'pipe' });
    assert.deepEqual(failureOf(await bare(...args, '--json')), { exit: 1, code: 'TARGET_NOT_EMPTY' });
  });

  test('parts with the database, strange owners, and places for nothing are usage errors', async () => {
    const target = rig.target('never');
    const part = ['restore', 'latest', '--home', target.home, '--path', 'shared'];
    for (const more of [
      ['--database', target.databaseArgument],
      ['--only', 'database'],
      ['--owner', 'root'],
      ['--owner', '1:99999999999'],
      ['--map', 'a=b'],
    ])
      assert.deepEqual(
        failureOf(await bare(...part, ...more, '--json')),
        { exit: 2, code: 'USAGE' },
        more.join(' '),
      );
    assert.equal(existsSync(target.home), false);
  });

  test('diff tells a push, a rename, a mode, and each changed row', async () => {
    const { instance } = rig;
    const before = String((await rig.summary(['backup', '--json']))['snapshot']);
    const home = (name: string) => join(instance.home, 'shared', name);
    await instance.push({ repositoryId: 1, ref: 'refs/heads/main' });
    renameSync(home('large.bin'), home('renamed.bin'));
    chmodSync(home('config/ssh-server-keys.pem'), 0o640);
    const client = new pg.Client({ connectionString: instance.databaseUrl });
    await client.connect();
    await client.query("INSERT INTO app_user (name, email) VALUES ('new', 'new@example.org')");
    await client.query("UPDATE project SET name = name || '!' WHERE id = 1");
    await client.query('DELETE FROM ref_update WHERE id = (SELECT min(id) FROM ref_update)');
    await client.query('CREATE TABLE made (id int); INSERT INTO made SELECT generate_series(1, 3)');
    await client.query('VACUUM FULL repository');
    await client.end();
    const after = String((await rig.summary(['backup', '--json']))['snapshot']);

    const { code, stdout, stderr, json } = await bare('diff', before, after, '--json');
    assert.deepEqual([code, stderr, stdout.split('\n').length], [0, '', 2]);
    const { files, refs, tables, sequences, definitions, summary } = json[0] as Record<string, Item[]>;
    const changes = new Map(files!.map(({ path, change, metadata }) => [path, `${change} ${metadata}`]));
    assert.equal(changes.get('shared/renamed.bin'), 'added ');
    assert.equal(changes.get('shared/large.bin'), 'removed ');
    assert.equal(changes.get('shared/config/ssh-server-keys.pem'), 'metadata mode');
    assert.equal(changes.get('shared/data/repositories/1/refs/heads/main'), 'content mtime');
    const repository = join(instance.home, 'shared/data/repositories/1');
    const main = readFileSync(join(repository, 'refs/heads/main'), 'utf8').trim();
    const [moved, ...others] = refs!;
    assert.deepEqual(
      [moved?.['repository'], moved?.['ref'], moved?.['after'], others],
      ['1', 'refs/heads/main', main, []],
    );
    const rows = new Map(tables!.map(table => [table['name'], [table['rowsAdded'], table['rowsRemoved']]]));
    assert.deepEqual(rows.get('app_user'), [1, 0]);
    assert.deepEqual(rows.get('project'), [1, 1]);
    assert.deepEqual(rows.get('ref_update'), [1, 1], 'the row of the push, and the one that was deleted');
    assert.deepEqual(rows.get('made'), [3, 0]);
    assert.equal(rows.has('repository'), false, 'VACUUM FULL changes no row');
    const user = sequences!.find(({ name }) => name === 'app_user_id_seq');
    assert.equal(Number(user?.['after']) - Number(user?.['before']), 1);
    assert.ok(definitions!.includes('pre-data' as unknown as Item));
    assert.equal((summary as unknown as Item)['refs'], 1);

    const people = await bare('diff', before, after);
    assert.match(people.stdout, /^\+ shared\/renamed\.bin$/m);
    assert.match(people.stdout, /^M shared\/config\/ssh-server-keys\.pem \(mode\)$/m);
    assert.match(
      people.stdout,
      new RegExp(`^ref 1 refs/heads/main {2}[0-9a-f]{12} -> ${main.slice(0, 12)}$`, 'm'),
    );
    assert.match(people.stdout, /^table public\.project {2}\d+ -> \d+ rows: 1 added, 1 removed$/m);
    const same = await bare('diff', after, after, '--json');
    assert.deepEqual(same.json[0]?.['files'], []);
    assert.deepEqual(same.json[0]?.['tables'], []);
  });

  test('a twin is pointed to its own database', async () => {
    const target = rig.target('twin');
    const summary = await rig.summary([...restoreArguments(target), '--set-jdbc', '--json']);
    const notes = (summary['afterwards'] as string[]).join('\n');
    assert.doesNotMatch(notes, /DO NOT START/);
    assert.match(notes, /jdbc\.url .* is now jdbc:postgresql:\/\/.*\/twin/);
    const properties = readFileSync(join(target.home, 'shared/bitbucket.properties'), 'utf8');
    assert.match(properties, /^jdbc\.url=jdbc:postgresql:\/\/.*\/twin$/m);
    const half = await bare(
      'restore',
      'latest',
      '--only',
      'home',
      '--home',
      `${target.home}2`,
      '--set-jdbc',
      '--json',
    );
    assert.deepEqual(failureOf(half), { exit: 2, code: 'USAGE' });
  });
});
