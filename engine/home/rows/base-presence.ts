import { type ChunkId, type Content, isStoreError, refsOfNode } from '../../../store/index.ts';
import type { BaseNode, HomeBase, KnownNode } from './base.ts';
import type { EntryTable } from './table.ts';

/** True when the store cannot give what was asked for: the home is read instead. */
export const isUnreadable = (error: unknown): error is Error =>
  isStoreError(error) && (error.code === 'STORE_DAMAGED' || error.code === 'STORE_OBJECT_MISSING');

/** The nodes of the base that a new snapshot may depend on, with all that is below them. */
export class BaseNodes {
  readonly kept = new Map<number, BaseNode[]>();
  readonly #base: HomeBase;
  /** First row of the newest node that must be stored again. */
  #deniedFrom = -1;

  constructor(base: HomeBase) {
    this.#base = base;
  }

  get areThere(): boolean {
    return this.#deniedFrom < 0;
  }

  /** Takes a leaf, or an inner node after everything below it; `to` is the row after its last one. */
  end(node: KnownNode, to: number): void {
    const from = to - node.entries;
    if (!this.#base.has(node.node, 'metadata')) this.#deniedFrom = from;
    if (!node.isCut || node.entries === 0 || this.#deniedFrom >= from) return;
    const here = this.kept.get(from);
    if (here) here.unshift({ node, to });
    else this.kept.set(from, [{ node, to }]);
  }
}

/** Whether what rows say that they hold may be depended on. */
export class Presence {
  /** Long lists of extents that were met and not looked into yet. */
  readonly lists: { at: number; node: ChunkId }[] = [];
  readonly #base: HomeBase;

  constructor(base: HomeBase) {
    this.#base = base;
  }

  isThere(content: Content | undefined): boolean {
    if (!content || 'list' in content) return true;
    return content.extents.every(extent => extent.kind !== 'chunk' || this.#base.has(extent.id, 'data'));
  }

  /** Looks into the lists that were met since the last time. */
  async checkLists(table: EntryTable): Promise<void> {
    for (const { at, node } of this.lists.splice(0)) {
      if (!(await this.#isListThere(node))) table.setUntaken(at);
    }
  }

  async #isListThere(node: ChunkId): Promise<boolean> {
    if (!this.#base.has(node, 'metadata')) return false;
    try {
      for (const ref of refsOfNode(await this.#base.source.get(node, 'metadata'))) {
        const isThere =
          ref.kind === 'data' ? this.#base.has(ref.id, 'data') : await this.#isListThere(ref.id);
        if (!isThere) return false;
      }
      return true;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return false; // the file is read again
    }
  }
}
