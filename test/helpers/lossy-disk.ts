import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { FileFacts, FileSystem, OpenFile } from '../../store/file-system.ts';

/** A call that the disk is asked for; `index` counts from 1. */
export interface DiskCall {
  readonly index: number;
  readonly operation: keyof FileSystem | 'write' | 'read' | 'sync' | 'close';
  readonly path: string;
}

/** What happens to a call: it throws this instead of being done, or, for a write, takes so many bytes at most. */
export type DiskFault = (call: DiskCall) => Error | { readonly shortWriteBytes: number } | undefined;

/** Which of the states that a power cut may leave is left; true or false is asked once for each thing not synced. */
export type Chance = () => boolean;

/** A disk in memory that knows what would survive a power cut. */
export interface LossyDisk {
  readonly fileSystem: FileSystem;
  /** Calls so far. */
  readonly calls: readonly DiskCall[];
  /** Another disk, as it is found after the power came back: what was synced, and by chance more or less of the rest. */
  afterPowerCut(chance: Chance): LossyDisk;
  /** Another disk that is as this one is now, with what is synced and what is not: as if the process had died. */
  copy(fault?: DiskFault): LossyDisk;
  /** The bytes of a file, now. */
  read(path: string): Uint8Array | undefined;
  /** All paths of files, sorted. */
  paths(): string[];
  /** The same text, the same files with the same bytes. */
  fingerprint(): string;
}

interface Inode {
  now: Buffer;
  durable: Buffer;
  /** After a failed fsync the pages count as clean: a later fsync succeeds and writes nothing. */
  lostPages: boolean;
  links: number;
}

interface Folder {
  readonly now: Map<string, Inode | 'folder'>;
  durable: Map<string, Inode | 'folder'>;
}

/** `folder` exists at first. `fault` decides about every call. */
export function lossyDisk({
  folder = '/disk',
  fault = () => undefined,
}: {
  folder?: string;
  fault?: DiskFault;
} = {}): LossyDisk {
  const folders = new Map<string, Folder>([[folder, emptyFolder()]]);
  return makeDisk(folders, fault);
}

