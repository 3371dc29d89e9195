import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { bitbucketExcludes } from '../../../../engine/home/index.ts';
import { type BytePath, bytePathOfText } from '../../../../engine/home/paths.ts';
import { compileExcludes } from '../../../../engine/home/rules/exclude.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

async function rules(
  lines: readonly string[],
  {
    repositories = [],
    isHome = true,
  }: { repositories?: readonly (string | number)[]; isHome?: boolean } = {},
) {
  const isExcluded = await compileExcludes({ rules: lines, repositories, isHome });
  return (path: string): boolean => {
    const folder = path.endsWith('/');
    return isExcluded(bytePathOfText(folder ? path.slice(0, -1) : path), folder);
  };
}

test('the application’s excludes leave out caches, indexes, exports, hidden plugin folders and locks', async () => {
  const excluded = await rules(bitbucketExcludes);
  for (const path of [
    'caches/',
    'data/db.h2.db',
    'shared/data/db.mv.db',
    'search/data/',
    'shared/search/data/',
    'export/',
    'shared/export/',
    'plugins/.osgi-cache/',
    'shared/plugins/.bundled-plugins/',
    'tmp/',
    'tmp',
    '.lock',
    'shared/.lock',
  ]) {
    assert.equal(excluded(path), true, path);
  }
});

test('the application’s excludes keep repositories, logs and installed plugins', async () => {
  const excluded = await rules(bitbucketExcludes);
  for (const path of [
    'shared/data/repositories/1/caches/',
    'shared/data/repositories/1/HEAD',
    'shared/plugins/installed-plugins/',
    'shared/plugins/installed-plugins/a.jar',
    'shared/plugins/.file',
    'log/',
    'shared/tmp/',
    'shared/data/dbx',
    'shared/caches',
    'caches',
    'shared/data/attachments/.lock',
  ]) {
    assert.equal(excluded(path), false, path);
  }
});

test('rules tell capitals from small letters, and a dot is a dot', async () => {
  const excluded = await rules(['*.Bak', 'a.b', '/Log/']);
  assert.equal(excluded('x.Bak'), true);
  assert.equal(excluded('x.bak'), false);
  assert.equal(excluded('axb'), false);
  assert.equal(excluded('log/'), false);
  assert.equal(excluded('deep/down/a.b'), true);
});

test('a later rule takes back what an earlier one excluded', async () => {
  const excluded = await rules([...bitbucketExcludes, '!/tmp', '/log/*', '!/log/audit']);
  assert.equal(excluded('tmp/'), false);
  assert.equal(excluded('log/x.log'), true);
  assert.equal(excluded('log/audit/'), false);
});

test('repositories are excluded by id in both layouts, whatever the rules take back', async () => {
  const excluded = await rules(['!*'], { repositories: [7, '12'] });
  assert.equal(excluded('shared/data/repositories/7/'), true);
  assert.equal(excluded('data/repositories/12/'), true);
  assert.equal(excluded('shared/data/repositories/77/'), false);
  assert.equal(excluded('shared/data/attachments/7/'), false);
});

test('in a data store only rules without a place of their own apply', async () => {
  const excluded = await rules(['/tmp', 'data/x', '*.bak', 'old/', '**/y/z'], {
    isHome: false,
    repositories: [3],
  });
  assert.equal(excluded('tmp'), false);
  assert.equal(excluded('data/x'), false);
  assert.equal(excluded('a/b.bak'), true);
  assert.equal(excluded('a/old/'), true);
  assert.equal(excluded('a/y/z'), true);
  assert.equal(excluded('repositories/3/'), true);
});

test('names that are no UTF-8 match as bytes, and never throw', async () => {
  const isExcluded = await compileExcludes({ rules: ['caf?', 'b*'], repositories: [], isHome: true });
  assert.equal(isExcluded('caf\xe9' as BytePath, false), true);
  assert.equal(isExcluded('b\xff\xfe' as BytePath, true), true);
  assert.equal(isExcluded('\xff' as BytePath, false), false);
  const random = (seed: number): BytePath =>
    String.fromCharCode(...Array.from({ length: 8 }, (_, i) => ((seed * 31 + i * 97) % 254) + 1)).replaceAll(
      '/',
      '_',
    ) as BytePath;
  for (let seed = 0; seed < 300; seed++) isExcluded(random(seed), seed % 2 === 0);
});

test('the matcher stays right when it has answered many questions', async () => {
  const excluded = await rules(['*.bak']);
  for (let i = 0; i < 20_000; i++)
    assert.equal(excluded(`d/f${i}.${i % 7 === 0 ? 'bak' : 'txt'}`), i % 7 === 0);
});

test('an excluded folder is not entered', async () => {
  using scratch = scratchFolder();
  plant(scratch.path, ['tmp/a/b', 'caches/x', 'shared/keep', 'x.bak']);
  const seen: string[] = [];
  const { entries, result } = await captureHome(scratch.path, {
    appExcludes: bitbucketExcludes,
    exclude: ['*.bak'],
    statSeam: (path, stats) => {
      seen.push(path.toString().slice(scratch.path.length + 1));
      return stats;
    },
  });
  assert.deepEqual([...entries.keys()], ['', 'shared', 'shared/keep']);
  assert.equal(
    seen.some(path => path.startsWith('tmp/') || path.startsWith('caches/')),
    false,
  );
  assert.equal(result.skipped.excluded, 3);
});

test('what a killed Git left behind is skipped and said; the same names elsewhere are kept', async () => {
  using scratch = scratchFolder();
  const repository = 'shared/data/repositories/1';
  plant(scratch.path, [
    `${repository}/HEAD`,
    `${repository}/HEAD.lock`,
    `${repository}/gc.pid`,
    `${repository}/packed-refs.lock`,
    `${repository}/config`,
    `${repository}/refs/heads/main`,
    `${repository}/refs/heads/main.lock`,
    `${repository}/refs/heads/deep/er/x.lock`,
    `${repository}/objects/aa/tmp_obj_x1`,
    `${repository}/objects/aa/${'b'.repeat(38)}`,
    `${repository}/objects/pack/tmp_pack_y2`,
    `${repository}/objects/pack/pack-1.pack`,
    `${repository}/logs/tmp_pack_z`,
    'shared/other/HEAD.lock',
    'shared/other/gc.pid',
    'shared/other/tmp_obj_q',
  ]);
  const { entries, result } = await captureHome(scratch.path);
  assert.equal(result.skipped.gitLeftOvers, 7);
  assert.deepEqual(
    [...entries.keys()].filter(path => /lock|gc\.pid|tmp_/.test(path)),
    [
      `${repository}/logs/tmp_pack_z`,
      'shared/other/HEAD.lock',
      'shared/other/gc.pid',
      'shared/other/tmp_obj_q',
    ],
  );
  assert.equal(entries.has(`${repository}/objects/pack/pack-1.pack`), true);
  assert.equal(
    result.notes.some(note => note.includes('gc.pid')),
    true,
  );
});

function plant(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(`${root}/${path}`), { recursive: true });
    writeFileSync(`${root}/${path}`, path);
  }
}
