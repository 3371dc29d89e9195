import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';

/**
 * The few calls through which a local store and durable files touch the disk: the seam where tests lose power, run out
 * of space and tear writes. Errors are Node's, with `code`.
 */
export interface FileSystem {
  /** Creates a file for writing; EEXIST. */
  create(path: string, mode: number): Promise<OpenFile>;
  /** Opens what is there for reading; never waits for a FIFO's writer, and never follows a link (ELOOP). */
  open(path: string): Promise<OpenFile>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  makeFolder(path: string, mode: number): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Follows links. */
  stat(path: string): Promise<FileFacts>;
  /** In no particular order. */
  readFolder(path: string): Promise<readonly FolderEntry[]>;
  /** Other hosts may write there, and what they wrote may show late. */
  isNetwork(path: string): Promise<boolean>;
  /** What this user may still write on the file system of a path; files: undefined where it does not count them. */
  space(path: string): Promise<{ readonly freeBytes: number; readonly freeFiles: number | undefined }>;
}

export interface OpenFile {
  /** How many bytes were written, maybe fewer than asked for. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** How many bytes were read; 0 at the end. */
  read(bytes: Uint8Array, position: number): Promise<number>;
  stat(): Promise<FileFacts>;
  /** Makes the bytes durable. After a failure nobody knows which were lost. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type FileKind = 'file' | 'folder' | 'other';

export interface FileFacts {
  readonly kind: FileKind;
  readonly bytes: number;
  readonly links: number;
  /** Device and inode: the same text, the same file. */
  readonly identity: string;
  /** By the clock of the file system. */
  readonly mtimeMs: number;
}

export interface FolderEntry {
  readonly name: string;
  /** 'other' where the file system does not say without a stat, and for links. */
  readonly kind: FileKind;
}

const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** The real one. */
export const nodeFileSystem: FileSystem = {
  create: async (path, mode) => openFile(await fs.open(path, 'wx', mode)),
  open: async path => openFile(await fs.open(path, openFlags)),
  link: (from, to) => fs.link(from, to),
  rename: (from, to) => fs.rename(from, to),
  unlink: path => fs.unlink(path),
  makeFolder: async (path, mode) => {
    await fs.mkdir(path, { mode });
  },
  async syncFolder(path) {
    const folder = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  stat: async path => factsOf(await fs.stat(path, { bigint: true })),
  async readFolder(path) {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries.map(entry => ({
      name: entry.name,
      kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other',
    }));
  },
  async space(path) {
    const { bavail, bsize, files, ffree } = await fs.statfs(path);
    return { freeBytes: bavail * bsize, freeFiles: files > 0 ? ffree : undefined };
  },
  isNetwork: async path => networkTypes.has((await fs.statfs(path)).type >>> 0),
};

/** From Linux's magic.h: NFS, SMB, SMB2, CIFS, FUSE, Ceph, AFS, 9p. */
const networkTypes = new Set([
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x65735546, 0x00c36400, 0x5346414f, 0x01021997,
]);

function openFile(handle: fs.FileHandle): OpenFile {
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    read: async (bytes, position) => (await handle.read(bytes, 0, bytes.length, position)).bytesRead,
    stat: async () => factsOf(await handle.stat({ bigint: true })),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

function factsOf(stats: {
  isFile(): boolean;
  isDirectory(): boolean;
  size: bigint;
  nlink: bigint;
  dev: bigint;
  ino: bigint;
  mtimeMs: bigint;
}): FileFacts {
  return {
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other',
    bytes: Number(stats.size),
    links: Number(stats.nlink),
    identity: `${stats.dev}:${stats.ino}`,
    mtimeMs: Number(stats.mtimeMs),
  };
}
