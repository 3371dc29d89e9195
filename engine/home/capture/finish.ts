import type { Cuts } from '../../../chunker/index.ts';
import {
  type ChunkSink,
  type Content,
  type Entry,
  ListingBuilder,
  type ListingRoot,
} from '../../../store/index.ts';
import { contentWriter } from '../../ingest/index.ts';
import { type EntryKind, encodeHomeEntry, type HomeEntry, keyOf } from '../entries/entry.ts';
import { emptyBody, plainBodyWriter } from '../entries/plain-body.ts';
import type { Pace } from '../pace.ts';
import { type BytePath, bytePath } from '../paths.ts';
import {
  type EntryTable,
  LinkGroups,
  origins,
  type RowSums,
  rememberedRows,
  type TreeBase,
} from '../rows/index.ts';
import { major, minor } from '../system/device.ts';
import { type OwnerNames, ownerNames } from '../system/owners.ts';
import { kindMask, kinds } from '../system/stat.ts';
import type { Pins } from './pinned.ts';
import type { KeptPart, Tree } from './tree.ts';

interface FinishContext {
  readonly pins: Pins;
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly pace: Pace;
}

/** Stores what the window kept, and frees it. A file with several names is stored once. */
export async function storeKept(tree: Tree, { sink, cuts, pace, pins }: FinishContext): Promise<void> {
  const stored = new Map<readonly KeptPart[], Content>();
  for (const [at, parts] of tree.kept) {
    let content: Content | undefined = stored.get(parts);
    if (!content) {
      const writer = contentWriter(sink, cuts);
      for (const part of parts) {
        if (typeof part === 'number') await writer.hole(part);
        else if (part instanceof Uint8Array) await writer.write(part);
        else await pins.read(part, { pace, take: bytes => writer.write(bytes) });
      }
      content = await writer.finish();
      if (tree.again.isLinked(at)) stored.set(parts, content);
    }
    tree.again.setContent(at, content);
    tree.kept.delete(at);
    await pace.rest();
  }
}

export interface TreeListing extends RowSums {
  readonly listing: ListingRoot;
  /** The rows of the listing, for the next run; undefined when it is the base's, whose rows are remembered. */
  readonly rows: Iterable<Uint8Array> | undefined;
}

/**
 * Builds the listing of a tree. Where whole nodes of the base are as they were they are taken over without encoding an
 * entry; when all of it is, the listing is the base's own.
 */
export async function listTree(tree: Tree, { sink, cuts, pace }: FinishContext): Promise<TreeListing> {
  const { order, base } = tree;
  const work = encoding(tree);
  const { isExcluded } = tree;
  const remembering = { order, isExcluded, numbers: work.numbers };
  if (base && work.isRootKept && isWholeBase(tree, base, work.groups)) {
    const { listing, rootBody, isRemembered } = base;
    const rows = isRemembered ? undefined : rememberedRows({ ...remembering, rootBody });
    return { listing, rows, ...base.table.sums(0, base.table.count) };
  }
  const builder = new ListingBuilder(sink, cuts.nodes);
  const sums = { files: 0, folders: 0, bytes: 0 };
  let rootBody: Uint8Array | undefined;
  for (const run of order.runs()) {
    for (let at = run.from; at < run.to; ) {
      const mayBeKept = run.origin === origins.base && work.areOrdinalsKept && (at > 0 || work.isRootKept);
      const kept = mayBeKept ? base?.nodes.get(at) : undefined;
      const whole = kept?.find(
        ({ node, to }) =>
          to <= run.to && builder.canReuse(node) && areGroupsKept(run.table, at, { to, groups: work.groups }),
      );
      const end = whole?.to ?? at + 1;
      if (whole) {
        await builder.reuse({ ...whole.node, first: work.keyOf(run.table, at) });
        rootBody ??= base?.rootBody;
        work.enter(whole.node.key);
      } else {
        const entry = work.entryOf(run.table, at);
        rootBody ??= entry.body;
        const storing = builder.append(entry);
        if (storing) await storing;
      }
      run.table.addSums(sums, at, end);
      at = end;
      const resting = pace.rest();
      if (resting) await resting;
    }
  }
  const rows = rootBody && rememberedRows({ ...remembering, rootBody });
  return { listing: await builder.finish(), rows, ...sums };
}

/** True when the snapshot is the base's rows and no others, as the base lists them. */
function isWholeBase({ order }: Tree, { table, isWhole }: TreeBase, groups: LinkGroups): boolean {
  const [run, more] = [...order.runs()];
  if (!isWhole || !run || more || run.origin !== origins.base) return false;
  return run.to - run.from === table.count && areGroupsKept(table, 0, { to: table.count, groups });
}

/** True when names that were one file still are: the base's entries say so already. */
function areGroupsKept(
  table: EntryTable,
  from: number,
  { to, groups }: { to: number; groups: LinkGroups },
): boolean {
  let areKept = true;
  for (let at = from; at < to; at++) if (table.isLinked(at) && !groups.has(table, at)) areKept = false;
  return areKept;
}

