import { readChunk } from '../chunk-reader.ts';
import type { ChunkRef, Extent } from '../content.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, hex } from '../ids.ts';
import { decodeNode } from '../listing/decode.ts';
import type { Node } from '../listing/node.ts';
import { FrameReader } from '../pack/reader.ts';
import type { GraphVerifier } from './graph.ts';
import type { VerifiedIndex, VerifyRun } from './run.ts';

const cacheBytesMax = 16 * 1024 * 1024;

/** Answers, when everything was checked, what damage takes with it. Each node is read once more at most. */
export class DamageReach {
  readonly #run: VerifyRun;
  readonly #verified: VerifiedIndex;
  readonly #graph: GraphVerifier;
  readonly #frames: FrameReader;
  readonly #reaches = new Map<string, boolean>();

  constructor(run: VerifyRun, verified: VerifiedIndex, graph: GraphVerifier) {
    this.#run = run;
    this.#verified = verified;
    this.#graph = graph;
    this.#frames = new FrameReader(run.context, { cacheBytesMax });
  }

  /** Whether a chunk, or something below a node, has no copy that is whole. */
  async reachesDamage({ id, kind }: ChunkRef): Promise<boolean> {
    const { index } = this.#verified;
    if (kind === 'data') return index.lengthOf(id, 'data') === undefined;
    const name = hex(id);
    const known = this.#reaches.get(name);
    if (known !== undefined) return known;
    let reaches = this.#graph.isUnreadable(id) || index.lengthOf(id, 'metadata') === undefined;
    if (!reaches) {
      for (const ref of refsOf(await this.#read(id))) {
        if (!(await this.reachesDamage(ref))) continue;
        reaches = true;
        break;
      }
    }
    this.#reaches.set(name, reaches);
    return reaches;
  }

  async #read(id: ChunkId): Promise<Node> {
    const { context } = this.#run;
    const { index } = this.#verified;
    const answer = await readChunk({ context, frames: this.#frames, index }, { id, chunkClass: 'metadata' });
    if ('bytes' in answer) return decodeNode(answer.bytes);
    throw answer.error ?? storeError('STORE_OBJECT_MISSING', `Cannot read node ${hex(id)}: it is gone`);
  }
}

function* refsOf(node: Node): Generator<ChunkRef> {
  const contents = 'entries' in node ? node.entries.flatMap(entry => entry.contents) : [];
  for (const content of contents) {
    if ('list' in content) yield { id: content.list, kind: 'node' };
    else yield* chunksOf(content.extents);
  }
  if ('extents' in node) yield* chunksOf(node.extents);
  if ('branches' in node) for (const { node: id } of node.branches) yield { id, kind: 'node' };
  if ('spans' in node) for (const { node: id } of node.spans) yield { id, kind: 'node' };
}

function* chunksOf(extents: readonly Extent[]): Generator<ChunkRef> {
  for (const extent of extents) if (extent.kind === 'chunk') yield { id: extent.id, kind: 'data' };
}
