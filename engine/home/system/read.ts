import { closeSync, constants, openSync, readSync } from 'node:fs';
import { type BytePath, bytesOf } from '../paths.ts';
import type { Libc } from './libc.ts';
import { isFile, type StatCalls, type Stats } from './stat.ts';
import { readXattrs, type Xattr } from './xattrs.ts';

/** A test seam: called after a file was opened, and before each read, so that a test can change it there. */
export type ReadSeam = (path: Buffer, moment: 'opened' | 'read' | 'read whole', offset: number) => void;

/** Takes a file's bytes in order; what it returns is awaited. Bytes are valid until then. */
export interface Receiver<T> {
  /** Where it would have the next bytes, so many at most, so as not to copy them. */
  room?(wanted: number): Uint8Array;
  bytes(bytes: Uint8Array): Promise<void> | undefined;
  hole(length: number): Promise<void> | undefined;
  finish(): Promise<T> | T;
}

export type Taken<T> =
  | {
      readonly kind: 'taken';
      /** What the descriptor said before the first byte was read. */
      readonly stats: Stats;
      readonly xattrs: readonly Xattr[];
      readonly received: T;
      /** False: it changed during every try; what was received is torn, or a prefix. */
      readonly steady: boolean;
    }
  /** Gone, or something else than a file by now. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unreadable'; readonly error: unknown };

export interface FileReader {
  readonly stat: StatCalls;
  readonly libc: Libc | undefined;
  /** Shared by all files of a run, one at a time. */
  readonly buffer: Uint8Array;
  readonly seam?: ReadSeam | undefined;
  readonly onXattrUnreadable: (path: BytePath, name: BytePath) => void;
  /** Called between reads of a large file. */
  readonly rest: () => Promise<void> | undefined;
}

/**
 * Reads a file from one end to the other and makes sure that it did not change meanwhile; else reads it again, at most
 * `tries` times. Never waits on a FIFO, never follows a link.
 */
