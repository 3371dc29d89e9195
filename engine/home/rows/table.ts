import type { Content } from '../../../store/index.ts';
import type { BytePath } from '../paths.ts';
import type { GitPlace } from '../rules/git-places.ts';
import { kindMask, kinds, type Stats } from '../system/stat.ts';
import type { Xattr } from '../system/xattrs.ts';
import { ByteArena, ContentArena, XattrSets } from './arena.ts';
import type { State } from './states.ts';

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

/** What a row holds, by how it is kept. The widest come first, so that one after the other they are aligned. */
export const columnKinds = {
  mtimeNs: BigInt64Array,
  ctimeNs: BigInt64Array,
  ino: BigUint64Array,
  size: Float64Array,
  uid: Uint32Array,
  gid: Uint32Array,
  xattrSet: Uint32Array,
  nameAt: Uint32Array,
  /** Files: where the content is. Links: where the target is. Folders: the row after their last one. */
  detail: Uint32Array,
  mode: Uint16Array,
  depth: Uint16Array,
  fileSystem: Uint16Array,
  flags: Uint8Array,
  nlink: Uint8Array,
} as const;
export type ColumnName = keyof typeof columnKinds;
export type Columns = { [Name in ColumnName]: InstanceType<(typeof columnKinds)[Name]> };
export const columnNames = Object.keys(columnKinds) as ColumnName[];

/** All that a table is made of. Its columns may be longer than it has rows. */
export interface TableParts {
  readonly count: number;
  readonly columns: Columns;
  readonly names: ByteArena;
  readonly contents: ContentArena;
  readonly xattrs: XattrSets;
  readonly devices: Map<number, bigint>;
}

const rowsFirst = 1024;
export const noDetail = 0xffffffff;
export const flags = { untaken: 1, unsettled: 2, placeShift: 2, placeMask: 0b1100, read: 16 };
export const places: readonly GitPlace[] = ['none', 'repository', 'refs', 'objects'];

const sharedMemory = (bytes: number): ArrayBufferLike => new SharedArrayBuffer(bytes);

