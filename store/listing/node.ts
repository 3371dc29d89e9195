import { type ChunkRef, type Content, type Entry, type Extent, inlineBytesMax } from '../content.ts';
import { type ChunkId, hex } from '../ids.ts';
import { CborCursor, CborWriter } from './wire.ts';

/** A child of an inner node of a listing: its last key, and the number of leaf entries below. */
export interface Branch {
  readonly key: Uint8Array;
  readonly node: ChunkId;
  readonly entries: number;
}

/** A child of an inner node of an extent list: the sum of the lengths below. */
export interface Span {
  readonly node: ChunkId;
  readonly length: number;
}

/** One node of a listing or of an extent list. Level 0 is a leaf. */
export type Node =
  | { readonly kind: 'listing'; readonly level: 0; readonly entries: readonly Entry[] }
  | { readonly kind: 'listing'; readonly level: number; readonly branches: readonly Branch[] }
  | { readonly kind: 'extents'; readonly level: 0; readonly extents: readonly Extent[] }
  | { readonly kind: 'extents'; readonly level: number; readonly spans: readonly Span[] };

export const nodeVersion = 1;
/** No node is larger; the frame that holds it is not either. */
export const nodeBytesMax = 8 * 1024 * 1024;
export const keyBytesMax = 0xffff;
/** 32 KiB nodes with some hundred children each: 2^64 entries need fewer levels. */
export const levelMax = 24;
/** A content with more extents keeps them in a list of their own. */
export const extentsInPlaceMax = 32;

const kinds = { listing: 0, extents: 1 } as const;
const fields = { version: 0, kind: 1, level: 2, data: 3, nodes: 4, items: 5 } as const;
const idBytes = 32;

/** Unsigned lexicographic order. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Gathers the chunks that a node names, each once, in the order of first use. */
class RefWriter {
  readonly #positions = new Map<string, number>();
  readonly ids: ChunkId[] = [];

  position(id: ChunkId): number {
    if (id.length !== idBytes) throw new RangeError(`Cannot encode chunk id: ${id.length} bytes, need 32`);
    const name = hex(id);
    const known = this.#positions.get(name);
    if (known !== undefined) return known;
    this.#positions.set(name, this.ids.length);
    this.ids.push(id);
    return this.ids.length - 1;
  }
}

interface Refs {
  readonly data: RefWriter;
  readonly nodes: RefWriter;
}

/** The canonical encoding: equal nodes have equal bytes. */
export function encodeNode(node: Node): Uint8Array {
  const refs: Refs = { data: new RefWriter(), nodes: new RefWriter() };
  const items = new CborWriter();
  if ('entries' in node) {
    items.array(node.entries.length);
    for (const entry of node.entries) writeEntry(items, refs, entry);
  } else if ('branches' in node) {
    items.array(node.branches.length);
    for (const branch of node.branches)
      items.array(3).bytes(branch.key).uint(refs.nodes.position(branch.node)).uint(branch.entries);
  } else if ('extents' in node) {
    items.array(node.extents.length);
    for (const extent of node.extents) writeExtent(items, refs, extent);
  } else {
    items.array(node.spans.length);
    for (const span of node.spans) items.array(2).uint(refs.nodes.position(span.node)).uint(span.length);
  }
  const writer = new CborWriter().map(6);
  writer.uint(fields.version).uint(nodeVersion);
  writer.uint(fields.kind).uint(kinds[node.kind]);
  writer.uint(fields.level).uint(node.level);
  writer.uint(fields.data).bytes(Buffer.concat(refs.data.ids));
  writer.uint(fields.nodes).bytes(Buffer.concat(refs.nodes.ids));
  writer.uint(fields.items).raw(items.view());
  return writer.view();
}

function writeEntry(writer: CborWriter, refs: Refs, entry: Entry): void {
  writer.array(3).bytes(entry.key).bytes(entry.body).array(entry.contents.length);
  for (const content of entry.contents) {
    if ('list' in content) {
      writer.map(2).uint(0).uint(refs.nodes.position(content.list)).uint(1).uint(content.length);
    } else {
      writer.array(content.extents.length);
      for (const extent of content.extents) writeExtent(writer, refs, extent);
    }
  }
}

