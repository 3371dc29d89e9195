import {
  type ChunkClass,
  type ChunkId,
  type ChunkSource,
  type Clock,
  type Content,
  type Entry,
  isStoreError,
  type ListedNode,
  type ListingRoot,
  readListingNodes,
  readListingShape,
  refsOfNode,
  storeError,
} from '../../../store/index.ts';
import type { RootPlan } from '../capture/tree.ts';
import {
  decodeHomeEntry,
  type EntryFileSystem,
  type EntryKind,
  type HomeEntry,
  isName,
} from '../entries/entry.ts';
import { type PlainBody, plainBodyReader } from '../entries/plain-body.ts';
import type { Pace } from '../pace.ts';
import { type BytePath, bytePath, bytesOf, shown } from '../paths.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { repositoryMarks } from '../rules/git-places.ts';
import { makeDevice } from '../system/device.ts';
import { kinds } from '../system/stat.ts';
import type { HomeBase } from '../types.ts';
import { eachContent, recalledRows } from './recall.ts';
import { mayBeRepository } from './remember.ts';
import { EntryTable } from './table.ts';

/** Its first key is that of its first row. */
export type KnownNode = Omit<ListedNode, 'first'>;

/** A whole node of the base's listing and the row after its last one. */
export interface BaseNode {
  readonly node: KnownNode;
  readonly to: number;
}

/** What an earlier snapshot had under one root, as rows. Those that must not be trusted are untaken. */
export interface TreeBase {
  readonly listing: ListingRoot;
  readonly table: EntryTable;
  readonly fileSystems: readonly EntryFileSystem[];
  /** Fingerprint of the rules that left things out. */
  readonly rules: Uint8Array | undefined;
  /** The newest change of a trusted row, by file system. */
  readonly newestNs: readonly (bigint | undefined)[];
  /** The root folder's entry as it is stored. */
  readonly rootBody: Uint8Array;
  /** Nodes that a new listing may take over, by their first row, the largest first. */
  readonly nodes: ReadonlyMap<number, readonly BaseNode[]>;
  /** True when a new snapshot may depend on every node. */
  readonly isWhole: boolean;
  readonly source: ChunkSource;
  /** Whether a new snapshot may depend on a chunk. */
  has(id: ChunkId, chunkClass: ChunkClass): boolean;
  /** True when its rows were remembered, so that they need not be written again. */
  readonly isRemembered: boolean;
}

interface LoadContext {
  readonly clock: Clock;
  readonly pace: Pace;
  readonly onNote: (note: string) => void;
}

/** Loads what the base has under a root of the same path; undefined when there is nothing that may be built upon. */
export async function loadBase(
  base: HomeBase,
  plan: RootPlan,
  { clock, pace, onNote }: LoadContext,
): Promise<TreeBase | undefined> {
  const root = base.roots.find(({ path }) => Buffer.compare(path, bytesOf(plan.name)) === 0);
  if (!root) return undefined;
  if (clock.nowMs() < base.timeMs) {
    onNote('The clock went back since the snapshot before: every file is read again');
    return undefined;
  }
  try {
    const remembered = await recallBase(base, root.listing, pace);
    if (remembered) return remembered;
    const loader = new BaseLoader(base, root.listing, plan.isExcluded);
    for await (const { node, entries } of readListingNodes(base.source, root.listing)) {
      for (const entry of entries ?? []) loader.add(entry);
      await loader.checkLists();
      loader.endNode(node);
      await pace.rest();
    }
    return loader.finish();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    onNote(`The snapshot before cannot be built upon for ${shown(plan.name)}: ${error.message}`);
    return undefined;
  }
}

