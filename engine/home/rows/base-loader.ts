import {
  type Content,
  type Entry,
  type ListedNode,
  type ListingRoot,
  storeError,
} from '../../../store/index.ts';
import { decodeHomeEntry, type EntryKind, type HomeEntry, isName } from '../entries/entry.ts';
import { type PlainBody, plainBodyReader } from '../entries/plain-body.ts';
import { type BytePath, bytePath } from '../paths.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { allMarks, mayBeRepository, repositoryMarks } from '../rules/git-places.ts';
import { makeDevice } from '../system/device.ts';
import { kinds } from '../system/stat.ts';
import { accessOf, type HomeBase, type TreeBase } from './base.ts';
import { BaseNodes, Presence } from './base-presence.ts';
import { EntryTable } from './table.ts';

const kindBits: Record<EntryKind, number> = {
  file: kinds.file,
  folder: kinds.folder,
  link: kinds.link,
  fifo: kinds.fifo,
  characterDevice: kinds.characterDevice,
  blockDevice: kinds.blockDevice,
};

/** What a row takes from an entry, decoded in either way. */
type Loaded = PlainBody & Partial<Pick<HomeEntry, 'xattrs' | 'target' | 'device'>>;
const noXattrs: HomeEntry['xattrs'] = [];

/** The key and the contents of what its body says it is; names are checked where the folder is known. */
const isPlainEntry = (key: BytePath, { kind }: PlainBody, { contents }: Entry): boolean =>
  key.endsWith('/') === (kind === 'folder') && contents.length === (kind === 'file' ? 1 : 0);

/** Rows of a listing that is decoded, entry by entry. */
export class BaseLoader {
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
