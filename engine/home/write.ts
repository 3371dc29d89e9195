import { closeSync, linkSync, openSync, symlinkSync, unlinkSync } from 'node:fs';
import {
  type ChunkId,
  type ChunkPlace,
  type ChunkSource,
  type Clock,
  type Content,
  type Entry,
  type Store,
  storeError,
  systemClock,
} from '../../store/index.ts';
import { readExtent } from '../ingest/index.ts';
import { naming } from '../naming.ts';
import { makeDevice } from './device.ts';
import { decodeHomeEntry, type HomeEntry } from './entry.ts';
import { type Libc, type LibcLoad, loadLibc } from './libc.ts';
import { type MetadataWriter, metadataWriter, type OwnerRule } from './metadata.ts';
import { openMaxHere } from './open-max.ts';
import { makePace, type Pace } from './pace.ts';
import { type BytePath, bytesOf, shown } from './paths.ts';
import { codeOf } from './read.ts';
import { homeEntryReader } from './read-entry.ts';
import { type Selected, selectedGroups } from './select.ts';
import { kinds } from './stat.ts';
import {
  at,
  type FolderHold,
  type Identity,
  identityOfName,
  isSameThing,
  onTarget,
  TargetFolders,
} from './target.ts';
import type { HomeProgress, HomeRoot } from './types.ts';
import { type WaitingPiece, WriteAhead } from './write-ahead.ts';
import { type ChunkExtent, writeAll, writeContent } from './write-content.ts';
import { createFlags, type NewFile } from './write-job.ts';