/** As the loader would make it, of rows that an earlier run left in the cache; only inner nodes are read. */
async function recallBase(base: HomeBase, listing: ListingRoot, pace: Pace): Promise<TreeBase | undefined> {
  const bytes = await base.remembered?.get(listing.id);
  const recalled = bytes && recalledRows(bytes);
  if (!recalled || recalled.table.count !== listing.entries) return undefined;
  const { table, rootBody, newestNs } = recalled;
  const nodes = new BaseNodes(base);
  let rows = 0;
  for await (const node of readListingShape(base.source, listing)) {
    base.remembered?.keepNode(node.node);
    if (node.level === 0) rows += node.entries;
    nodes.end(node, rows);
  }
  if (rows !== table.count) return undefined;
  const presence = new Presence(base);
  eachContent(table, {
    chunk(at, id) {
      if (!base.has(id, 'data')) table.setUntaken(at);
    },
    other(at, content) {
      if (!presence.isThere(content)) table.setUntaken(at);
      else if ('list' in content) presence.lists.push({ at, node: content.list });
    },
  });
  await presence.checkLists(table);
  await pace.rest();
  const { fileSystems, rules } = decodeHomeEntry({
    key: bytesOf('/' as BytePath),
    body: rootBody,
    contents: [],
  });
  return {
    ...{ listing, table, rules, newestNs, rootBody },
    ...{ fileSystems: fileSystems ?? [], nodes: nodes.kept, isWhole: nodes.areThere, isRemembered: true },
    ...accessOf(base),
  };
}

const accessOf = (base: HomeBase): Pick<TreeBase, 'source' | 'has'> => ({
  source: base.source,
  has: (id, chunkClass) => base.has(id, chunkClass),
});

const isUnreadable = (error: unknown): error is Error =>
  isStoreError(error) && (error.code === 'STORE_DAMAGED' || error.code === 'STORE_OBJECT_MISSING');

const kindBits: Record<EntryKind, number> = {
  file: kinds.file,
  folder: kinds.folder,
  link: kinds.link,
  fifo: kinds.fifo,
  characterDevice: kinds.characterDevice,
  blockDevice: kinds.blockDevice,
};
const allMarks = (1 << repositoryMarks.length) - 1;

/** What a row takes from an entry, decoded in either way. */
type Loaded = PlainBody & Partial<Pick<HomeEntry, 'xattrs' | 'target' | 'device'>>;
const noXattrs: HomeEntry['xattrs'] = [];

/** The key and the contents of what its body says it is; names are checked where the folder is known. */
const isPlainEntry = (key: BytePath, { kind }: PlainBody, { contents }: Entry): boolean =>
  key.endsWith('/') === (kind === 'folder') && contents.length === (kind === 'file' ? 1 : 0);

/** The nodes of the base that a new snapshot may depend on, with all that is below them. */
class BaseNodes {
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
class Presence {
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

class BaseLoader {
  readonly #base: HomeBase;
  readonly #listing: ListingRoot;
  readonly #isExcluded: IsExcluded;
  readonly #table: EntryTable;
  /** Which of the names that make a repository each folder holds. */
  readonly #marks: Uint8Array;
  /** Folders whose rows are not complete, outermost first, with their keys. */
  readonly #open: { at: number; key: BytePath }[] = [];
  readonly #nodes: BaseNodes;
  readonly #presence: Presence;
  readonly #newestNs: (bigint | undefined)[] = [];
  readonly #readPlain = plainBodyReader();
  #root: { entry: HomeEntry; body: Uint8Array } | undefined;

  constructor(base: HomeBase, listing: ListingRoot, isExcluded: IsExcluded) {
    this.#base = base;
    this.#nodes = new BaseNodes(base);
    this.#presence = new Presence(base);
    this.#listing = listing;
    this.#isExcluded = isExcluded;
    this.#table = new EntryTable(listing.entries);
    this.#marks = new Uint8Array(listing.entries);
  }