function newColumns(rows: number, before?: Columns): Columns {
  const columns = columnNames.map(name => {
    const kind = columnKinds[name];
    const column = new kind(sharedMemory(rows * kind.BYTES_PER_ELEMENT) as ArrayBuffer, 0, rows);
    if (before) (column as { set(from: unknown): void }).set(before[name]);
    return [name, column];
  });
  return Object.fromEntries(columns) as Columns;
}

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
  #columns: Columns;

  /** With room for so many rows; it grows by half when they are not enough. */
  constructor(rows = rowsFirst) {
    this.#columns = newColumns(Math.max(rows, 1));
  }

  /** A table of what another one was made of. No row can be added to it. */
  static of({ count, columns, names, contents, xattrs, devices }: TableParts): EntryTable {
    const table = new EntryTable(0);
    table.#count = count;
    table.#columns = columns;
    table.#names = names;
    table.#contents = contents;
    table.#xattrs = xattrs;
    table.#devices = devices;
    return table;
  }

  /** For loops over many rows. The columns are these until a row is added. */
  get parts(): TableParts {
    return {
      count: this.#count,
      columns: this.#columns,
      names: this.#names,
      contents: this.#contents,
      xattrs: this.#xattrs,
      devices: this.#devices,
    };
  }

  get count(): number {
    return this.#count;
  }

  add(row: Row): number {
    const at = this.#count++;
    if (at === this.#columns.mode.length) this.#columns = newColumns(Math.ceil(at * 1.5) + 1, this.#columns);
    const { stats } = row;
    const columns = this.#columns;
    columns.flags[at] = places.indexOf(row.place ?? 'none') << flags.placeShift;
    columns.depth[at] = row.depth;
    columns.fileSystem[at] = row.fileSystem;
    columns.uid[at] = stats.uid;
    columns.gid[at] = stats.gid;
    columns.nlink[at] = Math.min(stats.nlink, 2);
    columns.xattrSet[at] = this.#xattrs.idOf(row.xattrs);
    columns.nameAt[at] = this.#names.add(row.name);
    columns.detail[at] = row.target === undefined ? noDetail : this.#names.add(row.target);
    this.setStats(at, stats);
    return at;
  }

  /** Replaces what a file's own descriptor says over what its path said. */
  setStats(at: number, stats: Stats): void {
    const columns = this.#columns;
    const kind = stats.mode & kindMask;
    columns.mode[at] = stats.mode;
    columns.uid[at] = stats.uid;
    columns.gid[at] = stats.gid;
    columns.size[at] = kind === kinds.file ? stats.size : 0;
    columns.mtimeNs[at] = stats.mtimeNs;
    columns.ctimeNs[at] = stats.ctimeNs;
    columns.ino[at] = stats.ino;
    if (kind === kinds.blockDevice || kind === kinds.characterDevice) this.#devices.set(at, stats.rdev);
  }

  setXattrs(at: number, xattrs: readonly Xattr[]): void {
    this.#columns.xattrSet[at] = this.#xattrs.idOf(xattrs);
  }

  /** Also sets the size: what was read is what the entry says. */
  setContent(at: number, content: Content): void {
    this.#columns.size[at] = content.length;
    this.#columns.detail[at] = this.#contents.add(content);
  }

  /** Gives one row the content of another name of the same file. */
  shareContent(at: number, from: number): void {
    this.#columns.size[at] = this.#columns.size[from]!;
    this.#columns.detail[at] = this.#columns.detail[from]!;
  }

  contentOf(at: number): Content | undefined {
    const detail = this.#columns.detail[at]!;
    return detail === noDetail ? undefined : this.#contents.get(detail, this.#columns.size[at]!);
  }

  /** Marks a row whose content could not be read consistently: no later look may trust it. */
  setUntaken(at: number): void {
    this.#columns.flags[at]! |= flags.untaken;
  }

  isUntaken(at: number): boolean {
    return (this.#columns.flags[at]! & flags.untaken) !== 0;
  }

  setUnsettled(at: number): void {
    this.#columns.flags[at]! |= flags.unsettled;
  }

  isUnsettled(at: number): boolean {
    return (this.#columns.flags[at]! & flags.unsettled) !== 0;
  }

  /** Marks a file whose content was read, under this name or another one. */
  setRead(at: number): void {
    this.#columns.flags[at]! |= flags.read;
  }

  isRead(at: number): boolean {
    return (this.#columns.flags[at]! & flags.read) !== 0;
  }

  /** Says where the rows below a folder end: in this table, or in the sequence that it is walked in. */
  endFolder(at: number, end = this.#count): void {
    this.#columns.detail[at] = end;
  }

  /** The row after everything below this one. */
  endOf(at: number): number {
    return this.isFolder(at) ? this.#columns.detail[at]! : at + 1;
  }

  isFolder(at: number): boolean {
    return (this.#columns.mode[at]! & kindMask) === kinds.folder;
  }

  isFile(at: number): boolean {
    return (this.#columns.mode[at]! & kindMask) === kinds.file;
  }

  name(at: number): BytePath {
    return this.#names.get(this.#columns.nameAt[at]!);
  }

  target(at: number): BytePath {
    return this.#names.get(this.#columns.detail[at]!);
  }

  state(at: number): State {
    return {
      size: this.#columns.size[at]!,
      mtimeNs: this.#columns.mtimeNs[at]!,
      ctimeNs: this.#columns.ctimeNs[at]!,
      ino: this.#columns.ino[at]!,
    };
  }

  mode(at: number): number {
    return this.#columns.mode[at]!;
  }
  depth(at: number): number {
    return this.#columns.depth[at]!;
  }
  fileSystem(at: number): number {
    return this.#columns.fileSystem[at]!;
  }
  uid(at: number): number {
    return this.#columns.uid[at]!;
  }
  gid(at: number): number {
    return this.#columns.gid[at]!;
  }
  size(at: number): number {
    return this.#columns.size[at]!;
  }
  xattrs(at: number): readonly Xattr[] {
    return this.#xattrs.get(this.#columns.xattrSet[at]!);
  }
  device(at: number): bigint | undefined {
    return this.#devices.get(at);
  }
  place(at: number): GitPlace {
    return places[(this.#columns.flags[at]! >> flags.placeShift) & 3]!;
  }
  setPlace(at: number, place: GitPlace): void {
    this.#columns.flags[at] =
      (this.#columns.flags[at]! & ~flags.placeMask) | (places.indexOf(place) << flags.placeShift);
  }
  /** True for a file with more than one name. */
  isLinked(at: number): boolean {
    return this.#columns.nlink[at]! > 1 && !this.isFolder(at);
  }

  /** What the rows from one up to and without another amount to. */
  sums(from: number, to: number): RowSums {
    return this.addSums({ files: 0, folders: 0, bytes: 0 }, from, to);
  }

  addSums<Sums extends { -readonly [Name in keyof RowSums]: number }>(
    sums: Sums,
    from: number,
    to: number,
  ): Sums {
    const { mode, size } = this.#columns;
    for (let at = from; at < to; at++) {
      if ((mode[at]! & kindMask) === kinds.folder) sums.folders++;
      else sums.files++;
      sums.bytes += size[at]!;
    }
    return sums;
  }
}