export interface RestoreHomeOptions {
  /** One that can, is read in the order in which data lies in it. */
  readonly source: ChunkSource & Partial<Pick<Store, 'readRuns'>>;
  /** One of the manifest's home roots. */
  readonly root: Pick<HomeRoot, 'listing'>;
  /** Only these of the root, with the folders above them; a linked file whose other names stay behind is one of its own. */
  readonly selected?: readonly Selected[] | undefined;
  /** An empty or absent folder; `lost+found` counts as nothing. */
  readonly target: string;
  /** 'keep' unless given: owners by number. Needs root; without it owners stay, and one warning counts them. */
  readonly owner?: OwnerRule | undefined;
  /** Names in the target's top folder that are the caller's own. */
  readonly allowed?: readonly string[] | undefined;
  /** Called when all is in place but the owner, mode and times of the target itself: remove what is `allowed` now. */
  readonly onFilled?: (() => Promise<void>) | undefined;
  readonly clock?: Clock | undefined;
  /** Loaded unless a test gives it. */
  readonly libc?: LibcLoad | undefined;
  /** Threads that write beside this one: none where `libc` is given, else one less than there are processors. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: HomeProgress) => void) | undefined;
}

export interface RestoredHome {
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
}

/**
 * Writes a home into an empty folder: never outside it, never through a link, never over something. Times and modes come
 * last, a folder's when all in it is there. TARGET_NOT_EMPTY, TARGET_FAILED, and STORE_DAMAGED for a listing that
 * names what is no path below its root.
 */
export async function restoreHome(options: RestoreHomeOptions): Promise<RestoredHome> {
  const { source, root, target, signal, clock = systemClock } = options;
  const { libc } = options.libc ?? (await loadLibc());
  const metadata = metadataWriter({ libc, owner: options.owner ?? 'keep' });
  const pace = makePace({ clock, sliceMs: 10, signal });
  const { selected } = options;
  const groups = selectedGroups(source, { listing: root.listing, selected });
  const firstGroup = (await groups.next()).value ?? [];
  const top = firstGroup[0] && decodeHomeEntry(firstGroup[0]);
  if (top?.path !== '') throw damaged('its first entry is not the root folder');
  metadata.learnNames(top.owners);
  const folders = TargetFolders.open<HomeEntry>(target, { what: top, allowed: options.allowed ?? [] });
  const runs = await source.readRuns?.();
  // What a test gives is not there in another thread.
  const threads = options.libc ? 0 : options.threads;
  const ahead = runs && new WriteAhead({ runs, libc, metadata, signal, threads });
  const restoration: Restoration = {
    source,
    ahead,
    open: new Set(),
    isRoot: process.geteuid?.() === 0,
    libc,
    metadata,
    folders,
    pace,
    made: new Map(),
    done: { files: 0, folders: 1, bytes: 0 },
    devicesSkipped: 0,
    linksCopied: 0,
    heldBytes: 0,
    openMax: await openMaxHere(),
    trusted: { files: 0, devices: 0, names: [] },
  };
  const { done } = restoration;
  const readEntry = homeEntryReader();
  const leave = (): void =>
    folders.leave((fd, entry) => {
      restoration.heldBytes -= attributeBytes(entry);
      metadata.open(fd, entry);
    });
  const restoreGroup = async (group: readonly Entry[]): Promise<void> => {
    for (const encoded of group) {
      const entry = readEntry(encoded);
      const { folder, name } = splitPath(entry.path);
      while (folders.depth > 0 && !isWithin(folder, folders.path)) leave();
      if (folder !== folders.path) throw damaged(`${shown(entry.path)} has no folder`);
      const restoring = restoreEntry(entry, name, restoration);
      if (restoring) await restoring;
      const writing = restAhead(restoration);
      if (writing) await writing;
      const resting = pace.rest();
      if (resting) {
        options.onProgress?.({ files: done.files, bytes: done.bytes });
        await resting;
      }
    }
  };
  try {
    await restoreGroup(firstGroup.slice(1));
    for await (const group of groups) await restoreGroup(group);
    while (folders.depth > 0) leave();
    await ahead?.finish();
    await options.onFilled?.();
    leave();
  } finally {
    // First: a thread must not write to a descriptor that is somebody else's by then.
    await ahead?.[Symbol.asyncDispose]();
    folders.close();
    for (const fd of restoration.open) closeSync(fd);
    await groups.return(undefined);
  }
  options.onProgress?.({ files: done.files, bytes: done.bytes });
  return { ...done, warnings: warningsOf(restoration) };
}

interface Restoration {
  readonly source: ChunkSource;
  /** Undefined where the source gives chunks only. */
  readonly ahead: WriteAhead | undefined;
  /** Files that wait for their bytes. */
  readonly open: Set<number>;
  readonly isRoot: boolean;
  readonly libc: Libc | undefined;
  readonly metadata: MetadataWriter;
  readonly folders: TargetFolders<HomeEntry>;
  /** The first name of each file that has several. */
  readonly made: Map<string, Identity & { readonly folder: BytePath; readonly name: BytePath }>;
  readonly done: { files: number; folders: number; bytes: number };
  devicesSkipped: number;
  linksCopied: number;
  /** Folders and files that are kept open for what is left. */
  readonly openMax: number;
  /** Of attributes of the folders that are not finished. */
  heldBytes: number;
  /** What gives rights to whoever runs or opens it. */
  readonly trusted: { files: number; devices: number; readonly names: BytePath[] };
  readonly pace: Pace;
}

const damaged = (state: string): Error => storeError('STORE_DAMAGED', `Cannot restore home: ${state}`);

function splitPath(path: BytePath): { folder: BytePath; name: BytePath } {
  const slash = path.lastIndexOf('/');
  return { folder: path.slice(0, Math.max(slash, 0)) as BytePath, name: path.slice(slash + 1) as BytePath };
}

const isWithin = (path: BytePath, folder: BytePath): boolean =>
  path === folder || path.startsWith(`${folder}/`);

/** Undefined where it is done, or left to be done. */
function restoreEntry(entry: HomeEntry, name: BytePath, restoration: Restoration): Promise<void> | undefined {
  const { folders, done } = restoration;
  if (entry.kind === 'folder') {
    restoration.heldBytes += attributeBytes(entry);
    if (restoration.heldBytes > heldBytesMax) throw damaged('its folders have too many attributes');
    folders.enter(name, { ...entry, path: '' as BytePath }); // many deep folders would hold their paths many times
    done.folders++;
    return undefined;
  }
  done.files++;
  if (entry.linked && linkToEarlier(entry, name, restoration)) return undefined;
  if (entry.kind === 'file' && !entry.linked && leaveFile(entry, name, restoration)) return undefined;
  return restoreNow(entry, name, restoration);
}

async function restoreNow(entry: HomeEntry, name: BytePath, restoration: Restoration): Promise<void> {
  const { folders, metadata } = restoration;
  switch (entry.kind) {
    case 'file':
      await restoreFile(entry, name, restoration);
      break;
    case 'link':
      onTarget(entry.path, () => {
        symlinkSync(bytesOf(entry.target!), at(folders.fd, name));
        metadata.named(folders.fd, name, entry);
      });
      break;
    case 'fifo':
    case 'characterDevice':
    case 'blockDevice':
      if (!makeNode(entry, name, restoration)) return;
      break;
    case 'folder':
      break;
    default:
      entry.kind satisfies never;
  }
  if (entry.linked) {
    const identity = onTarget(entry.path, () => identityOfName(folders.fd, name));
    restoration.made.set(groupOf(entry), { ...identity, folder: folders.path, name });
  }
}

/** A folder's attributes wait until all in it is there; no home comes near. */
const heldBytesMax = 64 * 1024 * 1024;
const attributeBytes = ({ xattrs }: HomeEntry): number =>
  xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, 0);

