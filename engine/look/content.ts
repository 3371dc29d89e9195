import { type ChunkSource, type ListingRoot, readListing } from '../../store/index.ts';
import { decodeEntry } from '../database/postgres/entry.ts';
import { keyPrefix, type RelationName } from '../database/postgres/entry-parts.ts';
import { segmentRows } from '../database/postgres/reconstruct.ts';
import { engineError } from '../errors.ts';
import { readContent } from '../ingest/index.ts';
import { inSnapshot, namingAll } from '../naming.ts';
import type { Snapshot } from '../pair.ts';
import type { DatabaseItem } from './database-things.ts';
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
  yield* itemParts(source, { item: found.thing.item, listing: snapshot.database!.listing });
}

const kinds = {
  folder: 'a folder',
  fifo: 'a FIFO',
  characterDevice: 'a device',
  blockDevice: 'a device',
} as const;

const noBytes = (text: string, what: string): Error =>
  engineError('PATH_UNKNOWN', `Cannot print ${text}: it is ${what}`, {
    remedy: 'Name a file; see what there is with `stillpoint ls`.',
  });

const zeros = new Uint8Array(256 * 1024);

async function* contentParts(
  source: ChunkSource,
  content: Parameters<typeof readContent>[1],
): AsyncGenerator<Uint8Array> {
  for await (const part of readContent(source, content)) {
    if (part.kind === 'bytes') yield part.bytes;
    else
      for (let left = part.length; left > 0; left -= zeros.length)
        yield zeros.subarray(0, Math.min(left, zeros.length));
  }
}

async function* itemParts(
  source: ChunkSource,
  { item, listing }: { readonly item: DatabaseItem; readonly listing: ListingRoot },
): AsyncGenerator<Uint8Array> {
  switch (item.entry) {
    case 'definitions':
      yield* contentParts(source, item.sql);
      return;
    case 'sequence':
      yield Buffer.from(`${item.lastValue}\t${item.isCalled ? 't' : 'f'}\n`);
      return;
    case 'relation':
      yield* tableRows(source, { listing, relation: item });
      return;
    default:
      item satisfies never;
  }
}

/** Rows of all segments, in the order of the heap. */
async function* tableRows(
  source: ChunkSource,
  { listing, relation }: { readonly listing: ListingRoot; readonly relation: RelationName },
): AsyncGenerator<Uint8Array> {
  for await (const entry of readListing(source, listing, { prefix: keyPrefix('segment', relation) })) {
    const segment = decodeEntry(entry);
    if (segment.entry === 'segment') yield* segmentRows(source, segment);
  }
}
