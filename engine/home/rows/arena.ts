import type { ChunkId, Content } from '../../../store/index.ts';
import type { BytePath } from '../paths.ts';
import type { Xattr } from '../system/xattrs.ts';

export const arenaBlockShift = 18;
export const arenaBlockBytes = 1 << arenaBlockShift;
/** The last position stays free: a table uses it for nothing. */
const positionsMax = 0xffffffff;

/**
 * Byte strings one after the other, each behind its length (u16), in blocks that never move and that threads share. At most
 * 4 GiB.
 */
export class ByteArena {
  #blocks: Buffer[] = [];
  #used = arenaBlockBytes;

  /** What the blocks of another one held, one after the other. The bytes are not copied. */
  static of(bytes: Buffer): ByteArena {
    const arena = new ByteArena();
    for (let from = 0; from < bytes.length; from += arenaBlockBytes)
      arena.#blocks.push(bytes.subarray(from, from + arenaBlockBytes));
    return arena;
  }

  static ofBlocks(blocks: readonly Uint8Array[]): ByteArena {
    const arena = new ByteArena();
    arena.#blocks = blocks.map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length));
    return arena;
  }

  /** Room for so many bytes in one block: its position. */
  reserve(bytes: number): number {
    if (this.#used + bytes > arenaBlockBytes) {
      this.#blocks.push(Buffer.from(new SharedArrayBuffer(arenaBlockBytes)));
      this.#used = 0;
    }
    const at = (this.#blocks.length - 1) * arenaBlockBytes + this.#used;
    this.#used += bytes;
    if (at + bytes >= positionsMax) throw new RangeError('Cannot hold names: more than 4 GiB');
    return at;
  }

  get blocks(): readonly Buffer[] {
    return this.#blocks;
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

export const contentTag = { chunk: 200, other: 201 };
export const idBytes = 32;

/** Contents: a tag and the bytes in place (0–128), or the id of the one chunk, or the place of an object. */
export class ContentArena {
  #bytes = new ByteArena();
  #others: Content[] = [];

  static of(bytes: Buffer, others: readonly Content[]): ContentArena {
    const arena = new ContentArena();
    arena.#bytes = ByteArena.of(bytes);
    arena.#others = [...others];
    return arena;
  }

  block(at: number): { bytes: Buffer; from: number } {
    return this.#bytes.block(at);
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

  /** An id is a view of the block, which never changes where it is written. */
  get(at: number, length: number): Content {
    const { bytes, from } = this.#bytes.block(at);
    const tag = bytes[from]!;
    if (tag === contentTag.other) return this.#others[bytes.readUInt32BE(from + 1)]!;
    if (tag === contentTag.chunk) {
      const id = new Uint8Array(bytes.buffer, bytes.byteOffset + from + 1, idBytes) as ChunkId;
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
export class XattrSets {
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

  static of(sets: readonly (readonly Xattr[])[]): XattrSets {
    const made = new XattrSets();
    for (const set of sets) made.idOf(set);
    return made;
  }

  /** By id. */
  get all(): readonly (readonly Xattr[])[] {
    return this.#sets;
  }

  get(id: number): readonly Xattr[] {
    return this.#sets[id]!;
  }
}

/** Pieces one after the other in blocks, none across the end of one, as `ByteArena` has them. */
export class ArenaBlocks {
  #block = Buffer.alloc(arenaBlockBytes);
  #used = 0;
  #before = 0;
  #full: Buffer | undefined;

  add(bytes: Buffer, from: number, length: number): number {
    if (this.#used + length > arenaBlockBytes) {
      this.#full = this.#block;
      this.#block = Buffer.alloc(arenaBlockBytes);
      this.#before += arenaBlockBytes;
      this.#used = 0;
    }
    const at = this.#used;
    for (let i = 0; i < length; i++) this.#block[at + i] = bytes[from + i]!;
    this.#used += length;
    return this.#before + at;
  }

  /** The block that the newest piece did not fit into. It is the caller's. */
  takeFull(): Buffer | undefined {
    const full = this.#full;
    this.#full = undefined;
    return full;
  }

  rest(): Uint8Array {
    return this.#block.subarray(0, this.#used);
  }
}
