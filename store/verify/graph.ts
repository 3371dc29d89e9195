import { failedRead } from '../chunk-index/masks.ts';
import { chunkMissing, readChunk } from '../chunk-reader.ts';
import type { ChunkRef, ChunkSource, Content, Extent } from '../content.ts';
import { storeError } from '../errors.ts';
import { type ChunkId, hex, type PackId, type SnapshotId } from '../ids.ts';
import { decodeNode } from '../listing/decode.ts';
import { compareBytes, extentLength, type Node } from '../listing/node.ts';
import { decodeManifest, type Manifest, manifestName } from '../manifest.ts';
import { isForbidden } from '../medium-error.ts';
import { FrameReader } from '../pack/reader.ts';
import { packName } from '../pack/row.ts';
import { notThere } from './packs.ts';
import { checked, type Inventory, readObject, type VerifiedIndex, type VerifyRun } from './run.ts';
import { Summaries, type Summary } from './summaries.ts';

interface Expected {
  readonly kind: Node['kind'];
  readonly level?: number;
  readonly total: number;
  readonly lastKey?: Uint8Array;
}

const cacheBytesMax = 16 * 1024 * 1024;

/** Walks from manifests over listings and extent lists to the chunks, each node once. */
export class GraphVerifier {
  readonly #run: VerifyRun;
  readonly #verified: VerifiedIndex;
  readonly #inventory: Inventory;
  readonly #frames: FrameReader;
  readonly #summaries: Summaries;
  /** Packs that hold something that was reached. */
  readonly neededPacks = new Set<PackId>();
  /** Packs that no index part lists, with the only copy of something that was reached. */
  readonly unlistedPacks = new Set<PackId>();
  #hasUnaccounted = false;

  constructor(
    run: VerifyRun,
    { verified, inventory }: { readonly verified: VerifiedIndex; readonly inventory: Inventory },
  ) {
    this.#run = run;
    this.#inventory = inventory;
    this.#verified = verified;
    this.#frames = new FrameReader(run.context, { cacheBytesMax });
    this.#summaries = new Summaries(verified.index);
  }

  /** Whether something was reached that no pack has, of those that can be looked into; the medium failed to read others. */
  get hasUnaccounted(): boolean {
    return this.#hasUnaccounted;
  }

  /** Reads chunks by the index that is verified, so that nobody loads a second one. */
  get source(): ChunkSource {
    const { context } = this.#run;
    const { index, problems } = this.#verified;
    return {
      get: async (id, chunkClass) => {
        const answer = await readChunk({ context, frames: this.#frames, index }, { id, chunkClass });
        if ('bytes' in answer) return answer.bytes;
        throw answer.error ?? chunkMissing({ id, chunkClass }, context, { problems });
      },
    };
  }

  /** Undefined: not a snapshot, or not readable (then it was reported). */
  async manifest(id: SnapshotId): Promise<Manifest | undefined> {
    let manifest: Manifest | undefined;
    const object = manifestName(id);
    await checked(this.#run, { kind: 'manifest', object }, async () => {
      manifest = decodeManifest(this.#run.context.ring, await readObject(this.#run, object), id);
    });
    return manifest;
  }

  /** Checks everything below. */
  async verify(roots: readonly ChunkRef[]): Promise<void> {
    for (const { id, kind } of roots) {
      if (kind === 'node') await this.#subtree(id);
      else this.#extent({ kind: 'chunk', id, offset: 0, length: 1 });
    }
  }

  /** Whether a node was looked at and found wanting. */
  isUnreadable(id: ChunkId): boolean {
    return this.#summaries.get(id) === null;
  }

  async #subtree(id: ChunkId): Promise<Summary | undefined> {
    const known = this.#summaries.get(id);
    if (known !== undefined) return known ?? undefined;
    // Ids come from contents, so no node lies below itself.
    let summary: Summary | undefined;
    const node = await this.#readReported(id);
    if (node !== undefined)
      await checked(this.#run, { kind: 'node', object: hex(id) }, async () => {
        summary = await this.#summarise(node);
      });
    this.#summaries.set(id, summary);
    return summary;
  }