function writeExtent(writer: CborWriter, refs: Refs, extent: Extent): void {
  switch (extent.kind) {
    case 'chunk':
      writer.array(3).uint(refs.data.position(extent.id)).uint(extent.offset).uint(extent.length);
      return;
    case 'hole':
      writer.uint(extent.length);
      return;
    case 'inline':
      writer.bytes(extent.bytes);
      return;
    default:
      extent satisfies never;
  }
}

/** Takes positions in the order of first use, so that a node has one encoding only. */
class RefReader {
  readonly ids: readonly ChunkId[];
  #used = 0;
  readonly #cursor: CborCursor;

  constructor(bytes: Uint8Array, cursor: CborCursor) {
    cursor.expect(bytes.length % idBytes === 0, 'its references are no whole number of ids');
    this.#cursor = cursor;
    this.ids = idsOf(bytes);
    cursor.expect(new Set(this.ids.map(hex)).size === this.ids.length, 'it names a chunk twice');
  }

  take(position: number): ChunkId {
    const id = this.ids[position];
    if (id === undefined) throw this.#cursor.refuse(`reference ${position} of ${this.ids.length}`);
    if (position > this.#used) throw this.#cursor.refuse('references are not in the order of use');
    if (position === this.#used) this.#used += 1;
    return id;
  }

  end(): void {
    this.#cursor.expect(this.#used === this.ids.length, 'it names a chunk that it does not use');
  }
}

function idsOf(bytes: Uint8Array): ChunkId[] {
  const ids: ChunkId[] = [];
  for (let at = 0; at < bytes.length; at += idBytes) ids.push(bytes.subarray(at, at + idBytes) as ChunkId);
  return ids;
}

interface Head {
  readonly cursor: CborCursor;
  readonly kind: keyof typeof kinds;
  readonly level: number;
  readonly data: RefReader;
  readonly nodes: RefReader;
}

function readHead(bytes: Uint8Array, subject: string): Head {
  const cursor = new CborCursor(bytes, subject);
  cursor.expect(bytes.length <= nodeBytesMax, `${bytes.length} bytes is too large`);
  cursor.expect(cursor.map() === 6, 'it has not 6 fields');
  const field = (key: number) => cursor.expect(cursor.uint() === key, `field ${key} is not in its place`);
  field(fields.version);
  const version = cursor.uint();
  cursor.expect(version === nodeVersion, `version ${version}`);
  field(fields.kind);
  const kind = cursor.uint();
  cursor.expect(kind <= 1, `kind ${kind}`);
  field(fields.level);
  const level = cursor.uint();
  cursor.expect(level <= levelMax, `level ${level}`);
  field(fields.data);
  const data = new RefReader(cursor.bytes(), cursor);
  field(fields.nodes);
  const nodes = new RefReader(cursor.bytes(), cursor);
  field(fields.items);
  return { cursor, kind: kind === kinds.listing ? 'listing' : 'extents', level, data, nodes };
}

/** The chunks that a node names: data first, each once. Reads nothing else of it. */
export function refsOfNode(bytes: Uint8Array, subject = 'node'): ChunkRef[] {
  const { data, nodes } = readHead(bytes, subject);
  return [
    ...data.ids.map(id => ({ id, kind: 'data' as const })),
    ...nodes.ids.map(id => ({ id, kind: 'node' as const })),
  ];
}

/**
 * Decodes a node; anything but its canonical encoding is STORE_DAMAGED: unordered keys, references out of range or out
 * of order, lengths that are nothing or overflow. Keys, bodies and ids are views of bytes.
 */
export function decodeNode(bytes: Uint8Array, subject = 'node'): Node {
  const head = readHead(bytes, subject);
  const { cursor, kind, level } = head;
  const count = cursor.array();
  const node: Node =
    kind === 'listing'
      ? level === 0
        ? { kind, level: 0, entries: readEntries(head, count) }
        : { kind, level, branches: readBranches(head, count) }
      : level === 0
        ? { kind, level: 0, extents: readExtents(head, count) }
        : { kind, level, spans: readSpans(head, count) };
  cursor.end();
  head.data.end();
  head.nodes.end();
  return node;
}

function readEntries(head: Head, count: number): Entry[] {
  const { cursor } = head;
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    cursor.expect(cursor.array() === 3, 'an entry has not 3 parts');
    const key = readKey(cursor, entries[i - 1]?.key);
    const body = cursor.bytes();
    const contents: Content[] = [];
    for (let left = cursor.array(); left > 0; left--) contents.push(readContent(head));
    entries.push({ key, body, contents });
  }
  return entries;
}

function readKey(cursor: CborCursor, before: Uint8Array | undefined): Uint8Array {
  const key = cursor.bytes();
  cursor.expect(key.length <= keyBytesMax, `a key of ${key.length} bytes`);
  cursor.expect(before === undefined || compareBytes(before, key) < 0, 'keys are not in ascending order');
  return key;
}

function readContent(head: Head): Content {
  const { cursor } = head;
  if (cursor.next() === 'map') {
    cursor.expect(cursor.map() === 2 && cursor.uint() === 0, 'a content is malformed');
    const list = head.nodes.take(cursor.uint());
    cursor.expect(cursor.uint() === 1, 'a content is malformed');
    return { length: cursor.uint(), list };
  }
  const count = cursor.array();
  cursor.expect(count <= extentsInPlaceMax, `${count} extents in place`);
  const extents = readExtents(head, count);
  return { length: sum(cursor, extents.map(extentLength)), extents };
}

function readExtents(head: Head, count: number): Extent[] {
  const extents: Extent[] = [];
  let before: Extent | undefined;
  for (let i = 0; i < count; i++) {
    const extent = readExtent(head);
    head.cursor.expect(!(before?.kind === 'hole' && extent.kind === 'hole'), 'two holes touch');
    extents.push(extent);
    before = extent;
  }
  return extents;
}

function readExtent({ cursor, data }: Head): Extent {
  switch (cursor.next()) {
    case 'uint': {
      const length = cursor.uint();
      cursor.expect(length > 0, 'an empty hole');
      return { kind: 'hole', length };
    }
    case 'bytes': {
      const bytes = cursor.bytes();
      cursor.expect(bytes.length > 0 && bytes.length <= inlineBytesMax, `${bytes.length} inline bytes`);
      return { kind: 'inline', bytes };
    }
    default: {
      cursor.expect(cursor.array() === 3, 'an extent has not 3 parts');
      const id = data.take(cursor.uint());
      const offset = cursor.uint();
      const length = cursor.uint();
      cursor.expect(length > 0 && Number.isSafeInteger(offset + length), 'an extent is empty or too long');
      return { kind: 'chunk', id, offset, length };
    }
  }
}

function readBranches({ cursor, nodes }: Head, count: number): Branch[] {
  cursor.expect(count > 0, 'an inner node is empty');
  const branches: Branch[] = [];
  for (let i = 0; i < count; i++) {
    cursor.expect(cursor.array() === 3, 'a branch has not 3 parts');
    const key = readKey(cursor, branches[i - 1]?.key);
    const node = nodes.take(cursor.uint());
    const entries = cursor.uint();
    cursor.expect(entries > 0, 'a branch is empty');
    branches.push({ key, node, entries });
  }
  sum(
    cursor,
    branches.map(branch => branch.entries),
  );
  return branches;
}

function readSpans({ cursor, nodes }: Head, count: number): Span[] {
  cursor.expect(count > 0, 'an inner node is empty');
  const spans: Span[] = [];
  for (let i = 0; i < count; i++) {
    cursor.expect(cursor.array() === 2, 'a span has not 2 parts');
    const node = nodes.take(cursor.uint());
    const length = cursor.uint();
    cursor.expect(length > 0, 'a span is empty');
    spans.push({ node, length });
  }
  sum(
    cursor,
    spans.map(span => span.length),
  );
  return spans;
}

function sum(cursor: CborCursor, lengths: readonly number[]): number {
  let total = 0;
  for (const length of lengths) total += length;
  cursor.expect(Number.isSafeInteger(total), 'its lengths overflow');
  return total;
}

export function extentLength(extent: Extent): number {
  return extent.kind === 'inline' ? extent.bytes.length : extent.length;
}
