import type { Content } from '../../store/index.ts';
import { ByteArena, ContentArena, XattrSets } from './arena.ts';
import type { GitPlace } from './leftovers.ts';
import type { BytePath } from './paths.ts';
import { kindMask, kinds, type Stats } from './stat.ts';
import type { State } from './states.ts';
import type { Xattr } from './xattrs.ts';

/** A file or folder as a look found it; what a row of the table holds. */
export interface Row {
  readonly name: BytePath;
  /** Folders above it within the root; the root folder itself is 0. */
  readonly depth: number;
  readonly stats: Stats;
  readonly fileSystem: number;
  readonly xattrs: readonly Xattr[];
  /** Of a folder. */
  readonly place?: GitPlace | undefined;
  /** Of a symbolic link. */
  readonly target?: BytePath | undefined;
}

export interface RowSums {
  /** Everything that is no folder. */
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
}

/** Times and inodes are in words of 4 bytes, the low one first. */
export interface Columns {
  /** Blocks of names, each behind its length; see `ByteArena`. */
  readonly names: readonly Uint8Array[];
  readonly nameAt: Uint32Array;
  readonly mode: Uint16Array;
  readonly depth: Uint16Array;
  readonly fileSystem: Uint16Array;
  readonly nlink: Uint8Array;
  readonly size: Float64Array;
  readonly mtime: Uint32Array;
  readonly ctime: Uint32Array;
  readonly ino: Uint32Array;
}

const words = ({ buffer, byteOffset, length }: BigInt64Array | BigUint64Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length * 2);

const rowsFirst = 1024;
const noDetail = 0xffffffff;
const flags = { untaken: 1, unsettled: 2, placeShift: 2, placeMask: 0b1100, read: 16 };
const places: readonly GitPlace[] = ['none', 'repository', 'refs', 'objects'];

/**
 * Rows in columns: about 60 bytes a file and its name, where an object would take 400. Rows are only ever added, in walk
 * order, so that a folder's rows follow it and its end says where they stop.
 */
export class EntryTable {
  #count = 0;
  #names = new ByteArena();
  #contents = new ContentArena();
  #xattrs = new XattrSets();
  #devices = new Map<number, bigint>();
  #mode: Uint16Array;
  #depth: Uint16Array;
  #fileSystem: Uint16Array;
  #flags: Uint8Array;
  #uid: Uint32Array;
  #gid: Uint32Array;
  #nlink: Uint8Array;
  #xattrSet: Uint32Array;
  #nameAt: Uint32Array;
  /** Files: where the content is. Links: where the target is. Folders: the row after their last one. */
  #detail: Uint32Array;
  #size: Float64Array;
  #mtimeNs: BigInt64Array;
  #ctimeNs: BigInt64Array;
  #ino: BigUint64Array;

  /** With room for so many rows; it grows by half when they are not enough. */
  constructor(rows = rowsFirst) {
    const length = Math.max(rows, 1);
    this.#mode = new Uint16Array(length);
    this.#depth = new Uint16Array(length);
    this.#fileSystem = new Uint16Array(length);
    this.#flags = new Uint8Array(length);
    this.#uid = new Uint32Array(length);
    this.#gid = new Uint32Array(length);
    this.#nlink = new Uint8Array(length);
    this.#xattrSet = new Uint32Array(length);
    this.#nameAt = new Uint32Array(length);
    this.#detail = new Uint32Array(length);
    this.#size = new Float64Array(length);
    this.#mtimeNs = new BigInt64Array(length);
    this.#ctimeNs = new BigInt64Array(length);
    this.#ino = new BigUint64Array(length);
  }

  get count(): number {
    return this.#count;
  }

