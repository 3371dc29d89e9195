import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandMoment, CommandRecord } from '../../engine/command/index.ts';
import { encodeDefinitions, encodeRecordOfDatabase } from '../../engine/database/postgres/entries/entry.ts';
import { encodeRelation } from '../../engine/database/postgres/entries/relation-entry.ts';
import { encodeSegment } from '../../engine/database/postgres/entries/segment-entry.ts';
import { salvageDatabase } from '../../engine/database/postgres/look/salvage.ts';
import { encodeHomeEntry, type HomeEntry } from '../../engine/home/entries/entry.ts';
import type { BytePath } from '../../engine/home/paths.ts';
import type { Snapshot } from '../../engine/pair.ts';
import { checkPairing } from '../../engine/pairing.ts';
import { Losses } from '../../engine/repair/losses.ts';
import {
  type ChunkRef,
  type Entry,
  ListingBuilder,
  type ListingRoot,
  type SnapshotId,
  storeError,
} from '../../store/index.ts';
import { decodeNode } from '../../store/listing/decode.ts';
import { memoryChunks } from '../helpers/memory-chunks.ts';
import { goldenPair, somePair } from '../helpers/pairs.ts';
import { smallStore } from '../helpers/small-store.ts';

const ran = (...moments: CommandMoment[]): CommandRecord[] =>
  moments.map(moment => ({ moment, name: null, run: 'true', durationMs: 1, output: '' }));

const { fence } = somePair;
const snapshot = { ...somePair, id: '0'.repeat(64) as SnapshotId, host: 'host', sequence: 1 };
const byCommands = {
  ...snapshot,
  fence: { ...fence, kind: 'command', taskId: null },
  commands: ran('lock', 'wait', 'unlock'),
} satisfies Snapshot;
const cold = {
  ...snapshot,
  fence: {
    ...fence,
    ...{ kind: 'stopped', taskId: null, heldMs: 0 },
    ...{ lockRequestedAtMs: null, lockedAtMs: null, drainedAtMs: null, unlockedAtMs: null },
  },
} satisfies Snapshot;

test('a fence of each kind is whole with what its kind has, and not without it', async () => {
  const { store } = await smallStore({ snapshots: 1 });
  const whole: readonly Snapshot[] = [
    snapshot,
    byCommands,
    cold,
    { ...cold, fence: { ...cold.fence, kind: 'none', capturedAtMs: null } },
  ];
  for (const one of whole) assert.equal(await checkPairing(store, one), undefined, one.fence.kind);
  const broken: readonly Snapshot[] = [
    { ...snapshot, fence: { ...fence, taskId: null } },
    { ...snapshot, fence: { ...fence, drainedAtMs: null } },
    { ...byCommands, fence: { ...byCommands.fence, unlockedAtMs: null } },
    { ...byCommands, fence: { ...byCommands.fence, capturedAtMs: null } },
    { ...byCommands, commands: ran('lock', 'wait') },
    { ...byCommands, commands: ran('unlock') },
    { ...cold, fence: { ...cold.fence, capturedAtMs: null } },
    { ...cold, fence: { ...cold.fence, heldMs: 5 } },
    { ...snapshot, fence: { ...fence, heldMs: fence.heldMs + 1 } },
  ];
  for (const one of broken) assert.ok(await checkPairing(store, one), JSON.stringify(one.fence));
});

const chunks = memoryChunks();

/** Entries in the order of their keys. */
async function listingOf(entries: readonly Entry[]): Promise<ListingRoot> {
  const builder = new ListingBuilder(chunks, chunks.cuts.nodes);
  for (const entry of [...entries].sort((a, b) => Buffer.compare(a.key, b.key))) await builder.add(entry);
  return builder.finish();
}

