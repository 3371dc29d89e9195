import { Bits } from '../chunk-index/bits.ts';
import { failedReads } from '../chunk-index/masks.ts';
import { readChunk } from '../chunk-reader.ts';
import type { ChunkRef, Extent } from '../content.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, hex } from '../ids.ts';
import { decodeNode } from '../listing/decode.ts';
import type { Node } from '../listing/node.ts';
import { isFinding } from '../medium-error.ts';
import { FrameReader } from '../pack/reader.ts';
import { packName } from '../pack/row.ts';
import type { GraphVerifier } from './graph.ts';
import type { VerifiedIndex, VerifyRun } from './run.ts';

const cacheBytesMax = 16 * 1024 * 1024;
const none: readonly string[] = [];

/** Answers, when everything was checked, what damage takes with it. Each node is read once more at most. */
export class DamageReach {
  readonly #run: VerifyRun;
  readonly #verified: VerifiedIndex;
  readonly #graph: GraphVerifier;
  readonly #frames: FrameReader;
  readonly #clean: Bits;
  /** By the number of the node in the index. */
  readonly #found = new Map<number, readonly string[]>();

  constructor(run: VerifyRun, verified: VerifiedIndex, graph: GraphVerifier) {
    this.#run = run;
    this.#verified = verified;
    this.#graph = graph;
    this.#clean = new Bits(verified.index.numbersEnd);
    this.#frames = new FrameReader(run.context, { cacheBytesMax });
  }

  /**
   * The objects to blame for what is lost of a chunk, or of a node and everything below it: packs by their names, and
   * the id of a chunk that no pack lists, or what the medium failed to read that may list it. Empty: a whole copy of everything is there.
   */
  async culprits({ id, kind }: ChunkRef): Promise<readonly string[]> {
    const { index } = this.#verified;
    if (kind === 'data') return index.lengthOf(id, 'data') === undefined ? this.#blame(id) : none;
    const number = index.numberOf(id);
    if (number < 0) return this.#blame(id);
    if (this.#clean.has(number)) return none;
    const known = this.#found.get(number);
    if (known !== undefined) return known;
    const isLost = this.#graph.isUnreadable(id) || index.lengthOf(id, 'metadata') === undefined;
    const found = isLost ? this.#blame(id) : await this.#culpritsBelow(id);
    if (found.length === 0) this.#clean.add(number);
    else this.#found.set(number, found);
    return found;
  }

  async #culpritsBelow(id: ChunkId): Promise<readonly string[]> {
    this.#run.signal?.throwIfAborted();
    await this.#run.breathe();
    let node: Node;
    try {
      node = await this.#read(id);
    } catch (error) {
      if (!isFinding(error)) throw error;
      return this.#blame(id);
    }
    const found = new Set<string>();
    for (const ref of refsOf(node)) for (const culprit of await this.culprits(ref)) found.add(culprit);
    return found.size === 0 ? none : [...found];
  }

  #blame(id: ChunkId): readonly string[] {
    const { index, problems } = this.#verified;
    const packs = index.places(id).map(({ pack }) => packName(pack));
    if (packs.length > 0) return [...new Set(packs)];
    const unread = failedReads(problems).map(({ object }) => object);
    return unread.length > 0 ? unread : [hex(id)];
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
