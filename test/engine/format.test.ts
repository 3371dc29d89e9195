import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { databaseTarget, type StoredDatabase } from '../../engine/database/index.ts';
import type { PostgresMarks } from '../../engine/database/marks.ts';
import type { HomeEntry } from '../../engine/home/entries/entry.ts';
import { decodeHomeEntry, encodeHomeEntry } from '../../engine/home/entries/entry.ts';
import { bytePathOfText } from '../../engine/home/paths.ts';
import { decodePair, encodePair } from '../../engine/pair-codec.ts';
import { checkPairing } from '../../engine/pairing.ts';
import {
  decodeCbor,
  encodeCbor,
  fromHex,
  type Manifest,
  type SnapshotId,
  StillpointError,
} from '../../store/index.ts';
import { goldenPair as pair, pairOfCommand, pairOfFiles } from '../helpers/pairs.ts';
import { projectRoot } from '../helpers/project.ts';

const homeEntry: HomeEntry = {
  path: bytePathOfText('shared/config/bitbucket.properties'),
  kind: 'file',
  mode: 0o640,
  uid: 1_000,
  gid: 1_000,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 1_700_000_000_123_456_789n,
  inode: 4_711n,
  fileSystem: 0,
  xattrs: [],
  unsettled: false,
  linked: false,
  content: { length: 2, extents: [{ kind: 'inline', bytes: new Uint8Array([0x61, 0x0a]) }] },
};

/** The bytes of a golden file; it is written where it is missing, and never changed. */
function golden(name: string, bytes: Uint8Array): Uint8Array {
  const file = `${projectRoot}/test/golden/engine/${name}`;
  if (!existsSync(file) && process.env['STILLPOINT_UPDATE_GOLDEN']) writeFileSync(file, bytes);
  return new Uint8Array(readFileSync(file));
}

function manifestOf({ roots, body }: ReturnType<typeof encodePair>): Manifest {
  return {
    id: 'ab'.repeat(32) as SnapshotId,
    host: 'golden.example',
    sequence: 1,
    previous: null,
    createdMs: 0,
    seen: { count: 0, digest: new Uint8Array(32) },
    roots,
    body,
  };
}

test('the body of a manifest is what it was in every version', () => {
  const { body } = encodePair(pair);
  assert.deepEqual(new Uint8Array(encodeCbor(body)), golden('pair.bin', encodeCbor(body)));
});

for (const [name, other] of [
  ['pair-command.bin', pairOfCommand],
  ['pair-internal.bin', pairOfFiles],
] as const)
  test(`the body of ${name} is what it was in every version, and comes back`, () => {
    const { roots, body } = encodePair(other);
    const bytes = golden(name, encodeCbor(body));
    assert.deepEqual(new Uint8Array(encodeCbor(body)), bytes);
    const {
      id: _id,
      host: _host,
      sequence: _sequence,
      ...back
    } = decodePair(manifestOf({ roots, body: decodeCbor(bytes) }));
    assert.deepEqual(back, other);
  });

test('a pair comes back from its manifest as it was', () => {
  const { id: _id, host: _host, sequence: _sequence, ...back } = decodePair(manifestOf(encodePair(pair)));
  assert.deepEqual(back, pair);
});

test('halves that are not part of it come back as null', () => {
  const back = decodePair(manifestOf(encodePair({ ...pair, home: null })));
  assert.equal(back.home, null);
  assert.equal(back.database?.rows, 40);
});

test('a body that is no pair is damage', () => {
  const { roots } = encodePair(pair);
  const isDamage = (error: unknown) => error instanceof StillpointError && error.code === 'STORE_DAMAGED';
  assert.throws(() => decodePair(manifestOf({ roots, body: null })), isDamage);
  assert.throws(() => decodePair(manifestOf({ roots, body: new Map([[1, 7]]) })), isDamage);
});

test('a listing that names no root of its manifest is damage', () => {
  const { body } = encodePair(pair);
  assert.throws(() => decodePair(manifestOf({ roots: [], body })), { code: 'STORE_DAMAGED' });
});

test('the body of a home entry is what it was in every version', () => {
  const { body, key, contents } = encodeHomeEntry(homeEntry);
  assert.deepEqual(new Uint8Array(body), golden('home-entry.bin', body));
  const back = decodeHomeEntry({ key, contents, body: golden('home-entry.bin', body) });
  assert.equal(back.mtimeNs, homeEntry.mtimeNs);
  assert.equal(back.path, homeEntry.path);
});

test('a database of a kind that only a later version knows is kept as it is, and newer', async () => {
  const { type: _type, ...common } = pair.database as StoredDatabase<PostgresMarks>;
  const { listing, name, tables, rows, segments, changedSegments, bytes, serverVersion } = common;
  const counts = { listing, name, tables, rows, segments, changedSegments, bytes, serverVersion };
  const value = new Map([[1, 'whatever it says']]);
  const database = { ...counts, type: 'unknown' as const, kind: 'graph', value };
  const { roots, body } = encodePair({ ...pair, home: null, database });
  const back = decodePair(manifestOf({ roots, body }));
  assert.deepEqual(back.database, database);
  assert.deepEqual(encodeCbor(encodePair(back).body), encodeCbor(body));
  const isNewer = { code: 'STORE_NEWER' };
  await assert.rejects(checkPairing({ get: () => assert.fail('nothing is read') }, back), isNewer);
  assert.throws(() => databaseTarget(database, { text: 'postgresql://127.0.0.1/x' }), isNewer);
});

test('unknown numbers are passed over', () => {
  const { roots, body } = encodePair(pair);
  const later = new Map(decodeCbor(encodeCbor(body)) as Map<number, never>).set(99, fromHex('00') as never);
  assert.equal(decodePair(manifestOf({ roots, body: later })).instance, 'bitbucket');
});
