import type { ChunkSource, Entry, ListingRoot } from '../content.ts';
import { storeError } from '../errors.ts';
import { type Branch, compareBytes } from './node.ts';
import { type Promised, promisedBy, readPromised } from './read.ts';

/** What stands at a cursor: an entry, or a node that nobody has read yet, with all that is below it. */
type Head =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'node'; readonly node: Promised };

type Frame =
  | { readonly level: 0; readonly entries: readonly Entry[]; index: number }
  | { readonly level: number; readonly branches: readonly Promised[]; index: number };

/**
 * A place in a listing that moves forward only, and passes whole nodes without reading them. Holds one node a level.
 * Entries are views of nodes that later moves do not change.
 */
export class ListingCursor {
  readonly #source: ChunkSource;
  readonly #frames: Frame[];
  #after: Uint8Array | undefined;

  constructor(source: ChunkSource, root: ListingRoot) {
    this.#source = source;
    this.#frames = [{ level: root.level + 1, branches: [promisedBy(root)], index: 0 }];
  }

  /** The last key that was passed: whatever comes has a greater one. Undefined at the beginning. */
  get after(): Uint8Array | undefined {
    return this.#after;
  }

  /** What comes next; undefined at the end. */
  get head(): Head | undefined {
    for (;;) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return undefined;
      if ('entries' in frame) {
        const entry = frame.entries[frame.index];
        if (entry !== undefined) return { kind: 'entry', entry };
      } else {
        const node = frame.branches[frame.index];
        if (node !== undefined) return { kind: 'node', node };
      }
      this.#frames.pop();
    }
  }

  /** Passes the head, with all that is below it. */
  skip(): void {
    const { head } = this;
    if (head === undefined) return;
    this.#after = (head.kind === 'entry' ? head.entry.key : head.node.key) ?? this.#after;
    this.#frames.at(-1)!.index += 1;
  }

  /** Reads the node at the head: then its first child or entry is. */
  async open(): Promise<void> {
    const { head } = this;
    if (head?.kind !== 'node') throw new TypeError('Cannot open: no node is at the cursor');
    const node = await readPromised(this.#source, head.node);
    this.#frames.at(-1)!.index += 1;
    if ('entries' in node) {
      const first = node.entries[0];
      if (this.#after && first && compareBytes(this.#after, first.key) >= 0)
        throw storeError('STORE_DAMAGED', 'Cannot read listing: keys of neighbouring nodes are not in order');
      this.#frames.push({ level: 0, entries: node.entries, index: 0 });
    } else if ('branches' in node) {
      const level = node.level - 1;
      const branches = node.branches.map((branch: Branch) => ({ ...branch, level }));
      this.#frames.push({ level: node.level, branches, index: 0 });
    }
  }

  /** The next entry, not yet passed; undefined at the end. */
  async peek(): Promise<Entry | undefined> {
    for (;;) {
      const { head } = this;
      if (head === undefined) return undefined;
      if (head.kind === 'entry') return head.entry;
      await this.open();
    }
  }

  /** The next entry, passed; undefined at the end. */
  async next(): Promise<Entry | undefined> {
    const entry = await this.peek();
    if (entry !== undefined) this.skip();
    return entry;
  }

  /** Passes every entry with a lesser key; nodes that hold only such are not read. */
  async seek(key: Uint8Array): Promise<void> {
    for (;;) {
      const { head } = this;
      if (head === undefined) return;
      const last = head.kind === 'entry' ? head.entry.key : head.node.key;
      if (last !== undefined && compareBytes(last, key) < 0) this.skip();
      else if (head.kind === 'entry') return;
      else await this.open();
    }
  }
}
