import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Listed, listPath, printable, readPath } from '../../../engine/look/index.ts';
import type { Snapshot } from '../../../engine/pair.ts';
import type { ChunkSource } from '../../../store/index.ts';
import { countedChunks } from '../../helpers/chunks.ts';
import { collect } from '../../helpers/collect.ts';
import { everyKind, pseudoRandom, sparse } from '../../helpers/home-tree.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { snapshotOf } from '../../helpers/one-snapshot.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

async function namesAt(
  source: ChunkSource,
  snapshot: Snapshot,
  path: string,
  isDeep = false,
): Promise<string[]> {
  const { entries } = await listPath(source, { snapshot, path, isDeep });
  return (await collect(entries)).map(nameOf);
}

const nameOf = (listed: Listed): string =>
  listed.in === 'root' ? `${listed.entry.path}${listed.entry.kind === 'folder' ? '/' : ''}` : 'database:';

async function bytesAt(source: ChunkSource, snapshot: Snapshot, path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readPath(source, { snapshot, path })) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

test('a folder is listed without what is below its subfolders, and with it when asked', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  mkdirSync(`${home}/a/b/c`, { recursive: true });
  for (const name of ['a-b', 'a/x', 'a/b/y', 'a/b/c/z', 'a.txt']) writeFileSync(`${home}/${name}`, name);
  const { chunks, result } = await captureHome(home);
  const snapshot = snapshotOf(result);
  for (const path of ['', '.', './', home, `${home}/`])
    assert.deepEqual(await namesAt(chunks, snapshot, path), ['a-b', 'a.txt', 'a/'], path);
  assert.deepEqual(await namesAt(chunks, snapshot, 'a'), ['a/b/', 'a/x']);
  assert.deepEqual(await namesAt(chunks, snapshot, `${home}//a/./b/`, true), ['a/b/c/', 'a/b/c/z', 'a/b/y']);
  assert.deepEqual(await namesAt(chunks, snapshot, 'a/b/c/z'), ['a/b/c/z']);
  assert.deepEqual(await namesAt(chunks, snapshot, '/'), ['/']);
});

test('what is not there is named with what is near; a link on the way is said', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  mkdirSync(`${home}/shared/data`, { recursive: true });
  writeFileSync(`${home}/shared/bitbucket.properties`, '');
  symlinkSync('shared', `${home}/link`);
  const { chunks, result } = await captureHome(home);
  const snapshot = snapshotOf(result);
  const refused = (path: string, code: string, remedy: RegExp) =>
    assert.rejects(namesAt(chunks, snapshot, path), (error: Error & { code?: string; remedy?: string }) => {
      assert.deepEqual(
        [error.code, remedy.test(error.remedy ?? '')],
        [code, true],
        `${path}: ${error.remedy}`,
      );
      return true;
    });
  await refused('shared/bitbucket.propertis', 'PATH_UNKNOWN', /mean shared\/bitbucket\.properties\?/);
  await refused('shard/data', 'PATH_UNKNOWN', /mean shared\?/);
  await refused('link/data', 'PATH_UNKNOWN', /link/);
  await refused('/etc/passwd', 'PATH_UNKNOWN', /below/);
  await refused('database:tables', 'PATH_UNKNOWN', /show/);
  await refused('shared/../x', 'USAGE', /without/);
  await refused('x'.repeat(70_000), 'PATH_UNKNOWN', /ls/);
  await assert.rejects(bytesAt(chunks, snapshot, 'shared'), { code: 'PATH_UNKNOWN' });
  await assert.rejects(bytesAt(chunks, snapshot, 'link'), { code: 'PATH_UNKNOWN' });
});

test('every name is shown without control characters, and what is shown finds it again', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  await everyKind(home);
  const { chunks, result, entries } = await captureHome(home);
  const snapshot = snapshotOf(result);
  for (const { path } of entries.values()) {
    if (path === '') continue;
    const shown = printable(path);
    assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f]/);
    const { entries: found } = await listPath(chunks, { snapshot, path: `./${shown}`, isDeep: false });
    const first = (await collect(found))[0];
    assert.ok(first?.in !== 'root' || first.entry.path.startsWith(path), shown);
  }
  assert.equal(await bytesAt(chunks, snapshot, 'new\\x0aline').then(String), 'new\nline');
  assert.equal(await bytesAt(chunks, snapshot, 'new\nline').then(String), 'new\nline');
  assert.equal(await bytesAt(chunks, snapshot, '\\').then(String), '\\');
});

test('bytes come as they were: binary, large, with holes as zeros', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  mkdirSync(home);
  writeFileSync(`${home}/large`, pseudoRandom(3_000_000));
  writeFileSync(`${home}/empty`, '');
  sparse(`${home}/sparse`, { size: 5_000_000, data: [0, 2_000_000] });
  sparse(`${home}/hole`, { size: 3_000_000, data: [] });
  const { chunks, result } = await captureHome(home);
  for (const name of ['large', 'empty', 'sparse', 'hole'])
    assert.ok(
      (await bytesAt(chunks, snapshotOf(result), name)).equals(readFileSync(`${home}/${name}`)),
      name,
    );
});

test('a folder of 10,000 files is listed whole, and beside it a small one is listed by a few reads', async () => {
  using scratch = scratchFolder();
  const home = `${scratch.path}/home`;
  mkdirSync(`${home}/few`, { recursive: true });
  mkdirSync(`${home}/many`);
  for (let i = 0; i < 10_000; i++) writeFileSync(`${home}/many/${String(i).padStart(5, '0')}`, `${i}`);
  mkdirSync(`${home}/z`);
  const chunks = countedChunks();
  const { result } = await captureHome(home, { chunks });
  const snapshot = snapshotOf(result);
  assert.equal((await namesAt(chunks, snapshot, 'many')).length, 10_000);
  chunks.counts.gets = 0;
  assert.deepEqual(await namesAt(chunks, snapshot, ''), ['few/', 'many/', 'z/']);
  const nodes = chunks.count('metadata');
  assert.ok(nodes > 20 && chunks.counts.gets <= 12, `${chunks.counts.gets} of ${nodes} nodes`);
});
