import { dirname } from 'node:path';
import type { Clock, Randomness, Store } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { inSnapshot } from '../naming.ts';
import type { Snapshot } from '../pair.ts';
import type { OnProgress } from '../progress.ts';
import { type ByteSink, tarArchive, textFile } from './archive.ts';
import { type Compression, compressing } from './compress.ts';
import { exportTree } from './home.ts';
import { folderOfRoot, topFolder } from './layout.ts';
import { openOutputFile } from './output.ts';
import { exportForPsql, type PsqlFolder } from './psql.ts';
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
  readonly to: ExportTarget;
  /** Keeps sums until the end where the archive has no folder. */
  readonly scratchFolder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A file, or whoever takes the bytes as they come. */
export type ExportTarget =
  | { readonly file: string; readonly force: boolean }
  | { readonly file?: never; readonly sink: ByteSink };

export interface ExportResult {
  readonly home: { readonly files: number; readonly bytes: number } | null;
  readonly database: { readonly tables: number; readonly rows: number } | null;
  /** Of the archive as it was written. */
  readonly bytes: number;
  /** What the snapshot lacks: a repair had found it lost. */
  readonly lost: readonly string[];
  readonly durationMs: number;
}

/** How an archive is compressed, by its name. USAGE. */
export function archiveKindOf(file: string): Compression {
  if (/\.(tar\.zst|tzst)$/i.test(file)) return 'zstd';
  if (/\.(tar\.gz|tgz)$/i.test(file)) return 'gzip';
  if (/\.tar$/i.test(file)) return 'none';
  throw engineError('USAGE', `Cannot export to ${file}: its name does not say what it is`, {
    remedy: 'Give it a name that ends in .tar.zst, .tar.gz or .tar.',
  });
}

/**
 * Writes a snapshot as one archive from which tar and psql alone bring it back. A file is there when it is whole; what
 * ends the export early leaves nothing. TARGET_NOT_EMPTY, TARGET_FAILED, DATABASE_UNSUPPORTED, the store's.
 */
export async function exportSnapshot(options: ExportOptions): Promise<ExportResult> {
  const { store, snapshot, host, clock, signal, to } = options;
  const startedMs = clock.monotonicMs();
  refuseUnknownDatabase(snapshot);
  try {
    await using _reading = await store.beginReading({ host, snapshots: [snapshot.id], signal });
    const written =
      to.file === undefined
        ? await writeArchive(options, { sink: to.sink, compression: 'zstd' })
        : await writeFile({ ...options, to });
    return { ...written, lost: lostOf(snapshot), durationMs: Math.round(clock.monotonicMs() - startedMs) };
  } catch (error) {
    throw inSnapshot(error, snapshot.id);
  }
}

type Written = Pick<ExportResult, 'home' | 'database' | 'bytes'>;

async function writeFile(
  options: ExportOptions & { readonly to: { readonly file: string; readonly force: boolean } },
): Promise<Written> {
  const { to, randomness } = options;
  const compression = archiveKindOf(to.file);
  await using output = await openOutputFile(to.file, { force: to.force, randomness });
  const written = await writeArchive(options, { sink: output, compression });
  await output.commit();
  return written;
}

/** What comes first is what a person reads first; the home is last, since it is what takes long. */
async function writeArchive(
  options: ExportOptions,
  { sink, compression }: { readonly sink: ByteSink; readonly compression: Compression },
): Promise<Written> {
  const { store, snapshot, signal, to } = options;
  let bytes = 0;
  const compressed = await compressing(
    {
      async write(piece) {
        signal?.throwIfAborted();
        await sink.write(piece);
        bytes += piece.length;
      },
    },
    compression,
  );
  const sumsFolder = to.file === undefined ? options.scratchFolder : dirname(to.file);
  await using sums = await openSpool(sumsFolder, options.randomness);
  const top = topFolder(snapshot);
  const mtimeNs = BigInt(snapshot.timeMs) * 1_000_000n;
  const archive = tarArchive(compressed, { top, mtimeNs, sums, signal });
  const done = { files: 0, bytes: 0, rows: 0, rowBytes: 0 };
  const onTable = (rows: number, rowBytes: number): void => {
    done.rows += rows;
    done.rowBytes += rowBytes;
    options.onProgress?.({ phase: 'export-database', rows: done.rows, bytes: done.rowBytes });
  };
  const onEntry = (files: number, size: number): void => {
    done.files += files;
    done.bytes += size;
    options.onProgress?.({ phase: 'export-home', files: done.files, bytes: done.bytes });
  };
  await archive.put('README.md', textFile(archiveReadme(snapshot, { top })));
  await archive.put('snapshot.json', textFile(options.summary));
  let database: PsqlFolder | undefined;
  if (snapshot.database) {
    const root = snapshot.database.listing;
    const lacksRows = snapshot.degraded !== undefined;
    database = await exportForPsql(archive, {
      source: store,
      root,
      folder: 'database',
      lacksRows,
      signal,
      onTable,
    });
  }
  for (const [i, { listing }] of (snapshot.home?.roots ?? []).entries())
    await exportTree(archive, { source: store, listing, folder: folderOfRoot(i), signal, onEntry });
  await archive.finish();
  await compressed.end();
  return {
    home: snapshot.home && { files: done.files, bytes: done.bytes },
    database: database ? { tables: database.tables, rows: database.rows } : null,
    bytes,
  };
}

function refuseUnknownDatabase({ database, id }: Snapshot): void {
  if (!database || database.type === 'postgresql') return;
  throw engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot export the database of snapshot ${id.slice(0, 8)}: it is ${database.type}`,
    { remedy: 'Restore it instead; only PostgreSQL is exported.' },
  );
}

function lostOf({ degraded }: Snapshot): string[] {
  if (degraded === undefined) return [];
  const lost = degraded.losses.map(({ half, text }) => `${half}: ${text}`);
  return degraded.more > 0 ? [...lost, `and ${degraded.more} more`] : lost;
}
