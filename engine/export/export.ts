import { dirname } from 'node:path';
import type { Clock, Randomness, Store } from '../../store/index.ts';
import { kindOf, knownDatabase } from '../database/index.ts';
import type { DatabaseExport, ExportDatabaseOptions } from '../database/kind.ts';
import { engineError } from '../errors.ts';
import { inSnapshot } from '../naming.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { type ByteSink, type FileTarget, type TarArchive, tarArchive, textFile } from './archive.ts';
import { type Compression, compressing } from './compress.ts';
import { exportTree } from './home.ts';
import { folderOfRoot, topFolder } from './layout.ts';
import { openOutputFile } from './output.ts';
import { openOutputFolder } from './output-folder.ts';
import { archiveReadme } from './readme.ts';
import { openSpool } from './spool.ts';

export interface ExportOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** This machine's name: whoever prunes meanwhile is told. */
  readonly host: string;
  readonly snapshot: Snapshot;
  /** What the manifest says, as JSON. */
  readonly summary: string;
  /** `whole`: home and database, to be restored; `portable`: the rows, for any other database. */
  readonly form: 'whole' | 'portable';
  readonly target: ExportTarget;
  /** Keeps sums until the end where the archive has no folder. */
  readonly scratchFolder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A file, a folder (of the portable form only), or whoever takes the bytes of an archive as they come. */
export type ExportTarget =
  | { readonly to: 'file'; readonly path: string; readonly force: boolean }
  | { readonly to: 'folder'; readonly path: string }
  | { readonly to: 'sink'; readonly sink: ByteSink };

export interface ExportResult {
  readonly home: { readonly files: number; readonly bytes: number } | null;
  readonly database: { readonly tables: number; readonly rows: number } | null;
  /** Of the archive as it was written. */
  readonly bytes: number;
  /** What the snapshot lacks: a repair had found it lost. */
  readonly lost: readonly string[];
  readonly durationMs: number;
}

const kindsByName: readonly (readonly [RegExp, Compression])[] = [
  [/\.(tar\.zst|tzst)$/i, 'zstd'],
  [/\.(tar\.gz|tgz)$/i, 'gzip'],
  [/\.tar$/i, 'none'],
];

/** Whether a path names an archive; else it is a folder's. */
export const isArchiveName = (path: string): boolean => kindsByName.some(([name]) => name.test(path));

/** How an archive is compressed, by its name. USAGE. */
export function archiveKindOf(path: string): Compression {
  const found = kindsByName.find(([name]) => name.test(path));
  if (found) return found[1];
  throw engineError('USAGE', `Cannot export to ${path}: its name does not say what it is`, {
    remedy: 'Give it a name that ends in .tar.zst, .tar.gz or .tar.',
  });
}

/**
 * Writes a snapshot as an archive from which tar and psql alone bring it back, or its rows for any other database. A file
 * or folder is there when it is whole; what ends the export early leaves nothing. TARGET_NOT_EMPTY, TARGET_FAILED, USAGE,
 * DATABASE_UNSUPPORTED, the store's.
 */
export async function exportSnapshot(options: ExportOptions): Promise<ExportResult> {
  const { store, snapshot, host, clock, signal } = options;
  const startedMs = clock.monotonicMs();
  databaseOf(snapshot);
  try {
    await using _reading = await store.beginReading({ host, snapshots: [snapshot.id], signal });
    const written = await writeTo(options);
    return { ...written, lost: lostOf(options), durationMs: Math.round(clock.monotonicMs() - startedMs) };
  } catch (error) {
    throw inSnapshot(error, snapshot.id);
  }
}

type Halves = Pick<ExportResult, 'home' | 'database'>;
type Written = Halves & Pick<ExportResult, 'bytes'>;

async function writeTo(options: ExportOptions): Promise<Written> {
  const { target, randomness, signal } = options;
  switch (target.to) {
    case 'sink':
      return writeArchive(options, {
        sink: target.sink,
        compression: 'zstd',
        sumsFolder: options.scratchFolder,
      });
    case 'file': {
      const compression = archiveKindOf(target.path);
      await using output = await openOutputFile(target.path, { force: target.force, randomness });
      const sumsFolder = dirname(target.path);
      const written = await writeArchive(options, { sink: output, compression, sumsFolder });
      await output.commit();
      return written;
    }
    case 'folder': {
      await using output = await openOutputFolder(target.path, { randomness, signal });
      const database = await writePortable(output, options);
      const bytes = await output.commit();
      return { home: null, database, bytes };
    }
    default:
      return target satisfies never;
  }
}

