import type { NodeCutParams } from '../../chunker/index.ts';
import { type ChunkSink, type Content, type Entry, inlineBytesMax, type ListingRoot } from '../content.ts';
import { extentWeightBytes } from './extents.ts';
import { type Branch, compareBytes, extentsInPlaceMax, keyBytesMax } from './node.ts';
import type { ListedNode } from './read.ts';
import { NodeTree, type TreeShape } from './tree.ts';

const shape: TreeShape<Entry, Branch> = {
  leafNode: entries => ({ kind: 'listing', level: 0, entries }),
  innerNode: (branches, level) => ({ kind: 'listing', level, branches }),
  overLeaf: (entries, node) => ({ key: entries.at(-1)!.key, node, entries: entries.length }),
  overInner: (branches, node) => ({
    key: branches.at(-1)!.key,
    node,
    entries: branches.reduce((sum, branch) => sum + branch.entries, 0),
  }),
  weighLeaf: entry => ({ key: entry.key, weightBytes: entryWeightBytes(entry) }),
  weighInner: branch => ({ key: branch.key, weightBytes: branch.key.length + 42 }),
  idOf: branch => branch.node,
};

function entryWeightBytes({ key, body, contents }: Entry): number {
  let bytes = 8 + key.length + body.length;
  for (const content of contents) bytes += contentWeightBytes(content);
  return bytes;
}

function contentWeightBytes(content: Content): number {
  if ('list' in content) return 44;
  let bytes = 1;
  for (const extent of content.extents) bytes += extentWeightBytes(extent);
  return bytes;
}

/** Stores a sorted sequence of entries. Equal sequences give equal roots, whatever was stored before. */
export class ListingBuilder {
  readonly #tree: NodeTree<Entry, Branch>;
  #lastKey: Uint8Array | undefined;
  #entries = 0;

  constructor(sink: ChunkSink, params: NodeCutParams) {
    this.#tree = new NodeTree(sink, params, shape);
  }

  /** Keys strictly ascending: RangeError. The entry is kept until its node is stored: do not change its bytes. */
  async add(entry: Entry): Promise<void> {
    await this.append(entry);
  }

  /** As `add`; a promise only where a node is full, which is stored. */
  append(entry: Entry): Promise<void> | undefined {
    checkEntry(entry, this.#lastKey);
    this.#lastKey = entry.key;
    this.#entries += 1;
    return this.#tree.add(entry);
  }

  /** Whether `reuse` would take this node now. */
  canReuse(node: Pick<ListedNode, 'level' | 'isCut'>): boolean {
    return node.isCut && this.#tree.isCutUpTo(node.level);
  }

  /**
   * Takes over a whole node of an earlier listing, which must be stored, instead of adding the entries below it. The root
   * is the same either way. Keys ascending as in `add`, and only where `canReuse`: RangeError.
   */
  async reuse(node: ListedNode): Promise<void> {
    if (!node.isCut) throw new RangeError('Cannot reuse node: it may not have ended with a cut');
    checkOrder(node.first, this.#lastKey);
    await this.#tree.take({ key: node.key, node: node.node, entries: node.entries }, node.level);
    this.#lastKey = node.key;
    this.#entries += node.entries;
  }

  async finish(): Promise<ListingRoot> {
    return { ...(await this.#tree.finish()), entries: this.#entries };
  }
}

function checkEntry({ key, contents }: Entry, lastKey: Uint8Array | undefined): void {
  if (key.length > keyBytesMax) throw new RangeError(`Cannot add entry: key of ${key.length} bytes`);
  checkOrder(key, lastKey);
  for (const content of contents) {
    if ('list' in content) continue;
    if (content.extents.length > extentsInPlaceMax)
      throw new RangeError(`Cannot add entry: ${content.extents.length} extents in place; use storeExtents`);
    for (const extent of content.extents)
      if (extent.kind === 'inline' && extent.bytes.length > inlineBytesMax)
        throw new RangeError('Cannot add entry: too many inline bytes');
  }
}

function checkOrder(key: Uint8Array, lastKey: Uint8Array | undefined): void {
  if (lastKey !== undefined && compareBytes(lastKey, key) >= 0)
    throw new RangeError(`Cannot add entry ${Buffer.from(key)}: keys are not in ascending order`);
}
