import { isNodeCut, type NodeCutParams } from '../../chunker/index.ts';
import type { ChunkSink } from '../content.ts';
import { storeError } from '../errors.ts';
import type { ChunkId } from '../ids.ts';
import { encodeNode } from './encode.ts';
import { itemsOf, levelMax, type Node, nodeBytesMax, nodeItemsMax } from './node.ts';

/** What decides cuts of one item: its key, and its weight in bytes, which never depends on its place in a node. */
export interface Weighed {
  readonly key: Uint8Array;
  readonly weightBytes: number;
}

/** How the items of one kind of tree become nodes, and a node becomes an item of the level above. */
export interface TreeShape<Leaf, Inner> {
  leafNode(items: readonly Leaf[]): Node;
  innerNode(items: readonly Inner[], level: number): Node;
  overLeaf(items: readonly Leaf[], id: ChunkId): Inner;
  overInner(items: readonly Inner[], id: ChunkId): Inner;
  weighLeaf(item: Leaf): Weighed;
  weighInner(item: Inner): Weighed;
  idOf(item: Inner): ChunkId;
}

interface Layer<Item> {
  items: Item[];
  sizeBytes: number;
}

/**
 * Cuts a sequence of items into nodes and the sequence of nodes into nodes again, until one remains. Cuts depend only on
 * the items since the last cut, so equal sequences have equal nodes, and a change touches a few nodes of each level.
 */
export class NodeTree<Leaf, Inner> {
  readonly #sink: ChunkSink;
  readonly #params: NodeCutParams;
  readonly #shape: TreeShape<Leaf, Inner>;
  readonly #leaves: Layer<Leaf> = { items: [], sizeBytes: 0 };
  /** #inner[i] gathers the items of level i + 1; it exists as soon as a node of level i was stored. */
  readonly #inner: Layer<Inner>[] = [];

  constructor(sink: ChunkSink, params: NodeCutParams, shape: TreeShape<Leaf, Inner>) {
    this.#sink = sink;
    this.#params = params;
    this.#shape = shape;
  }

  /** A promise only where a node is full. */
  add(item: Leaf): Promise<void> | undefined {
    const layer = this.#leaves;
    layer.items.push(item);
    return this.#isCut(layer, this.#shape.weighLeaf(item), 0) ? this.#closeLeaf() : undefined;
  }

  /** Whether everything added so far ended with a cut on every level up to this one. */
  isCutUpTo(level: number): boolean {
    if (this.#leaves.items.length > 0) return false;
    return this.#inner.slice(0, level).every(layer => layer.items.length === 0);
  }

  /**
   * Adds a node of this level that is stored already, as if its items had been added: it must have ended with a cut, and
   * what was added so far too.
   */
  async take(node: Inner, level: number): Promise<void> {
    if (!this.isCutUpTo(level)) throw new RangeError('Cannot take over node: the one before it has no end');
    while (this.#inner.length < level) this.#inner.push({ items: [], sizeBytes: 0 });
    await this.#addInner(node, level + 1);
  }

  /** Stores what is left; the root's id and level. Without items the root is an empty leaf. */
  async finish(): Promise<{ id: ChunkId; level: number }> {
    if (this.#inner.length === 0)
      return { id: await this.#put(this.#shape.leafNode(this.#leaves.items)), level: 0 };
    if (this.#leaves.items.length > 0) await this.#closeLeaf();
    for (let level = 1; ; level++) {
      const { items } = this.#inner[level - 1]!;
      if (this.#inner.length > level) {
        if (items.length > 0) await this.#closeInner(level);
      } else if (items.length === 1) {
        return { id: this.#shape.idOf(items[0]!), level: level - 1 };
      } else {
        return { id: await this.#put(this.#shape.innerNode(items, level)), level };
      }
    }
  }

  #isCut<Item>(layer: Layer<Item>, { key, weightBytes }: Weighed, level: number): boolean {
    layer.sizeBytes += weightBytes;
    // An inner node of one child would let a tree of huge keys grow upwards for ever.
    if (level > 0 && layer.items.length < 2) return false;
    return isNodeCut({ level, key, entryBytes: weightBytes, sizeBytes: layer.sizeBytes }, this.#params);
  }

  async #closeLeaf(): Promise<void> {
    const items = take(this.#leaves);
    const id = await this.#put(this.#shape.leafNode(items));
    await this.#addInner(this.#shape.overLeaf(items, id), 1);
  }

  async #closeInner(level: number): Promise<void> {
    const items = take(this.#inner[level - 1]!);
    const id = await this.#put(this.#shape.innerNode(items, level));
    await this.#addInner(this.#shape.overInner(items, id), level + 1);
  }

  async #addInner(item: Inner, level: number): Promise<void> {
    if (level > levelMax) throw new RangeError(`Cannot build listing: more than ${levelMax} levels`);
    let layer = this.#inner[level - 1];
    if (layer === undefined) {
      layer = { items: [], sizeBytes: 0 };
      this.#inner.push(layer);
    }
    layer.items.push(item);
    if (this.#isCut(layer, this.#shape.weighInner(item), level)) await this.#closeInner(level);
  }

  async #put(node: Node): Promise<ChunkId> {
    const bytes = encodeNode(node);
    if (bytes.length > nodeBytesMax)
      throw storeError(
        'STORE_WRITE_FAILED',
        `Cannot store listing node: ${bytes.length} bytes in one entry`,
        {
          remedy: `Keep an entry below ${nodeBytesMax} bytes.`,
        },
      );
    if (itemsOf(node) > nodeItemsMax)
      throw storeError('STORE_WRITE_FAILED', `Cannot store listing node: ${itemsOf(node)} items in it`, {
        remedy: `Keep what belongs to one entry below ${nodeItemsMax} pieces.`,
      });
    return this.#sink.put(bytes, 'metadata');
  }
}

function take<Item>(layer: Layer<Item>): readonly Item[] {
  const { items } = layer;
  layer.items = [];
  layer.sizeBytes = 0;
  return items;
}