  add(row: Row): number {
    const at = this.#count++;
    if (at === this.#mode.length) this.#grow();
    const { stats } = row;
    this.#flags[at] = places.indexOf(row.place ?? 'none') << flags.placeShift;
    this.#depth[at] = row.depth;
    this.#fileSystem[at] = row.fileSystem;
    this.#uid[at] = stats.uid;
    this.#gid[at] = stats.gid;
    this.#nlink[at] = Math.min(stats.nlink, 2);
    this.#xattrSet[at] = this.#xattrs.idOf(row.xattrs);
    this.#nameAt[at] = this.#names.add(row.name);
    this.#detail[at] = row.target === undefined ? noDetail : this.#names.add(row.target);
    this.setStats(at, stats);
    return at;
  }

  /** Replaces what a file's own descriptor says over what its path said. */
  setStats(at: number, stats: Stats): void {
    const kind = stats.mode & kindMask;
    this.#mode[at] = stats.mode;
    this.#uid[at] = stats.uid;
    this.#gid[at] = stats.gid;
    this.#size[at] = kind === kinds.file ? stats.size : 0;
    this.#mtimeNs[at] = stats.mtimeNs;
    this.#ctimeNs[at] = stats.ctimeNs;
    this.#ino[at] = stats.ino;
    if (kind === kinds.blockDevice || kind === kinds.characterDevice) this.#devices.set(at, stats.rdev);
  }

  setXattrs(at: number, xattrs: readonly Xattr[]): void {
    this.#xattrSet[at] = this.#xattrs.idOf(xattrs);
  }

  /** Also sets the size: what was read is what the entry says. */
  setContent(at: number, content: Content): void {
    this.#size[at] = content.length;
    this.#detail[at] = this.#contents.add(content);
  }

  /** Gives one row the content of another name of the same file. */
  shareContent(at: number, from: number): void {
    this.#size[at] = this.#size[from]!;
    this.#detail[at] = this.#detail[from]!;
  }

  contentOf(at: number): Content | undefined {
    const detail = this.#detail[at]!;
    return detail === noDetail ? undefined : this.#contents.get(detail, this.#size[at]!);
  }

  /** Marks a row whose content could not be read consistently: no later look may trust it. */
  setUntaken(at: number): void {
    this.#flags[at]! |= flags.untaken;
  }

  isUntaken(at: number): boolean {
    return (this.#flags[at]! & flags.untaken) !== 0;
  }

  setUnsettled(at: number): void {
    this.#flags[at]! |= flags.unsettled;
  }

  isUnsettled(at: number): boolean {
    return (this.#flags[at]! & flags.unsettled) !== 0;
  }

  /** Marks a file whose content was read, under this name or another one. */
  setRead(at: number): void {
    this.#flags[at]! |= flags.read;
  }

  isRead(at: number): boolean {
    return (this.#flags[at]! & flags.read) !== 0;
  }

  /** Says where the rows below a folder end: in this table, or in the sequence that it is walked in. */
  endFolder(at: number, end = this.#count): void {
    this.#detail[at] = end;
  }

  /** The row after everything below this one. */
  endOf(at: number): number {
    return this.isFolder(at) ? this.#detail[at]! : at + 1;
  }

  isFolder(at: number): boolean {
    return (this.#mode[at]! & kindMask) === kinds.folder;
  }

  isFile(at: number): boolean {
    return (this.#mode[at]! & kindMask) === kinds.file;
  }

  name(at: number): BytePath {
    return this.#names.get(this.#nameAt[at]!);
  }

  target(at: number): BytePath {
    return this.#names.get(this.#detail[at]!);
  }

  state(at: number): State {
    return {
      size: this.#size[at]!,
      mtimeNs: this.#mtimeNs[at]!,
      ctimeNs: this.#ctimeNs[at]!,
      ino: this.#ino[at]!,
    };
  }

  mode(at: number): number {
    return this.#mode[at]!;
  }
  depth(at: number): number {
    return this.#depth[at]!;
  }
  fileSystem(at: number): number {
    return this.#fileSystem[at]!;
  }
  uid(at: number): number {
    return this.#uid[at]!;
  }
  gid(at: number): number {
    return this.#gid[at]!;
  }
  size(at: number): number {
    return this.#size[at]!;
  }
  xattrs(at: number): readonly Xattr[] {
    return this.#xattrs.get(this.#xattrSet[at]!);
  }
  device(at: number): bigint | undefined {
    return this.#devices.get(at);
  }
  place(at: number): GitPlace {
    return places[(this.#flags[at]! >> flags.placeShift) & 3]!;
  }
  setPlace(at: number, place: GitPlace): void {
    this.#flags[at] = (this.#flags[at]! & ~flags.placeMask) | (places.indexOf(place) << flags.placeShift);
  }
  /** True for a file with more than one name. */
  isLinked(at: number): boolean {
    return this.#nlink[at]! > 1 && !this.isFolder(at);
  }

  /** The columns themselves, for a loop over many rows. Valid until a row is added. */
  get columns(): Columns {
    return {
      names: this.#names.blocks,
      nameAt: this.#nameAt,
      mode: this.#mode,
      depth: this.#depth,
      fileSystem: this.#fileSystem,
      nlink: this.#nlink,
      size: this.#size,
      mtime: words(this.#mtimeNs),
      ctime: words(this.#ctimeNs),
      ino: words(this.#ino),
    };
  }

  /** What the rows from one up to and without another amount to. */
  sums(from: number, to: number): RowSums {
    const sums = { files: 0, folders: 0, bytes: 0 };
    for (let at = from; at < to; at++) {
      if (this.isFolder(at)) sums.folders++;
      else sums.files++;
      sums.bytes += this.#size[at]!;
    }
    return sums;
  }

  #grow(): void {
    const length = Math.ceil(this.#mode.length * 1.5) + 1;
    this.#mode = grown(this.#mode, new Uint16Array(length));
    this.#depth = grown(this.#depth, new Uint16Array(length));
    this.#fileSystem = grown(this.#fileSystem, new Uint16Array(length));
    this.#flags = grown(this.#flags, new Uint8Array(length));
    this.#uid = grown(this.#uid, new Uint32Array(length));
    this.#gid = grown(this.#gid, new Uint32Array(length));
    this.#nlink = grown(this.#nlink, new Uint8Array(length));
    this.#xattrSet = grown(this.#xattrSet, new Uint32Array(length));
    this.#nameAt = grown(this.#nameAt, new Uint32Array(length));
    this.#detail = grown(this.#detail, new Uint32Array(length));
    this.#size = grown(this.#size, new Float64Array(length));
    this.#mtimeNs = grown(this.#mtimeNs, new BigInt64Array(length));
    this.#ctimeNs = grown(this.#ctimeNs, new BigInt64Array(length));
    this.#ino = grown(this.#ino, new BigUint64Array(length));
  }
}

function grown<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