function makeDisk(folders: Map<string, Folder>, fault: DiskFault): LossyDisk {
  const calls: DiskCall[] = [];
  const ask = (
    operation: DiskCall['operation'],
    path: string,
  ): { readonly shortWriteBytes: number } | undefined => {
    const call = { index: calls.length + 1, operation, path };
    calls.push(call);
    const answer = fault(call);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const folderAt = (path: string): Folder => folders.get(path) ?? fail('ENOENT', path);
  const parent = (path: string): Folder => folderAt(posix.dirname(path));
  const inodeAt = (path: string): Inode => {
    const entry = parent(path).now.get(posix.basename(path));
    if (entry === undefined) fail('ENOENT', path);
    if (entry === 'folder') fail('EISDIR', path);
    return entry;
  };
  const add = (path: string, inode: Inode): void => {
    const { now } = parent(path);
    if (now.has(posix.basename(path))) fail('EEXIST', path);
    now.set(posix.basename(path), inode);
  };
  const open = (path: string, inode: Inode): OpenFile => ({
    async write(bytes, position) {
      const limit = ask('write', path)?.shortWriteBytes ?? bytes.length;
      const part = bytes.subarray(0, limit);
      const end = position + part.length;
      // Never in place: copies of the disk share the bytes.
      const grown = Buffer.alloc(Math.max(end, inode.now.length));
      grown.set(inode.now);
      grown.set(part, position);
      inode.now = grown;
      return part.length;
    },
    async read(bytes, position) {
      ask('read', path);
      return inode.now.copy(bytes, 0, position);
    },
    async stat() {
      ask('stat', path);
      return factsOf(inode, path);
    },
    async sync() {
      try {
        ask('sync', path);
      } catch (error) {
        inode.lostPages = true;
        throw error;
      }
      if (!inode.lostPages) inode.durable = inode.now;
    },
    async close() {
      ask('close', path);
    },
  });

  const fileSystem: FileSystem = {
    async create(path) {
      ask('create', path);
      const inode: Inode = { now: Buffer.alloc(0), durable: Buffer.alloc(0), lostPages: false, links: 1 };
      add(path, inode);
      return open(path, inode);
    },
    async open(path) {
      ask('open', path);
      return open(path, inodeAt(path));
    },
    async link(from, to) {
      ask('link', to);
      const inode = inodeAt(from);
      add(to, inode);
      inode.links += 1;
    },
    async rename(from, to) {
      ask('rename', to);
      const inode = inodeAt(from);
      parent(to).now.set(posix.basename(to), inode);
      parent(from).now.delete(posix.basename(from));
    },
    async unlink(path) {
      ask('unlink', path);
      inodeAt(path).links -= 1;
      parent(path).now.delete(posix.basename(path));
    },
    async makeFolder(path) {
      ask('makeFolder', path);
      if (parent(path).now.has(posix.basename(path))) fail('EEXIST', path);
      parent(path).now.set(posix.basename(path), 'folder');
      folders.set(path, emptyFolder());
    },
    async syncFolder(path) {
      ask('syncFolder', path);
      const entry = folderAt(path);
      entry.durable = new Map(entry.now);
    },
    async stat(path) {
      ask('stat', path);
      if (folders.has(path)) return { kind: 'folder', bytes: 0, links: 1, identity: path, mtimeMs: 0 };
      return factsOf(inodeAt(path), path);
    },
    async readFolder(path) {
      ask('readFolder', path);
      return [...folderAt(path).now].map(([name, entry]) => ({
        name,
        kind: entry === 'folder' ? 'folder' : 'file',
      }));
    },
    async isNetwork() {
      return false;
    },
    async space() {
      return { freeBytes: 0, freeFiles: undefined };
    },
  };

  const paths = (): string[] =>
    [...folders]
      .flatMap(([folder, { now }]) =>
        [...now].filter(([, entry]) => entry !== 'folder').map(([name]) => posix.join(folder, name)),
      )
      .sort();
  return {
    fileSystem,
    calls,
    afterPowerCut: chance => makeDisk(survivors(folders, chance), () => undefined),
    copy: (copyFault = () => undefined) => makeDisk(copied(folders), copyFault),
    read(path) {
      const entry = folders.get(posix.dirname(path))?.now.get(posix.basename(path));
      return entry === undefined || entry === 'folder' ? undefined : new Uint8Array(entry.now);
    },
    paths,
    fingerprint: () =>
      paths()
        .map(path => `${path} ${digestOf(inodeAt(path).now)}`)
        .join('\n'),
  };
}

/** Bytes are never changed in place. */
const digests = new WeakMap<Buffer, string>();

function digestOf(bytes: Buffer): string {
  const known = digests.get(bytes);
  if (known !== undefined) return known;
  const digest = createHash('sha256').update(bytes).digest('base64');
  digests.set(bytes, digest);
  return digest;
}

/** Each name that was not synced is there or not, each file that was not synced has old, new, torn or zeroed bytes. */
function survivors(folders: ReadonlyMap<string, Folder>, chance: Chance): Map<string, Folder> {
  const contents = new Map<Inode, Inode>();
  const reborn = (inode: Inode): Inode => {
    const known = contents.get(inode);
    if (known !== undefined) return known;
    const bytes = inode.now.equals(inode.durable) || chance() ? inode.durable : tornBytes(inode, chance);
    const fresh: Inode = { now: bytes, durable: bytes, lostPages: false, links: 1 };
    contents.set(inode, fresh);
    return fresh;
  };
  const after = new Map<string, Folder>();
  for (const [path, { now, durable }] of folders) {
    const entries = new Map<string, Inode | 'folder'>();
    for (const name of new Set([...durable.keys(), ...now.keys()])) {
      const [before, later] = [durable.get(name), now.get(name)];
      const entry = before === later || chance() ? before : later;
      if (entry !== undefined) entries.set(name, entry === 'folder' ? entry : reborn(entry));
    }
    after.set(path, { now: entries, durable: new Map(entries) });
  }
  // What lies below a folder whose own name was lost is lost with it.
  const roots = [...after.keys()].filter(path => !folders.has(posix.dirname(path)));
  const reachable = new Set(roots);
  for (const path of [...after.keys()].sort()) {
    const holder = posix.dirname(path);
    if (reachable.has(holder) && after.get(holder)?.now.get(posix.basename(path)) === 'folder')
      reachable.add(path);
  }
  return new Map([...after].filter(([path]) => reachable.has(path)));
}

function copied(folders: ReadonlyMap<string, Folder>): Map<string, Folder> {
  const copies = new Map<Inode, Inode>();
  const copyOf = (entry: Inode | 'folder'): Inode | 'folder' => {
    if (entry === 'folder') return entry;
    const copy = copies.get(entry) ?? { ...entry };
    copies.set(entry, copy);
    return copy;
  };
  const copyNames = (names: ReadonlyMap<string, Inode | 'folder'>) =>
    new Map([...names].map(([name, entry]) => [name, copyOf(entry)] as const));
  return new Map(
    [...folders].map(([path, { now, durable }]) => [
      path,
      { now: copyNames(now), durable: copyNames(durable) },
    ]),
  );
}

function tornBytes({ now }: Inode, chance: Chance): Buffer {
  if (chance()) return now;
  return chance() ? now.subarray(0, now.length >> 1) : Buffer.alloc(now.length);
}

function emptyFolder(): Folder {
  return { now: new Map(), durable: new Map() };
}

function factsOf({ now, links }: Inode, path: string): FileFacts {
  return { kind: 'file', bytes: now.length, links, identity: path, mtimeMs: 0 };
}

/** An error as the kernel answers it. */
export function diskError(code: string, path = ''): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function fail(code: string, path: string): never {
  throw diskError(code, path);
}
