import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { hex, memoryBackend, openStore, type PackId, systemSeams, verifyStore } from '../../store/index.ts';
import { decodeNode, encodeNode } from '../../store/listing/index.ts';
import { readTrailer } from '../../store/pack/reader.ts';
import { encodeTrailer } from '../../store/pack/trailer.ts';
import { openRecord } from '../../store/record.ts';
import { insideOf } from '../../store/store.ts';
import { collect } from '../helpers/collect.ts';
import { buildGoldenStore, goldenNodes, goldenPassphrase } from '../helpers/golden-store.ts';
import { projectRoot } from '../helpers/project.ts';
import { drop } from '../helpers/prune-rig.ts';
import { commitFiles, readFiles } from '../helpers/small-store.ts';

// The files are format v1: kept for good. STILLPOINT_UPDATE_GOLDEN=1 writes them anew, which a reviewer must see as what
// it is, a change of the format.
const folder = join(projectRoot, 'test/golden/v1');
const update = process.env['STILLPOINT_UPDATE_GOLDEN'] === '1';

/** Everything under test/golden/v1 by its path there. */
async function goldenFiles(): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(relative(folder, path), new Uint8Array(await readFile(path)));
  }
  return files;
}

const built = await buildGoldenStore();
const expected = new Map<string, Uint8Array>([
  ...[...built.objects].map(([name, bytes]) => [`store/${name}`, bytes] as const),
  ...Object.entries(goldenNodes).map(
    ([name, node]) => [`nodes/${name}.bin`, encodeNode(node).slice()] as const,
  ),
  ...(await plainTrailers()),
  ['facts.json', Buffer.from(`${JSON.stringify(factsOf(), plainly, 2)}\n`)],
]);
if (update) {
  await rm(folder, { recursive: true, force: true });
  for (const [name, bytes] of expected) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}
const files = await goldenFiles();

/** What the trailers of the packs seal. */
async function plainTrailers(): Promise<[string, Uint8Array][]> {
  const store = await openStore(memoryBackend({ objects: built.objects }), {
    passphrase: goldenPassphrase,
    seams: systemSeams,
  });
  const packs = [...built.objects].filter(([name]) => name.startsWith('packs/')).sort();
  const trailers: [string, Uint8Array][] = [];
  for (const [name, { length: bytes }] of packs) {
    const row = await readTrailer(insideOf(store).context, { pack: name.split('/')[2] as PackId, bytes });
    trailers.push([`trailers/${name.split('/')[1]}.bin`, encodeTrailer(row)]);
  }
  return trailers;
}

/** What a reader should find, for people and other programs. */
function factsOf(): unknown {
  return {
    passphrase: goldenPassphrase,
    snapshots: built.snapshots.map(({ id, files: contents }) => ({
      id,
      files: Object.fromEntries(contents),
    })),
    records: built.records.map(({ name, kind, value }) => ({ name, kind, value })),
    nodes: goldenNodes,
  };
}

/** Bytes as hex, maps as objects. */
function plainly(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    value.type === 'Buffer' &&
    'data' in value
  )
    return Buffer.from(value.data as number[]).toString('hex');
  return value instanceof Map ? Object.fromEntries(value) : value;
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify({ value }, plainly));

async function openGolden() {
  const objects = new Map(
    [...files].filter(([name]) => name.startsWith('store/')).map(([name, bytes]) => [name.slice(6), bytes]),
  );
  return openStore(memoryBackend({ objects }), { passphrase: goldenPassphrase, seams: systemSeams });
}

test('the same store is made again, byte for byte', () => {
  assert.deepEqual([...files.keys()].sort(), [...expected.keys()].sort());
  for (const [name, bytes] of files) assert.equal(hex(bytes), hex(expected.get(name)!), name);
});

test('the golden store opens, and says what was put into it', async () => {
  const store = await openGolden();
  const manifests = await collect(store.snapshots());
  assert.deepEqual(
    manifests.map(({ id }) => id),
    built.snapshots.map(({ id }) => id),
  );
  assert.deepEqual(
    manifests.map(({ sequence }) => sequence),
    [1, 2],
  );
  for (const [i, manifest] of manifests.entries()) {
    const body = manifest.body as ReadonlyMap<number, never>;
    const root = { id: manifest.roots[0]!.id, level: body.get(3)!, entries: body.get(4)! };
    const read = [...(await readFiles(store, root))].map(([name, bytes]) => [
      name,
      name === 'data/sparse' ? Buffer.concat([Buffer.alloc(4096), bytes]) : bytes,
    ]);
    assert.deepEqual(plain(Object.fromEntries(read)), plain(Object.fromEntries(built.snapshots[i]!.files)));
  }
});

test('the golden store has no damage', async () => {
  assert.deepEqual((await verifyStore(await openGolden(), { readData: 1 })).damage, []);
});

test('every kind of record is read as it was written', async () => {
  const { ring } = insideOf(await openGolden()).context;
  for (const { name, kind, codec, value } of built.records) {
    const { fields, signedBy } = openRecord(ring, files.get(`store/${name}`)!, { kind, name });
    assert.deepEqual(plain(codec.decode(fields, name)), plain(value), name);
    assert.equal(signedBy, 'key holder');
  }
});

test('every kind of node is read as it was written', () => {
  for (const [name, node] of Object.entries(goldenNodes))
    assert.deepEqual(plain(decodeNode(files.get(`nodes/${name}.bin`)!)), plain(node), name);
});

test('a store with generations and what a dead run left takes another backup, and is pruned', async () => {
  const store = await openGolden();
  const added = new Map([['etc/motd', Buffer.from('welcome\n')]]);
  const snapshot = await commitFiles(store, added, { host: 'alpha' });
  await drop(store, built.snapshots[1]!); // the first is held
  assert.deepEqual(await readFiles(store, snapshot.root), added);
  assert.deepEqual((await verifyStore(store, { readData: 1 })).damage, []);
});
