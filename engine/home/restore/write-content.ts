import { ftruncateSync, writeSync } from 'node:fs';
import { type ChunkSource, type Content, type Extent, extentsOf, storeError } from '../../../store/index.ts';
import { readExtent } from '../../ingest/index.ts';
import type { Pace } from '../pace.ts';
import { type BytePath, shown } from '../paths.ts';
import { onTarget } from './target.ts';

export type ChunkExtent = Extent & { readonly kind: 'chunk' };

const gatheredBytes = 64 * 1024;

/** Writes bytes where they belong and leaves holes alone. TARGET_FAILED, STORE_DAMAGED. */
export async function writeContent(
  fd: number,
  {
    path,
    content,
    source,
    pace,
    leave = () => false,
    rest = () => undefined,
  }: {
    readonly path: BytePath;
    readonly content: Content;
    readonly source: ChunkSource;
    readonly pace: Pace;
    /** Takes a run of bytes that somebody else writes later; false: nobody does. */
    readonly leave?: (extent: ChunkExtent, position: number) => boolean;
    /** Called after that. */
    readonly rest?: () => Promise<void> | undefined;
  },
): Promise<void> {
  if (content.length === 0) return;
  const small = inPlace(content);
  if (small) {
    writeAll(fd, small, { path, at: 0 });
    return;
  }
  let offset = 0;
  let endsInHole = false;
  // Bytes may come one by one, as many as there is room: a call for each would take days.
  const gathered = Buffer.allocUnsafe(Math.min(gatheredBytes, content.length));
  let held = 0;
  const flush = (): void => {
    if (held > 0) writeAll(fd, gathered.subarray(0, held), { path, at: offset - held });
    held = 0;
  };
  for await (const extent of extentsOf(source, content)) {
    if (extent.kind === 'chunk' && extent.length >= gatheredBytes && leave(extent, offset)) {
      flush();
      offset += extent.length;
      endsInHole = false;
      await rest();
      await pace.rest();
      continue;
    }
    const part = await readExtent(source, extent);
    endsInHole = part.kind === 'hole';
    if (part.kind === 'hole') {
      flush();
      offset += part.length;
    } else if (part.bytes.length >= gathered.length) {
      flush();
      writeAll(fd, part.bytes, { path, at: offset });
      offset += part.bytes.length;
    } else {
      if (held + part.bytes.length > gathered.length) flush();
      gathered.set(part.bytes, held);
      held += part.bytes.length;
      offset += part.bytes.length;
    }
    await pace.rest();
  }
  flush();
  if (endsInHole) onTarget(path, () => ftruncateSync(fd, offset));
  if (offset !== content.length)
    throw storeError(
      'STORE_DAMAGED',
      `Cannot restore home: ${shown(path)} has ${offset} bytes, its entry says ${content.length}`,
    );
}

export function writeAll(fd: number, bytes: Uint8Array, { path, at }: { path: BytePath; at: number }): void {
  for (let from = 0; from < bytes.length; )
    from += onTarget(path, () => writeSync(fd, bytes, from, bytes.length - from, at + from));
}

function inPlace(content: Content): Uint8Array | undefined {
  if (!('extents' in content) || content.extents.length !== 1) return undefined;
  const [only] = content.extents;
  return only?.kind === 'inline' ? only.bytes : undefined;
}