/** Makes entries of rows in listing order. */
function encoding(tree: Tree) {
  const groups = new LinkGroups();
  const writePlain = plainBodyWriter();
  const { fileSystems, numbers } = tree.fileSystems.listed();
  const root = { fileSystems, owners: ownersOf(tree), rules: tree.rules };
  /** The folders above the next row, by depth. */
  const folders: BytePath[] = [];
  const pathOf = (table: EntryTable, at: number): BytePath => {
    const depth = table.depth(at);
    return depth <= 1 ? table.name(at) : (`${folders[depth - 1]}/${table.name(at)}` as BytePath);
  };
  const entryOf = (table: EntryTable, at: number): Entry => {
    const depth = table.depth(at);
    const path = pathOf(table, at);
    const kind = kindOf.get(table.mode(at) & kindMask)!;
    if (kind === 'folder') folders[depth] = path;
    const isPlain = depth > 0 && (kind === 'file' || kind === 'folder') && table.xattrs(at).length === 0;
    const body = isPlain ? plainBodyOf(table, at) : undefined;
    if (body) {
      const content = kind === 'file' ? table.contentOf(at) : undefined;
      return { key: keyOf(path, kind), body, contents: content ? [content] : [] };
    }
    const entry = homeEntryOf(table, at, { path, groups, numbers });
    return encodeHomeEntry(depth === 0 ? { ...entry, ...root } : entry);
  };
  /** Written over by each row: nearly all are plain. */
  const plain = emptyBody();
  const plainBodyOf = (table: EntryTable, at: number): Uint8Array | undefined => {
    const { mode, uid, gid, mtimeNs, ctimeNs, ino, fileSystem } = table.parts.columns;
    plain.kind = kindOf.get(mode[at]! & kindMask)!;
    plain.mode = mode[at]! & 0o7777;
    plain.uid = uid[at]!;
    plain.gid = gid[at]!;
    plain.mtimeNs = mtimeNs[at]!;
    plain.ctimeNs = ctimeNs[at]!;
    plain.inode = ino[at]!;
    plain.fileSystem = numbers?.get(fileSystem[at]!) ?? fileSystem[at]!;
    plain.unsettled = table.isUnsettled(at);
    plain.linked = groups.has(table, at);
    return writePlain(plain);
  };
  const [top] = tree.order.runs();
  return {
    groups,
    numbers,
    entryOf,
    keyOf: (table: EntryTable, at: number): Uint8Array =>
      keyOf(pathOf(table, at), kindOf.get(table.mode(at) & kindMask)!),
    /** True when entries of the base would be encoded as they were. */
    areOrdinalsKept: numbers === undefined,
    /** True when the root folder's entry, which says more than the others, would be the base's too. */
    isRootKept:
      tree.base !== undefined &&
      top?.origin === origins.base &&
      Buffer.compare(entryOf(top.table, top.from).body, tree.base.rootBody) === 0,
    /** Goes on after the entry with this key. */
    enter(key: Uint8Array): void {
      const names = bytePath(key).split('/').slice(1, -1);
      for (const [i, name] of names.entries())
        folders[i + 1] = (i === 0 ? name : `${folders[i]}/${name}`) as BytePath;
    },
  };
}

function ownersOf({ order }: Tree): OwnerNames {
  const uids = new Set<number>();
  const gids = new Set<number>();
  for (const { table, from, to } of order.runs()) {
    for (let at = from; at < to; at++) {
      // neighbours mostly have one owner
      if (at === from || table.uid(at) !== table.uid(at - 1)) uids.add(table.uid(at));
      if (at === from || table.gid(at) !== table.gid(at - 1)) gids.add(table.gid(at));
    }
  }
  return ownerNames({ uids, gids });
}

const kindOf = new Map<number, EntryKind>([
  [kinds.file, 'file'],
  [kinds.folder, 'folder'],
  [kinds.link, 'link'],
  [kinds.fifo, 'fifo'],
  [kinds.characterDevice, 'characterDevice'],
  [kinds.blockDevice, 'blockDevice'],
]);

interface EntryContext {
  readonly path: BytePath;
  readonly groups: LinkGroups;
  readonly numbers: ReadonlyMap<number, number> | undefined;
}

function homeEntryOf(table: EntryTable, at: number, { path, groups, numbers }: EntryContext): HomeEntry {
  const kind = kindOf.get(table.mode(at) & kindMask)!;
  const { mtimeNs, ctimeNs, ino } = table.state(at);
  const device = table.device(at);
  return {
    path,
    kind,
    mode: table.mode(at) & 0o7777,
    uid: table.uid(at),
    gid: table.gid(at),
    mtimeNs,
    ctimeNs,
    inode: ino,
    fileSystem: numbers?.get(table.fileSystem(at)) ?? table.fileSystem(at),
    xattrs: table.xattrs(at),
    unsettled: table.isUnsettled(at),
    linked: groups.has(table, at),
    target: kind === 'link' ? table.target(at) : undefined,
    device: device === undefined ? undefined : { major: major(device), minor: minor(device) },
    content: kind === 'file' ? table.contentOf(at) : undefined,
  };
}