const folder: Omit<HomeEntry, 'path'> = {
  ...{ kind: 'folder', mode: 0o755, uid: 1, gid: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 1n, fileSystem: 0 },
  ...{ xattrs: [], unsettled: false, linked: false },
};
const folders = (...paths: string[]) => paths.map(path => ({ ...folder, path: path as BytePath }));
const content = { length: 3, extents: [{ kind: 'inline', bytes: Buffer.from('abc') }] } as const;
const files = (...paths: string[]) =>
  paths.map((path): HomeEntry => ({ ...folder, kind: 'file', content, path: path as BytePath }));

async function withHome(
  entries: readonly HomeEntry[],
  counted: { files: number; folders: number },
): Promise<Snapshot> {
  const listing = await listingOf(entries.map(encodeHomeEntry));
  const roots = [{ path: Buffer.from('/srv/home'), listing }];
  return { ...snapshot, home: { ...goldenPair.home!, ...counted, roots, bytes: 3 * counted.files } };
}

test('a home is whole when its counts are right and each file lies in a folder that is there', async () => {
  const all = [...folders('', 'a', 'a/b'), ...files('a.txt', 'a/b/c', 'a/d', 'z')];
  assert.equal(await checkPairing(chunks, await withHome(all, { files: 4, folders: 3 })), undefined);
  const broken = [
    await withHome(all, { files: 3, folders: 3 }),
    await withHome(all, { files: 4, folders: 2 }),
    await withHome([...folders('', 'a'), ...files('a/b/c')], { files: 1, folders: 2 }),
    await withHome([...folders('', 'a'), ...files('b/c')], { files: 1, folders: 2 }),
    await withHome(files('a'), { files: 1, folders: 0 }),
  ];
  for (const [i, one] of broken.entries()) assert.ok(await checkPairing(chunks, one), `home ${i}`);
});

test('what a manifest refers to is what its pair is made of', async () => {
  const one = await withHome([...folders(''), ...files('a')], { files: 1, folders: 1 });
  const { id } = one.home!.roots[0]!.listing;
  const other = new Uint8Array(32).fill(7) as typeof id;
  const check = (...ids: (typeof id)[]) =>
    checkPairing(chunks, one, { roots: ids.map((root): ChunkRef => ({ id: root, kind: 'node' })) });
  assert.equal(await check(id), undefined);
  assert.ok(await check());
  assert.ok(await check(other));
  assert.ok(await check(id, other));
  const { roots } = one.home!;
  const listing = { ...roots[0]!.listing, entries: 3 };
  const cut = { ...one, home: { ...one.home!, roots: [{ ...roots[0]!, listing }] } };
  // A reader of the listing may say so, too.
  assert.ok(await checkPairing(chunks, cut).catch(({ code }: { code: string }) => code === 'STORE_DAMAGED'));
});

const table = { schema: 'public', name: 'comment' };
const segmentAt = (first: number, { blocks = 10, sum = 5n, name = table.name } = {}) =>
  encodeSegment({
    ...{ ...table, name, first, blocks, baseBlocks: blocks, digest: { rows: 2, sum } },
    ...{ rows: content, ctids: content, deltas: [] },
  });
const tableOf = (rows: number, sum: bigint) =>
  encodeRelation({
    ...{ ...table, kind: 'table', oid: 1, columns: ['id'], digest: { rows, sum }, filenode: 1 },
    ...{ definition: new Uint8Array(), segmentBlocks: 10, heapBlocks: 20, isUnlogged: false },
    ...{ isPopulated: true, condition: null, loadThrough: null, refreshOrder: null },
  });
const factsOf = (database: string) =>
  encodeRecordOfDatabase({
    ...{ type: 'postgresql', serverVersion: '18.4', serverVersionNumber: 180_004, database, databaseOid: 1 },
    collation: { provider: 'c', collate: 'C', ctype: 'C', locale: null, icuRules: null, version: null },
    ...{ encoding: 'UTF8', systemIdentifier: 7_300_000_000_000_000_001n, timeline: 1, startedAtUs: 1n },
    ...{ catalogFingerprint: new Uint8Array(32), ddlSource: 'catalog', settings: [], roles: [] },
    ...{ comment: null, databaseSql: [], largeObjectSource: null },
  });

