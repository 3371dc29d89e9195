import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { HomeDifference } from '../../../engine/look/index.ts';
import { type CountedChunks, countedChunks } from '../../helpers/chunks.ts';
import { collect } from '../../helpers/collect.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { snapshotOf } from '../../helpers/one-snapshot.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const hashes = ['a', 'b', 'c', 'd', 'e'].map(digit => digit.repeat(40)) as [
  string,
  string,
  string,
  string,
  string,
];

/** What differs after a change of a home: entries, refs, and how many chunks were read to know it. */
async function changesOf(home: string, change: () => void, chunks: CountedChunks = countedChunks()) {
  const before = snapshotOf((await captureHome(home, { chunks })).result);
  change();
  const after = snapshotOf((await captureHome(home, { chunks })).result, 'cd');
  chunks.counts.gets = 0;
  const difference = new HomeDifference(chunks, { before, after });
  const entries = (await collect(difference.entries())).map(({ how, before: was, after: is, fields }) =>
    [how, (is ?? was)!.path, ...fields].join(' '),
  );
  const refs = (await collect(difference.refs())).map(
    ({ folder, ref, before: was, after: is }) =>
      `${folder.slice(folder.lastIndexOf('/') + 1)} ${ref} ${short(was)} ${short(is)}`,
  );
  return { entries, refs, gets: chunks.counts.gets };
}

const short = (value: string | null): string =>
  value === null ? '-' : /^[0-9a-f]{40}$/.test(value) ? value.slice(0, 1) : value;

const write = (path: string, text: string): void => {
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  writeFileSync(path, text);
};

test('a change of content, of metadata alone, a rename, and what came and went are told apart', async () => {
  using scratch = scratchFolder();
  const { path: home } = scratch;
  for (const name of ['same', 'content', 'mode', 'time', 'gone', 'old-name', 'f/kind', 'linked'])
    write(`${home}/${name}`, name);
  symlinkSync('same', `${home}/link`);
  mkdirSync(`${home}/folder`);
  const { entries } = await changesOf(home, () => {
    writeFileSync(`${home}/content`, 'CONTENT');
    chmodSync(`${home}/mode`, 0o600);
    chmodSync(`${home}/folder`, 0o700);
    utimesSync(`${home}/time`, 1, 1);
    rmSync(`${home}/gone`);
    renameSync(`${home}/old-name`, `${home}/new-name`);
    rmSync(`${home}/f/kind`);
    symlinkSync('../same', `${home}/f/kind`);
    rmSync(`${home}/link`);
    symlinkSync('content', `${home}/link`);
    linkSync(`${home}/linked`, `${home}/linked-too`);
  });
  assert.deepEqual(entries, [
    'content content mtime',
    'kind f/kind',
    'metadata folder mode',
    'removed gone',
    'content link mtime',
    'metadata linked links',
    'added linked-too',
    'metadata mode mode',
    'added new-name',
    'removed old-name',
    'metadata time mtime',
  ]);
});

test('where nothing changed nothing is told, and nothing is read', async () => {
  using scratch = scratchFolder();
  for (let i = 0; i < 300; i++) write(`${scratch.path}/d${i % 7}/${i}`, `${i}`);
  const chunks = countedChunks();
  const { result } = await captureHome(scratch.path, { chunks });
  const [before, after] = [snapshotOf(result), snapshotOf(result, 'cd')];
  chunks.counts.gets = 0;
  const difference = new HomeDifference(chunks, { before, after });
  assert.deepEqual(await collect(difference.entries()), []);
  assert.deepEqual(await collect(difference.refs()), []);
  assert.equal(chunks.counts.gets, 0);
});

test('refs that moved, were made, deleted or packed are told by their hashes', async () => {
  using scratch = scratchFolder();
  const repositories = `${scratch.path}/shared/data/repositories`;
  const [a, b, c, d, e] = hashes;
  for (const id of ['1', '2', '3', '4']) {
    write(`${repositories}/${id}/HEAD`, 'ref: refs/heads/main\n');
    write(
      `${repositories}/${id}/packed-refs`,
      `# pack-refs with: peeled fully-peeled sorted \n${a} refs/heads/main\n${b} refs/tags/v1\n^${c}\n`,
    );
    write(`${repositories}/${id}/refs/heads/loose`, `${c}\n`);
  }
  const { entries, refs } = await changesOf(scratch.path, () => {
    // moved, though packed; made; deleted; HEAD set to another
    write(`${repositories}/1/refs/heads/main`, `${d}\n`);
    write(`${repositories}/1/refs/heads/new/one`, `${e}\n`);
    rmSync(`${repositories}/1/refs/heads/loose`);
    write(`${repositories}/1/HEAD`, 'ref: refs/heads/new/one\n');
    // only packed: nothing moved
    rmSync(`${repositories}/2/refs/heads/loose`);
    write(
      `${repositories}/2/packed-refs`,
      `# pack-refs with: peeled fully-peeled sorted \n${c} refs/heads/loose\n${a} refs/heads/main\n${b} refs/tags/v1\n^${c}\n`,
    );
    // an object is no ref
    write(`${repositories}/3/objects/ab/cdef`, 'blob');
    // a whole repository went, and one came
    rmSync(`${repositories}/4`, { recursive: true });
    write(`${repositories}/5/refs/heads/main`, `${e}\n`);
  });
  assert.deepEqual(refs, [
    '1 HEAD ref: refs/heads/main ref: refs/heads/new/one',
    '1 refs/heads/loose c -',
    '1 refs/heads/main a d',
    '1 refs/heads/new/one - e',
    '4 HEAD ref: refs/heads/main -',
    '4 refs/heads/loose c -',
    '4 refs/heads/main a -',
    '4 refs/tags/v1 b -',
    '5 refs/heads/main - e',
  ]);
  assert.ok(entries.includes('content shared/data/repositories/2/packed-refs mtime'), entries.join('\n'));
});

test('a data store is compared with itself, and one that is new is all added', async () => {
  using scratch = scratchFolder();
  const [home, one, two] = ['home', 'one', 'two'].map(name => `${scratch.path}/${name}`) as [
    string,
    string,
    string,
  ];
  for (const folder of [home, one, two]) write(`${folder}/file`, folder);
  const chunks = countedChunks();
  const before = snapshotOf((await captureHome(home, { chunks, dataStores: [one] })).result);
  write(`${one}/repositories/7/HEAD`, 'ref: refs/heads/main\n');
  const after = snapshotOf((await captureHome(home, { chunks, dataStores: [one, two] })).result, 'cd');
  const difference = new HomeDifference(chunks, { before, after });
  const told = (await collect(difference.entries())).map(
    ({ how, root, after: is }) => `${how} ${Buffer.from(root.path)} ${is?.path}`,
  );
  assert.deepEqual(
    told.filter(text => !text.includes('repositories')),
    [`added ${two} `, `added ${two} file`],
  );
  assert.deepEqual(
    (await collect(difference.refs())).map(({ ref }) => ref),
    ['HEAD'],
  );
});
