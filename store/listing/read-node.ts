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
 * Children in order, each with a source that has it already: the next one is read while the caller works on this one.
 */
export async function* childrenOf<Child extends { readonly node: ChunkId }>(
  source: ChunkSource,
  children: readonly Child[],
): AsyncGenerator<[Child, ChunkSource]> {
  let ahead = children[0] && source.get(children[0].node, 'metadata');
  for (const [i, child] of children.entries()) {
    const bytes = await ahead!;
    const next = children[i + 1];
    ahead = next && source.get(next.node, 'metadata');
    // A caller that stops early never awaits the read that is under way; its failure then concerns nobody.
    ahead?.catch(() => undefined);
    yield [
      child,
      { get: (id, chunkClass) => (id === child.node ? Promise.resolve(bytes) : source.get(id, chunkClass)) },
    ];
  }
}