test('a database is whole when rows and digests of its tables are those of their segments', async () => {
  const counted = { tables: 1, rows: 4, segments: 2 };
  const check = async (entries: readonly Entry[], counts: Partial<typeof counted> = {}) => {
    const listing = await listingOf(entries);
    return checkPairing(chunks, {
      ...snapshot,
      database: { ...goldenPair.database!, ...counted, ...counts, listing },
    });
  };
  const [one, two] = [segmentAt(0), segmentAt(10)];
  const facts = factsOf('bitbucket');
  assert.equal(await check([one, two, tableOf(4, 10n), facts]), undefined);
  assert.ok(await check([one, two, tableOf(4, 10n), facts], { rows: 5 }), 'another count of rows');
  assert.ok(await check([one, tableOf(4, 10n), facts], { segments: 1 }), 'a segment is missing');
  assert.ok(await check([one, two, tableOf(4, 11n), facts]), 'another digest');
  assert.ok(await check([one, segmentAt(9), tableOf(4, 10n), facts]), 'segments overlap');
  assert.ok(
    await check([one, two, segmentAt(0, { name: 'gone' }), tableOf(4, 10n), facts], { segments: 3 }),
    'rows without a table',
  );
  assert.ok(await check([one, two, tableOf(4, 10n)]), 'no facts');
  assert.ok(await check([one, two, tableOf(4, 10n), factsOf('other')]), 'of another database');
});

test('what is left of a database without any of its nodes is whole, with large objects and without', async () => {
  const objects = { schema: 'pg_catalog', name: 'pg_largeobject' };
  const body = { rows: content, ctids: content, deltas: [], blocks: 1, baseBlocks: 1 };
  const count = 400;
  const segments = Array.from({ length: count }, (_, first) => {
    const digest = { rows: 2, sum: 5n };
    return [objects, table].map(name => encodeSegment({ ...name, ...body, first, digest }));
  });
  const relations = ([objects, table] as const).map((name, i) =>
    encodeRelation({
      ...{ ...name, kind: i === 0 ? 'large-objects' : 'table', oid: 1, columns: ['id'], filenode: 1 },
      ...{ digest: { rows: 2 * count, sum: 5n * BigInt(count) }, definition: new Uint8Array() },
      ...{ segmentBlocks: 1, heapBlocks: count, isUnlogged: false, isPopulated: true, condition: null },
      ...{ loadThrough: null, refreshOrder: null },
    }),
  );
  const definitions = ['pre-data', 'large-objects'].map(section =>
    encodeDefinitions({ section, sql: content }),
  );
  const listing = await listingOf([...segments.flat(), ...relations, ...definitions, factsOf('bitbucket')]);
  const counts = { tables: 1, rows: 2 * count, segments: 2 * count };
  const database = { ...goldenPair.database!, ...counts, listing };
  assert.equal(await checkPairing(chunks, { ...snapshot, database }), undefined);
  const root = decodeNode(await chunks.get(listing.id, 'metadata'), 'root');
  assert.ok('branches' in root && root.branches.length > 3);
  const said = new Set<string>();
  for (const { node } of root.branches) {
    const get: typeof chunks.get = async (id, chunkClass) => {
      if (Buffer.compare(id, node) === 0) throw storeError('STORE_DAMAGED', 'Cannot read: a test');
      return chunks.get(id, chunkClass);
    };
    const losses = new Losses();
    const left = await salvageDatabase(database, { source: { get }, isLost: () => false, losses });
    for (const { text } of losses.list) said.add(text.replace(/:.*/, ''));
    if (!left.isRestorable) continue;
    const entries: Entry[] = [];
    for await (const entry of left.entries()) entries.push(entry);
    const { tables, rows, segments: kept } = left;
    const degraded = { ...database, tables, rows, segments: kept, listing: await listingOf(entries) };
    assert.equal(await checkPairing(chunks, { ...snapshot, database: degraded }), undefined);
  }
  assert.ok(said.has('large objects') && said.has('table public.comment'), [...said].join(', '));
});