export async function takeFile<T>(
  path: BytePath,
  reader: FileReader,
  { tries, receive }: { tries: number; receive: (stats: Stats) => Receiver<T> },
): Promise<Taken<T>> {
  for (let left = tries; ; left--) {
    let fd: number | undefined;
    try {
      fd = ask(() => openForReading(path));
      const opened = fd;
      reader.seam?.(bytesOf(path), 'opened', 0);
      const stats = ask(() => reader.stat.open(opened, path));
      if (!isFile(stats)) return { kind: 'gone' };
      const receiver = receive(stats);
      await readInto(receiver, { fd, path, size: stats.size, blocks: stats.blocks }, reader);
      const xattrs = ask(() =>
        readXattrs(opened, {
          libc: reader.libc,
          onUnreadable: name => reader.onXattrUnreadable(path, name),
        }),
      );
      reader.seam?.(bytesOf(path), 'read whole', stats.size);
      const after = ask(() => reader.stat.open(opened, path));
      const steady = isUnchanged(stats, after);
      if (steady || left <= 1)
        return { kind: 'taken', stats, xattrs, received: await receiver.finish(), steady };
    } catch (error) {
      if (!(error instanceof SourceFault)) throw error;
      return isGone(error.fault) ? { kind: 'gone' } : { kind: 'unreadable', error: error.fault };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}

/** A small file as `takeSmall` found it. The bytes are the reader's buffer. */
export interface SmallFile {
  readonly stats: Stats;
  readonly xattrs: readonly Xattr[];
  readonly bytes: Uint8Array;
}

/** Of many small files each promise and closure of `takeFile` costs as much as reading does. */
export const smallBytesMax = 128 * 1024;

/**
 * Reads a file of one piece at once, with all the questions that `takeFile` asks. `changed`: it was written meanwhile,
 * which was one try. Undefined: it is larger, or not all there, or something went wrong; that is for `takeFile` to say.
 */
export function takeSmall(path: BytePath, reader: FileReader): SmallFile | 'changed' | undefined {
  let fd: number | undefined;
  try {
    fd = openForReading(path, reader.libc);
    reader.seam?.(bytesOf(path), 'opened', 0);
    const stats = reader.stat.open(fd, path);
    if (!isFile(stats) || stats.size > smallBytesMax || !isOnePiece(fd, stats, reader)) return undefined;
    const isSame = reader.stat.mark?.();
    if (stats.size > 0) {
      reader.seam?.(bytesOf(path), 'read', 0);
      if (readSync(fd, reader.buffer, 0, stats.size, 0) !== stats.size) return undefined;
    }
    const xattrs = xattrsIn(fd, path, reader);
    reader.seam?.(bytesOf(path), 'read whole', stats.size);
    const isSteady = isSame ? isSame(fd) : isUnchanged(stats, reader.stat.open(fd, path));
    return isSteady ? { stats, xattrs, bytes: reader.buffer.subarray(0, stats.size) } : 'changed';
  } catch (error) {
    if (!isFileError(error)) throw error;
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isOnePiece(fd: number, { size, blocks }: Stats, { libc }: FileReader): boolean {
  if (!libc || !mayHaveHoles(size, blocks)) return true;
  return libc.seekData(fd, 0) === 0 && (libc.seekHole(fd, 0) ?? size) >= size;
}

function xattrsIn(fd: number, path: BytePath, { libc, onXattrUnreadable }: FileReader): readonly Xattr[] {
  if (!libc?.hasXattrs(fd)) return noXattrs;
  return readXattrs(fd, { libc, onUnreadable: name => onXattrUnreadable(path, name) });
}

const noXattrs: readonly Xattr[] = [];

/** A failed call about the source. What the receiver throws is the store's and must end the run, whatever its code. */
class SourceFault extends Error {
  readonly fault: NodeJS.ErrnoException;
  constructor(fault: NodeJS.ErrnoException) {
    super(fault.message);
    this.fault = fault;
  }
}

function ask<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw isFileError(error) ? new SourceFault(error) : error;
  }
}

function isUnchanged(before: Stats, after: Stats): boolean {
  return (
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs &&
    before.mode === after.mode
  );
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME = 0 } = constants;
const openFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/** Without touching the access time where that is allowed: only the owner and root may ask for it. */
export function openForReading(path: BytePath, libc?: Pick<Libc, 'open'>): number {
  const open = (flags: number) => (libc ? libc.open(path, flags) : openSync(bytesOf(path), flags));
  try {
    return open(openFlags | O_NOATIME);
  } catch (error) {
    if (codeOf(error) !== 'EPERM' || O_NOATIME === 0) throw error;
    return open(openFlags);
  }
}

interface Opened {
  readonly fd: number;
  readonly path: BytePath;
  readonly size: number;
  readonly blocks: number;
}

/** A file of one block has no hole worth a question, unless it has no block at all. */
const askForHolesBytesMin = 4096;

const mayHaveHoles = (size: number, blocks: number): boolean =>
  size > askForHolesBytesMin || blocks * 512 < size;

async function readInto<T>(receiver: Receiver<T>, file: Opened, reader: FileReader): Promise<void> {
  const { libc } = reader;
  if (!libc || !mayHaveHoles(file.size, file.blocks)) {
    await readRange(receiver, { ...file, from: 0, to: file.size }, reader);
    return;
  }
  for (let at = 0; at < file.size; ) {
    const data = Math.min(ask(() => libc.seekData(file.fd, at)) ?? file.size, file.size);
    if (data > at) await receiver.hole(data - at);
    const end =
      data < file.size ? Math.min(ask(() => libc.seekHole(file.fd, data)) ?? file.size, file.size) : data;
    const read = await readRange(receiver, { ...file, from: data, to: end }, reader);
    if (read < end - data) return; // truncated meanwhile
    at = end;
  }
}

async function readRange<T>(
  receiver: Receiver<T>,
  range: Opened & { from: number; to: number },
  { buffer, seam, rest }: FileReader,
): Promise<number> {
  let at = range.from;
  while (at < range.to) {
    seam?.(bytesOf(range.path), 'read', at);
    const [wanted, offset] = [Math.min(buffer.length, range.to - at), at];
    const into = receiver.room?.(wanted) ?? buffer.subarray(0, wanted);
    const read = ask(() => readSync(range.fd, into, 0, into.length, offset));
    if (read === 0) break;
    at += read;
    const accepted = receiver.bytes(into.subarray(0, read));
    if (accepted) await accepted;
    const resting = at < range.to ? rest() : undefined;
    if (resting) await resting;
  }
  return at - range.from;
}

/** True for an error of a file call. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && typeof codeOf(error) === 'string';
}

export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** No such name any more; or it is a link by now (ELOOP), a socket (ENXIO), or its folder is something else (ENOTDIR). */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes(codeOf(error) ?? '');
}