  async #summarise(node: Node): Promise<Summary> {
    const { kind, level } = node;
    let total = 0;
    let firstKey: Uint8Array | undefined;
    let lastKey: Uint8Array | undefined;
    if ('entries' in node) {
      total = node.entries.length;
      firstKey = node.entries[0]?.key;
      lastKey = node.entries.at(-1)?.key;
      for (const { contents } of node.entries) for (const content of contents) await this.#content(content);
    } else if ('extents' in node) {
      for (const extent of node.extents) total += this.#extent(extent);
    } else if ('branches' in node) {
      for (const { node: child, key, entries } of node.branches) {
        const below = await this.#child(child, { kind, level: level - 1, total: entries, lastKey: key });
        if (below?.firstKey && lastKey && compareBytes(lastKey, below.firstKey) >= 0)
          throw disagrees('its children overlap');
        firstKey ??= below?.firstKey;
        lastKey = key;
        total += entries;
      }
    } else {
      for (const { node: child, length } of node.spans) {
        await this.#child(child, { kind, level: level - 1, total: length });
        total += length;
      }
    }
    return { kind, level, total, firstKey, lastKey };
  }

  async #child(id: ChunkId, expected: Expected): Promise<Summary | undefined> {
    const summary = await this.#subtree(id);
    if (summary === undefined) return undefined; // reported already
    if (summary.kind !== expected.kind) throw disagrees(`a child is of kind ${summary.kind}`);
    if (expected.level !== undefined && summary.level !== expected.level)
      throw disagrees(`a child has level ${summary.level}, not ${expected.level}`);
    if (summary.total !== expected.total)
      throw disagrees(`a child amounts to ${summary.total}, not ${expected.total}`);
    if (expected.lastKey && (!summary.lastKey || compareBytes(summary.lastKey, expected.lastKey) !== 0))
      throw disagrees('a child ends with another key');
    return summary;
  }

  async #content(content: Content): Promise<void> {
    if ('list' in content) await this.#child(content.list, { kind: 'extents', total: content.length });
    else for (const extent of content.extents) this.#extent(extent);
  }

  /** The extent's length. */
  #extent(extent: Extent): number {
    if (extent.kind !== 'chunk') return extentLength(extent);
    const { index } = this.#verified;
    this.#run.counts.references += 1;
    const length = index.lengthOf(extent.id, 'data');
    this.#need(extent.id);
    if (length === undefined) this.#blame(extent.id, 'no pack has it');
    else if (length < extent.offset + extent.length)
      this.#run.report.add('chunk', hex(extent.id), {
        state: `It has ${length} bytes, and ${extent.offset + extent.length} are asked for`,
      });
    return extent.length;
  }

  #need(id: ChunkId): void {
    const { index, rows } = this.#verified;
    let isListed = false;
    index.eachCopy(id, (pack, frame) => {
      this.neededPacks.add(pack);
      if (rows.has(pack) && !index.isBad(frame)) isListed = true;
    });
    if (isListed) return;
    index.eachCopy(id, pack => {
      if (!rows.has(pack)) this.unlistedPacks.add(pack);
    });
  }

  /** Reports the packs that should have a chunk; without any, the chunk itself, unless what lists it may just be unread. */
  #blame(id: ChunkId, state: string): void {
    const { index, problems } = this.#verified;
    const places = index.places(id);
    for (const { pack, frame, chunkClass } of places) {
      index.markBad(frame);
      if (this.#run.report.has(packName(pack))) continue;
      const isThere = this.#inventory.packs.has(pack);
      this.#run.report.add(`${chunkClass}-pack`, packName(pack), {
        state: isThere ? 'A frame of it is recorded as damaged' : notThere,
      });
    }
    if (places.length > 0) return;
    if (failedRead(problems) === undefined) this.#run.report.add('chunk', hex(id), { state });
    else this.#hasUnaccounted = true;
  }

  async #readReported(id: ChunkId): Promise<Node | undefined> {
    this.#run.signal?.throwIfAborted();
    await this.#run.breathe();
    this.#run.counts.references += 1;
    this.#need(id);
    const { context } = this.#run;
    const { index } = this.#verified;
    const answer = await readChunk({ context, frames: this.#frames, index }, { id, chunkClass: 'metadata' });
    if ('error' in answer) {
      if (isForbidden(answer.error)) throw answer.error;
      for (const { pack, frame } of index.places(id)) {
        index.markBad(frame);
        const state = answer.error?.message ?? 'It does not have the chunks that the index lists';
        this.#run.report.add('metadata-pack', packName(pack), { state });
      }
      this.#blame(id, 'no pack has it');
      return undefined;
    }
    this.#run.counts.bytesRead += answer.bytes.length;
    let node: Node | undefined;
    await checked(this.#run, { kind: 'node', object: hex(id) }, () => {
      node = decodeNode(answer.bytes, `node ${hex(id)}`);
    });
    return node;
  }
}

function disagrees(state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read node: ${state}`);
}
