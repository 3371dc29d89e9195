import type { Entry, Extent } from '../content.ts';
import type { ChunkId } from '../ids.ts';
import { fields, idBytes, kinds, type Node, nodeVersion } from './node.ts';
import { CborWriter } from './wire.ts';

/** Gathers the chunks that a node names, each once, in the order of first use. */
class RefWriter {
  /** By the first bytes of an id: the newest position, and before each one that of another id with these. */
  readonly #newest = new Map<number, number>();
  readonly #before: (number | undefined)[] = [];
  readonly ids: ChunkId[] = [];

  position(id: ChunkId): number {
    if (id.length !== idBytes) throw new RangeError(`Cannot encode chunk id: ${id.length} bytes, need 32`);
    const first = id[0]! | (id[1]! << 8) | (id[2]! << 16) | ((id[3]! & 0x3f) << 24);
    const newest = this.#newest.get(first);
    for (let at = newest; at !== undefined; at = this.#before[at]) if (isSame(this.ids[at]!, id)) return at;
    this.#newest.set(first, this.ids.length);
    this.#before.push(newest);
    return this.ids.push(id) - 1;
  }
}

function isSame(a: ChunkId, b: ChunkId): boolean {
  for (let i = 0; i < idBytes; i++) if (a[i] !== b[i]) return false;
  return true;
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
