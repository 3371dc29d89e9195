import { closeSync, openSync } from 'node:fs';
import type { ChunkId, ChunkPlace, Content } from '../../../store/index.ts';
import { readExtent } from '../../ingest/index.ts';
import { naming } from '../../naming.ts';
import type { HomeEntry } from '../entries/entry.ts';
import { type BytePath, shown } from '../paths.ts';
import { attributeBytes, noteTrusted, type Restoration } from './restoration.ts';
import { at, type FolderHold, onTarget } from './target.ts';
import type { WaitingPiece } from './write-ahead.ts';
import { type ChunkExtent, writeAll, writeContent } from './write-content.ts';
import { createFlags, type NewFile } from './write-job.ts';

/** Thousands of files wait at a time: what has more attributes than any home comes near does not. */
const waitingAttributesMax = 4096;

/** Leaves a file whose bytes are one piece to be made when they come. False: it has to be made now. */
export function leaveFile(entry: HomeEntry, name: BytePath, restoration: Restoration): boolean {
  const { ahead } = restoration;
  const content = entry.content!;
  const only = 'extents' in content && content.extents.length === 1 ? content.extents[0] : undefined;
  if (!ahead || only?.kind !== 'chunk' || only.length !== content.length) return false;
  if (attributeBytes(entry) > waitingAttributesMax) return false;
  const place = ahead.placeOf(only);
  if (!place) return false;
  ahead.add(place, new LeftFile({ entry, name, extent: only, place, restoration }));
  noteTrusted(entry, restoration);
  restoration.done.bytes += content.length;
  return true;
}

/** Thousands wait at a time: one object each, and one for where it goes. */
class LeftFile implements WaitingPiece {
  readonly id: ChunkId;
  readonly chunkAt: number;
  readonly chunkBytes: number;
  readonly from: number;
  readonly length: number;
  readonly to: NewFile;
  readonly #entry: HomeEntry;
  readonly #restoration: Restoration;
  readonly #hold: FolderHold;

  constructor({ entry, name, extent, place, restoration }: LeftFileOptions) {
    const { folders, metadata } = restoration;
    const hold = folders.hold();
    this.id = extent.id;
    this.chunkAt = place.offset;
    this.chunkBytes = place.length;
    this.from = extent.offset;
    this.length = extent.length;
    this.to = { folder: hold.fd, name, metadata: entry, owner: metadata.ownerOf(entry) };
    this.#entry = entry;
    this.#restoration = restoration;
    this.#hold = hold;
  }

  get path(): BytePath {
    return this.#entry.path;
  }

  async otherwise(): Promise<void> {
    const entry = this.#entry;
    const { path } = entry;
    const { source, pace, metadata } = this.#restoration;
    const fd = create(this.to.folder, this.to.name, path);
    try {
      await writeContent(fd, { path, content: entry.content!, source, pace });
      onTarget(path, () => metadata.open(fd, entry));
    } finally {
      closeSync(fd);
    }
  }

  done(): void {
    this.#restoration.folders.release(this.#hold);
  }
}

interface LeftFileOptions {
  readonly entry: HomeEntry;
  readonly name: BytePath;
  /** All of its content. */
  readonly extent: ChunkExtent;
  readonly place: ChunkPlace;
  readonly restoration: Restoration;
}

const pieceOf = ({ id, offset, length }: ChunkExtent, place: ChunkPlace) => ({
  id,
  chunkAt: place.offset,
  chunkBytes: place.length,
  from: offset,
  length,
});

const create = (folder: number, name: BytePath, path: BytePath): number =>
  onTarget(path, () => openSync(at(folder, name), createFlags, 0o600));

/** Makes a file and writes what is at hand; the rest comes when its turn is. */
export async function restoreFile(entry: HomeEntry, name: BytePath, restoration: Restoration): Promise<void> {
  const { folders, metadata, done, source, pace, ahead, open } = restoration;
  const { path, content } = entry;
  const hold = folders.hold();
  const fd = create(folders.fd, name, path);
  open.add(fd);
  let left = 1;
  const finish = (): void => {
    if (--left > 0) return;
    onTarget(path, () => metadata.open(fd, entry));
    open.delete(fd);
    closeSync(fd);
    folders.release(hold);
  };
  const leave = (extent: ChunkExtent, position: number): boolean => {
    const place = ahead?.placeOf(extent);
    if (!ahead || !place) return false;
    left++;
    ahead.add(place, {
      ...pieceOf(extent, place),
      to: { fd, position },
      path,
      async otherwise() {
        const part = await readExtent(source, extent);
        if (part.kind === 'bytes') writeAll(fd, part.bytes, { path, at: position });
      },
      done: finish,
    });
    return true;
  };
  const rest = () => restAhead(restoration);
  const write = (whole: Content) => writeContent(fd, { path, content: whole, source, pace, leave, rest });
  if (content) await naming(`file ${shown(path)}`, () => write(content));
  noteTrusted(entry, restoration);
  done.bytes += content?.length ?? 0;
  finish();
}

/** Waits where too much waits to be read, or is open. */
export function restAhead({ ahead, folders, open, openMax }: Restoration): Promise<void> | undefined {
  if (!ahead) return undefined;
  const isCrowded = (): boolean => folders.opened + open.size > openMax;
  return isCrowded() ? ahead.relieve(isCrowded) : ahead.rest();
}