async function writeArchive(
  options: ExportOptions,
  output: { readonly sink: ByteSink; readonly compression: Compression; readonly sumsFolder: string },
): Promise<Written> {
  const { snapshot, signal, form } = options;
  let bytes = 0;
  const counting: ByteSink = {
    async write(piece) {
      signal?.throwIfAborted();
      await output.sink.write(piece);
      bytes += piece.length;
    },
  };
  const compressed = await compressing(counting, output.compression);
  await using sums = await openSpool(output.sumsFolder, options.randomness);
  const mtimeNs = BigInt(snapshot.timeMs) * 1_000_000n;
  const archive = tarArchive(compressed, { top: topFolder(snapshot), mtimeNs, sums, signal });
  const written =
    form === 'portable'
      ? { home: null, database: await writePortable(archive, options) }
      : await writeWhole(archive, options);
  await archive.finish();
  await compressed.end();
  return { ...written, bytes };
}

/** What comes first is what a person reads first; the home is last, since it is what takes long. */
async function writeWhole(archive: TarArchive, options: ExportOptions): Promise<Halves> {
  const { store, snapshot, signal } = options;
  const held = databaseOf(snapshot);
  const part = held && {
    title: kindOf(held.stored).title,
    instructions: held.exporting.instructions(held.stored),
  };
  const readme = archiveReadme(snapshot, { top: topFolder(snapshot), database: part });
  await archive.put('README.md', textFile(readme));
  await archive.put('snapshot.json', textFile(options.summary));
  const database = held && (await held.exporting.whole(archive, databaseOptions(held, options)));
  const done = { files: 0, bytes: 0 };
  const onEntry = (files: number, bytes: number): void => {
    done.files += files;
    done.bytes += bytes;
    options.onProgress?.({ phase: 'export-home', ...done });
  };
  for (const [i, { listing }] of (snapshot.home?.roots ?? []).entries())
    await exportTree(archive, { source: store, listing, folder: folderOfRoot(i), signal, onEntry });
  return { home: snapshot.home && done, database };
}

async function writePortable(target: FileTarget, options: ExportOptions): Promise<Halves['database']> {
  const { snapshot } = options;
  const held = databaseOf(snapshot);
  if (!held)
    throw engineError(
      'USAGE',
      `Cannot export tables: snapshot ${snapshot.id.slice(0, 8)} holds no database`,
      {
        remedy: 'Leave --portable out: a home is files, whoever reads it.',
      },
    );
  const { exporting, stored } = held;
  if (exporting.portable) return exporting.portable(target, databaseOptions(held, options));
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot export tables: the database of snapshot ${snapshot.id.slice(0, 8)} is of ${kindOf(stored).title}`,
    { remedy: 'Leave --portable out: that writes it as SQL for the client of its server.' },
  );
}

const databaseOptions = ({ stored }: ExportedDatabase, options: ExportOptions): ExportDatabaseOptions => ({
  source: options.store,
  snapshot: options.snapshot,
  stored,
  signal: options.signal,
  onTable: progressOfRows(options),
});

function progressOfRows({ onProgress }: ExportOptions): (rows: number, bytes: number) => void {
  const done = { rows: 0, bytes: 0 };
  return (rows, bytes) => {
    done.rows += rows;
    done.bytes += bytes;
    onProgress?.({ phase: 'export-database', ...done });
  };
}

interface ExportedDatabase extends Pick<ExportDatabaseOptions, 'stored'> {
  readonly exporting: DatabaseExport;
}

/** null: the snapshot holds none. DATABASE_UNSUPPORTED, STORE_NEWER. */
function databaseOf({ database, id }: Snapshot): ExportedDatabase | null {
  if (!database) return null;
  const stored = knownDatabase(database);
  const { exporting, title } = kindOf(stored);
  if (exporting) return { exporting, stored };
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot export the database of snapshot ${id.slice(0, 8)}: it is ${title}`,
    { remedy: 'Restore it, and export it with the tools of its server.' },
  );
}

function lostOf({ snapshot: { degraded }, form }: ExportOptions): string[] {
  if (degraded === undefined) return [];
  const lost = degraded.losses
    .filter(({ half }) => form === 'whole' || half === 'database')
    .map(({ half, text }) => `${half}: ${text}`);
  return degraded.more > 0 ? [...lost, `and ${degraded.more} more`] : lost;
}