  add(stored: Entry): void {
    const key = bytePath(stored.key);
    const isFirst = this.#table.count === 0;
    const plain = isFirst ? undefined : this.#readPlain(stored.body);
    const entry = plain && isPlainEntry(key, plain, stored) ? plain : decodeHomeEntry(stored);
    const [content] = stored.contents;
    const name = this.#enter(key, entry.kind);
    const at = this.#addRow(entry, { name, content });
    if (entry.kind === 'folder') this.#open.push({ at, key });
    if (isFirst) this.#root = { entry: decodeHomeEntry(stored), body: new Uint8Array(stored.body) };
    if (content && 'list' in content) this.#presence.lists.push({ at, node: content.list });
    if (entry.unsettled || !this.#presence.isThere(content)) this.#table.setUntaken(at);
    else this.#noteTime(entry);
  }

  /** Looks into the long lists of extents of what was added since the last time. */
  async checkLists(): Promise<void> {
    await this.#presence.checkLists(this.#table);
  }

  /** Called after the entries of a leaf, and after everything below an inner node. */
  endNode({ first: _, ...node }: ListedNode): void {
    this.#nodes.end(node, this.#table.count);
  }

  finish(): TreeBase {
    this.#leaveTo(0);
    if (!this.#root) throw malformed('it has no root folder');
    return {
      listing: this.#listing,
      table: this.#table,
      fileSystems: this.#root.entry.fileSystems ?? [],
      rules: this.#root.entry.rules,
      newestNs: this.#newestNs,
      rootBody: this.#root.body,
      nodes: this.#nodes.kept,
      isWhole: this.#nodes.areThere,
      isRemembered: false,
      ...accessOf(this.#base),
    };
  }

  /** Leaves the folders that end before this key; the name in the one that holds it. */
  #enter(key: BytePath, kind: EntryKind): BytePath {
    const open = this.#open;
    let depth = open.length;
    while (depth > 0 && !key.startsWith(open[depth - 1]!.key)) depth--;
    this.#leaveTo(depth);
    const folder = open.at(-1);
    if (!folder) {
      if (key !== '/' || this.#table.count > 0) throw malformed('an entry is in no folder');
      return '' as BytePath;
    }
    const name = key.slice(folder.key.length, kind === 'folder' ? -1 : undefined) as BytePath;
    if (!isName(name)) throw malformed('a folder has no entry, or a name is none');
    const mark = repositoryMarks.indexOf(name as (typeof repositoryMarks)[number]);
    if (mark >= 0) this.#marks[folder.at]! |= 1 << mark;
    return name;
  }

  #leaveTo(depth: number): void {
    while (this.#open.length > depth) {
      const { at, key } = this.#open.pop()!;
      this.#table.endFolder(at);
      if (this.#marks[at] === allMarks) this.#table.setPlace(at, 'repository');
      const relative = key.slice(1, -1) as BytePath;
      if (mayBeRepository(relative, { marks: this.#marks[at]!, isExcluded: this.#isExcluded }))
        this.#table.setUntaken(at); // it must be listed again
    }
  }

  #addRow(entry: Loaded, { name, content }: { name: BytePath; content: Content | undefined }): number {
    const at = this.#table.add({
      name,
      depth: this.#open.length,
      fileSystem: entry.fileSystem,
      xattrs: entry.xattrs ?? noXattrs,
      target: entry.target,
      stats: {
        dev: 0,
        ino: entry.inode,
        mode: kindBits[entry.kind] | entry.mode,
        nlink: entry.linked ? 2 : 1,
        uid: entry.uid,
        gid: entry.gid,
        rdev: entry.device ? makeDevice(entry.device) : 0n,
        size: 0,
        blocks: 0,
        mtimeNs: entry.mtimeNs,
        ctimeNs: entry.ctimeNs,
      },
    });
    if (content) this.#table.setContent(at, content);
    return at;
  }

  #noteTime({ fileSystem, ctimeNs }: Loaded): void {
    const newest = this.#newestNs[fileSystem];
    if (newest === undefined || newest < ctimeNs) this.#newestNs[fileSystem] = ctimeNs;
  }
}

const malformed = (state: string): Error =>
  storeError('STORE_DAMAGED', `Cannot read listing of a home: ${state}`);
