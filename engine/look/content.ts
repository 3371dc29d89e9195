import type { ChunkSource } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { contentParts } from '../ingest/index.ts';
import { inSnapshot, namingAll } from '../naming.ts';
import type { Snapshot } from '../pair.ts';
import { findPath } from './find.ts';
import { printable } from './names.ts';

/**
 * The bytes that a path of a snapshot names: of a file, holes as zeros; the rows of a table as COPY text; SQL of
 * definitions. Each part is valid until the next pull. PATH_UNKNOWN; USAGE for what has no bytes.
 */
export async function* readPath(
  source: ChunkSource,
  { snapshot, path }: { readonly snapshot: Snapshot; readonly path: string },
): AsyncGenerator<Uint8Array> {
  try {
    yield* namingAll(path, bytesOf(source, { snapshot, path }));
  } catch (error) {
    throw inSnapshot(error, snapshot.id);
  }
}

async function* bytesOf(
  source: ChunkSource,
  { snapshot, path: text }: { readonly snapshot: Snapshot; readonly path: string },
): AsyncGenerator<Uint8Array> {
  const found = await findPath(source, { snapshot, text });
  if (found.in === 'root') {
    const { entry } = found;
    if (entry.kind === 'file') {
      yield* contentParts(source, entry.content!);
      return;
    }
    const what = entry.kind === 'link' ? `a link to ${printable(entry.target!)}` : kinds[entry.kind];
    throw noBytes(text, what);
  }
  if (found.in === 'snapshot' || !found.thing.item) throw noBytes(text, 'a folder');
  const { item } = found.thing;
  const instead = rowsElsewhere[item.type];
  if (instead !== undefined) throw noBytes(text, instead);
  yield* item.read();
}

/** What looks like an empty table and is none. */
const rowsElsewhere: Readonly<Record<string, string>> = {
  partitioned: 'a partitioned table, whose rows are in its partitions',
  foreign: 'a foreign table, whose rows are on another server',
  materialized: 'a materialized view, which a restore computes again',
};

const kinds = {
  folder: 'a folder',
  fifo: 'a FIFO',
  characterDevice: 'a device',
  blockDevice: 'a device',
} as const;

const noBytes = (text: string, what: string): Error =>
  engineError('PATH_UNKNOWN', `Cannot print ${text}: it is ${what}`, {
    remedy: 'Name a file or a table with rows; see what there is with `stillpoint ls`.',
  });
