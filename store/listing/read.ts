import type { ChunkSource, Entry, ListingRoot } from '../content.ts';
import { storeError } from '../errors.ts';
import type { ChunkId } from '../ids.ts';
import { compareBytes, type Node } from './node.ts';
import { childrenOf, readNode } from './read-node.ts';

export interface ReadListingOptions {
  /** Entries with a lesser key are left out; nodes that hold only such are not read. */
  readonly from?: Uint8Array;
  /** Only entries whose key begins so. */
  readonly prefix?: Uint8Array;
}

/** What a node's parent says about it. */
export interface Promised {
  readonly node: ChunkId;
  readonly level: number;
  readonly entries: number;
  /** Its last key; undefined for a root. */
  readonly key: Uint8Array | undefined;
}

/** Entries in key order. They are views of a node that later pulls do not change. */
export async function* readListing(
  source: ChunkSource,
  root: ListingRoot,
  options: ReadListingOptions = {},
): AsyncGenerator<Entry> {
  const prefix = options.prefix ?? new Uint8Array();
  const from = options.from !== undefined && compareBytes(options.from, prefix) > 0 ? options.from : prefix;
  let last: Uint8Array | undefined;
  for await (const entry of entriesFrom(source, promisedBy(root), from)) {
    if (last !== undefined && compareBytes(last, entry.key) >= 0) throw outOfOrder();
    last = entry.key;
    if (compareBytes(entry.key, from) < 0) continue;
    if (compareBytes(entry.key.subarray(0, prefix.length), prefix) !== 0) return;
    yield entry;
  }
}

/** The entry with this very key; reads one node a level. */
export async function findEntry(
  source: ChunkSource,
  root: ListingRoot,
  key: Uint8Array,
): Promise<Entry | undefined> {
  let promised = promisedBy(root);
  for (;;) {
    const node = await readPromised(source, promised);
    if ('entries' in node) return node.entries.find(entry => compareBytes(entry.key, key) === 0);
    if (!('branches' in node)) return undefined;
    const branch = node.branches.find(candidate => compareBytes(candidate.key, key) >= 0);
    if (branch === undefined) return undefined;
    promised = { ...branch, level: node.level - 1 };
  }
}

/** A whole node of a listing, as `ListingBuilder.reuse` takes it. */
export interface ListedNode {
  readonly node: ChunkId;
  /** 0 = leaf. */
  readonly level: number;
  /** The first and the last key below it. */
  readonly first: Uint8Array;
  readonly key: Uint8Array;
  /** Below it. */
  readonly entries: number;
  /** True when another node of its level follows: then it ended with a cut, and so did all that is below it. */
  readonly isCut: boolean;
}

/** A leaf with its entries; or an inner node, after everything below it. */
export interface ListingStep {
  readonly node: ListedNode;
  readonly entries: readonly Entry[] | undefined;
}

/**
 * The nodes of a listing as `readListingNodes` gives them, found without reading a leaf: for who has the entries already.
 * STORE_DAMAGED.
 */
export async function* readListingShape(
  source: ChunkSource,
  root: ListingRoot,
): AsyncGenerator<Omit<ListedNode, 'first'>> {
  yield* shapeBelow(source, { ...promisedBy(root), isCut: false });
}

async function* shapeBelow(
  source: ChunkSource,
  promised: Promised & { readonly isCut: boolean },
): AsyncGenerator<Omit<ListedNode, 'first'>> {
  const { node: id, level, entries, isCut } = promised;
  let key = promised.key ?? new Uint8Array();
  if (level > 0) {
    const node = await readPromised(source, promised);
    key = summary(node).key ?? key;
    const branches = 'branches' in node ? node.branches : [];
    for (const [at, branch] of branches.entries()) {
      const isLast = at === branches.length - 1;
      yield* shapeBelow(source, { ...branch, level: level - 1, isCut: isCut || !isLast });
    }
  }
  yield { node: new Uint8Array(id) as ChunkId, level, key: new Uint8Array(key), entries, isCut };
}

/**
 * Reads a whole listing node by node, some ahead. Entries are views of a node that later pulls do not change; what is
 * said of a node is a copy of its own. STORE_DAMAGED.
 */
export async function* readListingNodes(
  source: ChunkSource,
  root: ListingRoot,
  { ahead = 8 }: { ahead?: number } = {},
): AsyncGenerator<ListingStep> {
  let last: Uint8Array | undefined;
  for await (const step of stepsBelow(source, { ...promisedBy(root), isCut: false }, ahead)) {
    if (step.entries && step.node.entries > 0) {
      if (last !== undefined && compareBytes(last, step.node.first) >= 0) throw outOfOrder();
      last = step.node.key;
    }
    yield step;
  }
}

async function* stepsBelow(
  source: ChunkSource,
  promised: Promised & { readonly isCut: boolean },
  ahead: number,
): AsyncGenerator<ListingStep, Uint8Array> {
  const { node: id, level, entries: count, isCut } = promised;
  const node = await readPromised(source, promised);
  let first = new Uint8Array();
  if ('branches' in node) {
    let at = 0;
    for await (const [branch, load] of childrenOf(source, node.branches, { ahead })) {
      const isLast = at === node.branches.length - 1;
      const below = { ...branch, level: node.level - 1, isCut: isCut || !isLast };
      const firstBelow = yield* stepsBelow(load, below, ahead);
      if (at++ === 0) first = new Uint8Array(firstBelow);
    }
  }
  const entries = 'entries' in node ? node.entries : undefined;
  if (entries?.[0]) first = new Uint8Array(entries[0].key);
  const key = new Uint8Array(summary(node).key ?? []);
  yield { node: { node: new Uint8Array(id) as ChunkId, level, first, key, entries: count, isCut }, entries };
  return first;
}

export function promisedBy(root: ListingRoot): Promised {
  return { node: root.id, level: root.level, entries: root.entries, key: undefined };
}

async function* entriesFrom(
  source: ChunkSource,
  promised: Promised,
  from: Uint8Array,
): AsyncGenerator<Entry> {
  const node = await readPromised(source, promised);
  if ('entries' in node) {
    yield* node.entries;
  } else if ('branches' in node) {
    const wanted = node.branches.filter(branch => compareBytes(branch.key, from) >= 0);
    for await (const [branch, load] of childrenOf(source, wanted))
      yield* entriesFrom(load, { ...branch, level: node.level - 1 }, from);
  }
}

/** Reads a node; STORE_DAMAGED when it is not what its parent says. */
export async function readPromised(source: ChunkSource, promised: Promised): Promise<Node> {
  const node = await readNode(source, promised.node, { kind: 'listing', level: promised.level });
  const { entries, key } = summary(node);
  if (entries !== promised.entries)
    throw storeError(
      'STORE_DAMAGED',
      `Cannot read listing: a node has ${entries} entries, not ${promised.entries}`,
    );
  if (promised.key !== undefined && (key === undefined || compareBytes(key, promised.key) !== 0))
    throw storeError(
      'STORE_DAMAGED',
      'Cannot read listing: a node does not end with the key that its parent names',
    );
  return node;
}

function summary(node: Node): { entries: number; key: Uint8Array | undefined } {
  if ('entries' in node) return { entries: node.entries.length, key: node.entries.at(-1)?.key };
  if (!('branches' in node)) return { entries: 0, key: undefined };
  let entries = 0;
  for (const branch of node.branches) entries += branch.entries;
  return { entries, key: node.branches.at(-1)?.key };
}

const outOfOrder = (): Error =>
  storeError('STORE_DAMAGED', 'Cannot read listing: keys of neighbouring nodes are not in order');
