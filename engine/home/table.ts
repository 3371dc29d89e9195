import type { Content } from '../../store/index.ts';
import { ByteArena, ContentArena, XattrSets } from './arena.ts';
import type { GitPlace } from './leftovers.ts';
import type { BytePath } from './paths.ts';
import { isFolder, kindMask, kinds, type Stats } from './stat.ts';
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

const rowsFirst = 1024;
const noDetail = 0xffffffff;
const flags = { untaken: 1, unsettled: 2, placeShift: 2 };
const places: readonly GitPlace[] = ['none', 'repository', 'refs', 'objects'];

/**
 * Rows in columns: about 60 bytes a file and its name, where an object would take 400. Rows are only ever added, in walk
 * order, so that a folder's rows follow it and its end says where they stop.
 */
export class EntryTable {
  #count = 0;
  #folders = 0;
  #names = new ByteArena();
  #contents = new ContentArena();
  #xattrs = new XattrSets();
  #devices = new Map<number, bigint>();
  #mode = new Uint16Array(rowsFirst);
  #depth = new Uint16Array(rowsFirst);
  #fileSystem = new Uint16Array(rowsFirst);
  #flags = new Uint8Array(rowsFirst);
  #uid = new Uint32Array(rowsFirst);
  #gid = new Uint32Array(rowsFirst);
  #nlink = new Uint8Array(rowsFirst);
  #xattrSet = new Uint32Array(rowsFirst);
  #nameAt = new Uint32Array(rowsFirst);
  /** Files: where the content is. Links: where the target is. Folders: the row after their last one. */
  #detail = new Uint32Array(rowsFirst);
  #size = new Float64Array(rowsFirst);
  #mtimeNs = new BigInt64Array(rowsFirst);
  #ctimeNs = new BigInt64Array(rowsFirst);
  #ino = new BigUint64Array(rowsFirst);

  get count(): number {
    return this.#count;
  }

  get folders(): number {
    return this.#folders;
  }

  add(row: Row): number {
    const at = this.#count++;
    if (at === this.#mode.length) this.#grow();
    const { stats } = row;
    if (isFolder(stats)) this.#folders++;
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

  /** Called when all rows below a folder have been added. */
  endFolder(at: number): void {
    this.#detail[at] = this.#count;
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
  /** True for a file with more than one name. */
  isLinked(at: number): boolean {
    return this.#nlink[at]! > 1 && !this.isFolder(at);
  }

  #grow(): void {
    const length = Math.ceil(this.#mode.length * 1.5);
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

export interface RowRun {
  /** True for rows of the second look. */
  readonly again: boolean;
  readonly from: number;
  readonly to: number;
}

/** Rows of two tables in listing order: what is still the same, by its first look, and what was taken again. */
export class RowOrder {
  #runs: { again: boolean; from: number; to: number }[] = [];

  get runs(): readonly RowRun[] {
    return this.#runs;
  }

  push(run: RowRun): void {
    const last = this.#runs.at(-1);
    if (last && last.again === run.again && last.to === run.from) last.to = run.to;
    else this.#runs.push({ ...run });
  }

  /** Forgets the newest row. */
  dropLast(): void {
    const last = this.#runs.at(-1)!;
    last.to--;
    if (last.to === last.from) this.#runs.pop();
  }
}

function grown<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
