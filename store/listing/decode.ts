import { type ChunkRef, type Content, type Entry, type Extent, inlineBytesMax } from '../content.ts';
import { type ChunkId, hex } from '../ids.ts';
import {
  type Branch,
  compareBytes,
  extentLength,
  extentsInPlaceMax,
  fields,
  idBytes,
  keyBytesMax,
  kinds,
  levelMax,
  type Node,
  nodeBytesMax,
  nodeItemsMax,
  nodeVersion,
  type Span,
} from './node.ts';
import { CborCursor } from './wire.ts';

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
  /** How many items an array has; counted, since each becomes an object. */
  readonly count: () => number;
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
  let items = 0;
  const count = (): number => {
    const more = cursor.array();
    items += more;
    cursor.expect(items <= nodeItemsMax, `more than ${nodeItemsMax} items`);
    return more;
  };
  return { cursor, kind: kind === kinds.listing ? 'listing' : 'extents', level, data, nodes, count };
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
  const count = head.count();
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
    for (let left = head.count(); left > 0; left--) contents.push(readContent(head));
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
  const count = head.count();
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
