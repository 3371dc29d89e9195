import { entryCells, entryJson, inColumns, pathText } from '../../cli/render/entries.ts';
import { createOutput } from '../../cli/render/output.ts';
import type { StoredDatabase } from '../../engine/database/kind.ts';
import type { KnownMarks } from '../../engine/database/marks.ts';
import { decodeEntry, describeDatabaseEntry } from '../../engine/database/postgres/entries/entry.ts';
import { countDatabase } from '../../engine/database/postgres/look/counts.ts';
import { diffDatabases } from '../../engine/database/postgres/look/diff.ts';
import { readOutline } from '../../engine/database/postgres/outline/outline.ts';
import { segmentRows } from '../../engine/database/postgres/rows/reconstruct.ts';
import { tarArchive } from '../../engine/export/archive.ts';
import { exportTree } from '../../engine/export/home.ts';
import { exportPortable } from '../../engine/export/portable/portable.ts';
import { exportForPsql } from '../../engine/export/psql.ts';
import { restoreHome, spaceOf } from '../../engine/home/index.ts';
import { HomeDifference, listPath, readPath } from '../../engine/look/index.ts';
import type { Snapshot } from '../../engine/pair.ts';
import { type ChunkSource, type ListingRoot, readListing } from '../../store/index.ts';
import type { Sandbox } from './sandbox.ts';

/** No more of a file or table is read, and no larger home restored: what a disk holds is refused before. */
const readBytesMax = 256 * 1024;
const restoredBytesMax = 16 * 1024 * 1024;
const linesMax = 2_000;

export type Step = readonly [name: string, work: () => Promise<void>];

/** A snapshot as far as those look who look into one. */
export function snapshotWith(halves: { home?: ListingRoot; database?: ListingRoot }): Snapshot {
  const { home, database } = halves;
  return {
    id: 'ab'.repeat(32),
    instance: 'x',
    home: home ? { roots: [{ path: Buffer.from('/srv/home'), listing: home }] } : null,
    database: database ? { type: 'postgresql', listing: database } : null,
  } as unknown as Snapshot;
}

/** Everything that reads a home, each on its own. */
export function homeSteps(
  source: ChunkSource,
  { home, other, sandbox }: { home: ListingRoot; other: ListingRoot; sandbox: Sandbox },
): Step[] {
  const snapshot = snapshotWith({ home });
  return [
    [
      'restore',
      async () => {
        if ((await spaceOf(source, { listing: home })) > restoredBytesMax) return;
        await restoreHome({ source, root: { listing: home }, target: sandbox.target });
      },
    ],
    [
      'export',
      async () => {
        if ((await spaceOf(source, { listing: home })) > restoredBytesMax) return;
        const archive = tarArchive(someBytes(), { top: 'x', mtimeNs: 0n, sums: noSums });
        await unlessEnough(exportTree(archive, { source, listing: home, folder: 'home' }));
      },
    ],
    ['ls', () => listed(source, { snapshot, path: '/srv/home' })],
    [
      'cat',
      async () => {
        for (const path of ['a', 'folder/file', 'b/c'])
          await upTo(readPath(source, { snapshot, path })).catch(unlessUnknown);
      },
    ],
    [
      'diff',
      async () => {
        const difference = new HomeDifference(source, {
          before: snapshot,
          after: snapshotWith({ home: other }),
        });
        for await (const change of difference.entries())
          assertPlain(pathText({ ...change, entry: (change.after ?? change.before)! }));
        for await (const _ of difference.refs());
      },
    ],
  ];
}

/** Everything that reads a database's listing, but for a server. */
export function databaseSteps(
  source: ChunkSource,
  [one, other]: readonly [ListingRoot, ListingRoot],
): Step[] {
  const snapshot = snapshotWith({ database: one });
  const stored = { ...snapshot.database, name: 'x', listing: one } as StoredDatabase<KnownMarks>;
  const exported = { source, snapshot: { ...snapshot, timeMs: 0 }, stored };
  return [
    ['outline', async () => void (await readOutline({ source, root: one }))],
    ['counts', async () => void (await countDatabase(source, one))],
    [
      'rows',
      async () => {
        for await (const entry of readListing(source, one)) {
          assertPlain(describeDatabaseEntry(entry));
          const decoded = decodeEntry(entry);
          if (decoded.entry === 'segment') await upTo(segmentRows(source, decoded));
        }
      },
    ],
    [
      'export',
      async () => {
        const archive = tarArchive(someBytes(), { top: 'x', mtimeNs: 0n, sums: noSums });
        await unlessEnough(exportForPsql(archive, exported));
      },
    ],
    [
      'portable',
      async () => {
        const archive = tarArchive(someBytes(), { top: 'x', mtimeNs: 0n, sums: noSums });
        await unlessEnough(exportPortable(archive, exported));
      },
    ],
    ['ls', () => listed(source, { snapshot, path: 'database:' })],
    [
      'cat',
      async () => {
        for (const path of ['database:tables/public/t', 'database:definitions/pre-data'])
          await upTo(readPath(source, { snapshot, path })).catch(unlessUnknown);
      },
    ],
    [
      'diff',
      async () => void (await diffDatabases(source, { before: one, after: other, key: new Uint8Array(16) })),
    ],
  ];
}

async function listed(
  source: ChunkSource,
  { snapshot, path }: { snapshot: Snapshot; path: string },
): Promise<void> {
  const { owners, entries } = await listPath(source, { snapshot, path, isDeep: true });
  const cells: string[][] = [];
  for await (const entry of entries) {
    cells.push(entryCells(entry, { owners, names: 'whole' }));
    jsonText(entryJson(entry, owners));
    if (cells.length === linesMax) break;
  }
  for await (const text of inColumns(
    (async function* () {
      yield* cells;
    })(),
  )) {
    if (text.split('\n').length > cells.length + 1) throw new Error('a name made lines of its own');
    assertPlain(text.replaceAll('\n', ''));
  }
}

/** What a terminal would act on, were it printed. */
export function assertPlain(text: string): void {
  if (/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(text))
    throw new Error(`control characters: ${JSON.stringify(text)}`);
}

/** As `--json` prints it. */
export function jsonText(document: Readonly<Record<string, unknown>>): void {
  let said = '';
  const stream = {
    write: (text: string) => {
      said += text;
      return true;
    },
  } as unknown as NodeJS.WritableStream;
  createOutput({
    json: true,
    quiet: false,
    verbose: false,
    stdout: stream,
    stderr: stream,
    beforeMessage: () => {},
  }).result(document, '');
  assertPlain(said.trimEnd());
}

async function upTo(parts: AsyncIterable<Uint8Array>): Promise<void> {
  let bytes = 0;
  for await (const part of parts) {
    bytes += part.length;
    if (bytes > readBytesMax) return;
  }
}

class Enough extends Error {}

/** Takes no more of an archive than of a file. */
function someBytes() {
  let bytes = 0;
  return {
    async write(piece: Uint8Array): Promise<void> {
      bytes += piece.length;
      if (bytes > readBytesMax) throw new Enough();
    },
  };
}

const noSums = {
  add: async () => undefined,
  end: async () => 0,
  async *parts() {},
  [Symbol.asyncDispose]: async () => undefined,
};

async function unlessEnough(work: Promise<unknown>): Promise<void> {
  await work.catch(error => {
    if (!(error instanceof Enough)) throw error;
  });
}

const unlessUnknown = (error: unknown): void => {
  if ((error as { code?: string }).code !== 'PATH_UNKNOWN') throw error;
};
