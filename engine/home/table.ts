import type { ChunkId, Content } from '../../store/index.ts';
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

const rowsFirst = 1024;
const noContent = 0xffffffff;
const flags = { untaken: 1, unsettled: 2, placeShift: 2 };
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

  /** Bytes held outside the garbage-collected heap. */
  get heldBytes(): number {
    return this.#mode.length * 63 + this.#names.heldBytes + this.#contents.heldBytes;
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
    this.#detail[at] = row.target === undefined ? noContent : this.#names.add(row.target);
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
    return detail === noContent ? undefined : this.#contents.get(detail, this.#size[at]!);
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

/** Rows of two tables in listing order: what is still the same, by its first look, and what was taken again. */
export class RowOrder {
  #count = 0;
  #rows = new Uint32Array(rowsFirst);

  get count(): number {
    return this.#count;
  }

  push(row: { again: boolean; at: number }): void {
    if (this.#count === this.#rows.length) {
      this.#rows = grown(this.#rows, new Uint32Array(Math.ceil(this.#rows.length * 1.5)));
    }
    this.#rows[this.#count++] = row.at * 2 + (row.again ? 1 : 0);
  }

  /** Forgets the newest rows. */
  truncate(count: number): void {
    this.#count = count;
  }

  get(position: number): { again: boolean; at: number } {
    const packed = this.#rows[position]!;
    return { again: packed % 2 === 1, at: Math.floor(packed / 2) };
  }
}

function grown<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}

const arenaBlockBytes = 1 << 18;

/** Byte strings one after the other, each behind its length (u16), in blocks that never move. At most 4 GiB. */
class ByteArena {
  #blocks: Buffer[] = [];
  #used = arenaBlockBytes;

  get heldBytes(): number {
    return this.#blocks.length * arenaBlockBytes;
  }

  /** Room for so many bytes in one block: its position. */
  reserve(bytes: number): number {
    if (this.#used + bytes > arenaBlockBytes) {
      this.#blocks.push(Buffer.allocUnsafeSlow(arenaBlockBytes));
      this.#used = 0;
    }
    const at = (this.#blocks.length - 1) * arenaBlockBytes + this.#used;
    this.#used += bytes;
    if (at + bytes >= noContent) throw new RangeError('Cannot hold names: more than 4 GiB');
    return at;
  }

  block(at: number): { bytes: Buffer; from: number } {
    return { bytes: this.#blocks[Math.floor(at / arenaBlockBytes)]!, from: at % arenaBlockBytes };
  }

  add(text: BytePath): number {
    const at = this.reserve(2 + text.length);
    const { bytes, from } = this.block(at);
    bytes.writeUInt16LE(text.length, from);
    bytes.write(text, from + 2, 'latin1');
    return at;
  }

  get(at: number): BytePath {
    const { bytes, from } = this.block(at);
    return bytes.toString('latin1', from + 2, from + 2 + bytes.readUInt16LE(from)) as BytePath;
  }
}

const contentTag = { chunk: 200, other: 201 };
const idBytes = 32;

/** Contents: a tag and the bytes in place (0–128), or the id of the one chunk, or the place of an object. */
class ContentArena {
  #bytes = new ByteArena();
  #others: Content[] = [];

  get heldBytes(): number {
    return this.#bytes.heldBytes;
  }

  add(content: Content): number {
    const extents = 'extents' in content ? content.extents : undefined;
    const [only] = extents ?? [];
    if (extents?.length === 0) return this.#put(0, new Uint8Array(0));
    if (extents?.length === 1 && only?.kind === 'inline') return this.#put(only.bytes.length, only.bytes);
    if (extents?.length === 1 && only?.kind === 'chunk' && only.offset === 0) {
      return this.#put(contentTag.chunk, only.id);
    }
    const place = new Uint8Array(4);
    new DataView(place.buffer).setUint32(0, this.#others.length);
    this.#others.push(content);
    return this.#put(contentTag.other, place);
  }

  get(at: number, length: number): Content {
    const { bytes, from } = this.#bytes.block(at);
    const tag = bytes[from]!;
    if (tag === contentTag.other) return this.#others[bytes.readUInt32BE(from + 1)]!;
    if (tag === contentTag.chunk) {
      const id = new Uint8Array(bytes.subarray(from + 1, from + 1 + idBytes)) as ChunkId;
      return { length, extents: [{ kind: 'chunk', id, offset: 0, length }] };
    }
    if (tag === 0) return { length: 0, extents: [] };
    return {
      length: tag,
      extents: [{ kind: 'inline', bytes: new Uint8Array(bytes.subarray(from + 1, from + 1 + tag)) }],
    };
  }

  #put(tag: number, payload: Uint8Array): number {
    const at = this.#bytes.reserve(1 + payload.length);
    const { bytes, from } = this.#bytes.block(at);
    bytes[from] = tag;
    bytes.set(payload, from + 1);
    return at;
  }
}

/** Sets of attributes, each kept once: on a labelled file system every file has one, and nearly all are equal. */
class XattrSets {
  #sets: (readonly Xattr[])[] = [[]];
  #ids = new Map<string, number>();

  idOf(xattrs: readonly Xattr[]): number {
    if (xattrs.length === 0) return 0;
    const key = xattrs.map(x => `${x.name.length}:${x.name}${x.value.length}:${x.value}`).join('');
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#sets.push(xattrs) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }

  get(id: number): readonly Xattr[] {
    return this.#sets[id]!;
  }
}