const setIdBits = 0o6000;
const trustedNamesMax = 5;

/** Counts what root should look at before others may use the home: as another user, it gives no rights but one's own. */
function noteTrusted({ path, kind, mode, xattrs }: HomeEntry, { trusted, isRoot }: Restoration): void {
  if (!isRoot) return;
  const isDevice = kind === 'characterDevice' || kind === 'blockDevice';
  const isFile =
    kind === 'file' &&
    ((mode & setIdBits) !== 0 || xattrs.some(({ name }) => name === 'security.capability'));
  if (!isDevice && !isFile) return;
  if (isDevice) trusted.devices++;
  else trusted.files++;
  if (trusted.names.length < trustedNamesMax) trusted.names.push(path);
}

const groupOf = ({ fileSystem, inode, kind }: HomeEntry): string => `${fileSystem}:${inode}:${kind}`;

/** Gives a file of this run another name. False when there is none yet, or the file system refuses. */
function linkToEarlier(entry: HomeEntry, name: BytePath, restoration: Restoration): boolean {
  const { folders, made } = restoration;
  const earlier = made.get(groupOf(entry));
  if (!earlier) return false;
  return onTarget(entry.path, () => {
    try {
      folders.inside(earlier.folder, fd => linkSync(at(fd, earlier.name), at(folders.fd, name)));
    } catch (error) {
      if (!['EMLINK', 'EXDEV', 'EPERM'].includes(codeOf(error) ?? '')) throw error;
      restoration.linksCopied++;
      return false;
    }
    if (isSameThing(identityOfName(folders.fd, name), earlier)) return true;
    unlinkSync(at(folders.fd, name));
    throw Object.assign(new Error('ESTALE: the file was replaced'), { code: 'ESTALE', syscall: 'link' });
  });
}

/** Thousands of files wait at a time: what has more attributes than any home comes near does not. */
const waitingAttributesMax = 4096;

/** Leaves a file whose bytes are one piece to be made when they come. False: it has to be made now. */
function leaveFile(entry: HomeEntry, name: BytePath, restoration: Restoration): boolean {
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
async function restoreFile(entry: HomeEntry, name: BytePath, restoration: Restoration): Promise<void> {
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

function restAhead({ ahead, folders, open, openMax }: Restoration): Promise<void> | undefined {
  if (!ahead) return undefined;
  const isCrowded = (): boolean => folders.opened + open.size > openMax;
  return isCrowded() ? ahead.relieve(isCrowded) : ahead.rest();
}

/** FIFOs for everybody, devices for root only. */
function makeNode(entry: HomeEntry, name: BytePath, restoration: Restoration): boolean {
  const { libc, folders, metadata, isRoot } = restoration;
  const isDevice = entry.kind !== 'fifo';
  if (!libc || (isDevice && !isRoot)) {
    restoration.devicesSkipped++;
    restoration.done.files--;
    return false;
  }
  const kind = entry.kind as 'fifo' | 'characterDevice' | 'blockDevice';
  const device = entry.device ? makeDevice(entry.device) : 0n;
  onTarget(entry.path, () => {
    libc.makeNodeAt(folders.fd, bytesOf(name), { mode: kinds[kind] | 0o600, device });
    metadata.named(folders.fd, name, entry);
  });
  noteTrusted(entry, restoration);
  return true;
}

function warningsOf({ metadata, devicesSkipped, linksCopied, trusted }: Restoration): string[] {
  const { owners, attributes, attributeNames } = metadata.losses;
  const warnings: string[] = [];
  if (owners > 0)
    warnings.push(`Owners of ${owners} entries were not restored: only root may give files away`);
  if (attributes > 0) {
    const names = [...attributeNames].slice(0, 5).map(shown).join(', ');
    warnings.push(`${attributes} extended attributes were not restored: ${names}`);
  }
  if (devicesSkipped > 0) warnings.push(`${devicesSkipped} FIFOs or devices were not made again`);
  if (linksCopied > 0)
    warnings.push(`${linksCopied} hard links became files of their own: the target refuses them`);
  if (trusted.files + trusted.devices > 0) {
    const names = trusted.names.map(shown).join(', ');
    warnings.push(
      `${trusted.files} files with set-id bits or capabilities and ${trusted.devices} devices were restored: ${names}`,
    );
  }
  return warnings;
}
