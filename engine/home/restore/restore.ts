import { closeSync, linkSync, symlinkSync, unlinkSync } from 'node:fs';
import {
  type ChunkSource,
  type Clock,
  type Entry,
  type Store,
  storeError,
  systemClock,
} from '../../../store/index.ts';
import { decodeHomeEntry, type HomeEntry, type HomeRoot } from '../entries/entry.ts';
import { homeEntryReader } from '../entries/read-entry.ts';
import { type Selected, selectedGroups } from '../entries/select.ts';
import { makePace } from '../pace.ts';
import { type BytePath, bytesOf, shown } from '../paths.ts';
import { makeDevice } from '../system/device.ts';
import { type LibcLoad, loadLibc } from '../system/libc.ts';
import { codeOf } from '../system/read.ts';
import { kinds } from '../system/stat.ts';
import type { HomeProgress } from '../types.ts';
import { metadataWriter, type OwnerRule } from './metadata.ts';
import { openMaxHere } from './open-max.ts';
import { attributeBytes, noteTrusted, type Restoration, warningsOf } from './restoration.ts';
import { at, identityOfName, isSameThing, onTarget, TargetFolders } from './target.ts';
import { WriteAhead } from './write-ahead.ts';
import { leaveFile, restAhead, restoreFile } from './write-file.ts';

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
