import type { ChunkSource } from '../content.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, hex } from '../ids.ts';
import { decodeNode } from './decode.ts';
import type { Node } from './node.ts';

export interface ExpectedNode {
  readonly kind: Node['kind'];
  /** One below its parent's; undefined where nothing says it (the root of an extent list). */
  readonly level: number | undefined;
}

/** Reads and decodes one node; another kind or level than its parent promised is STORE_DAMAGED. */
export async function readNode(source: ChunkSource, id: ChunkId, expected: ExpectedNode): Promise<Node> {
  const name = `node ${hex(id).slice(0, 12)}…`;
  const node = decodeNode(await source.get(id, 'metadata'), name);
  if (node.kind !== expected.kind)
    throw storeError('STORE_DAMAGED', `Cannot read ${name}: its kind is ${node.kind}, not ${expected.kind}`);
  // Levels fall by one, so a path from a root ends whatever a hostile node says.
  if (expected.level !== undefined && node.level !== expected.level)
    throw storeError('STORE_DAMAGED', `Cannot read ${name}: level ${node.level}, need ${expected.level}`);
  return node;
}

/**
 * Children in order, each with a source that has it already: the next ones are read while the caller works on this one.
 */
export async function* childrenOf<Child extends { readonly node: ChunkId }>(
  source: ChunkSource,
  children: readonly Child[],
  { ahead = 1 }: { ahead?: number } = {},
): AsyncGenerator<[Child, ChunkSource]> {
  const reads: Promise<Uint8Array>[] = [];
  const readUpTo = (end: number): void => {
    for (let i = reads.length; i < Math.min(end, children.length); i++) {
      const read = source.get(children[i]!.node, 'metadata');
      // A caller that stops early never awaits the reads that are under way; their failure then concerns nobody.
      read.catch(() => undefined);
      reads.push(read);
    }
  };
  for (const [i, child] of children.entries()) {
    readUpTo(i + 1);
    const bytes = await reads[i]!;
    delete reads[i];
    readUpTo(i + 1 + ahead);
    yield [
      child,
      { get: (id, chunkClass) => (id === child.node ? Promise.resolve(bytes) : source.get(id, chunkClass)) },
    ];
  }
}
