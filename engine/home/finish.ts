import type { Cuts } from '../../chunker/index.ts';
import { type ChunkSink, type Content, ListingBuilder, type ListingRoot } from '../../store/index.ts';
import { contentWriter } from '../ingest/index.ts';
import { major, minor } from './device.ts';
import { type EntryKind, encodeHomeEntry, type HomeEntry } from './entry.ts';
import { LinkGroups } from './links.ts';
import { ownerNames } from './owners.ts';
import type { Pace } from './pace.ts';
import type { BytePath } from './paths.ts';
import { kindMask, kinds } from './stat.ts';
import type { EntryTable } from './table.ts';
import type { KeptPart, Tree } from './tree.ts';

interface FinishContext {
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly pace: Pace;
}

/** Stores what the window kept in memory, and frees it. A file with several names is stored once. */
export async function storeKept(tree: Tree, { sink, cuts, pace }: FinishContext): Promise<void> {
  const stored = new Map<readonly KeptPart[], Content>();
  for (const [at, parts] of tree.kept) {
    let content: Content | undefined = stored.get(parts);
    if (!content) {
      const writer = contentWriter(sink, cuts);
      for (const part of parts) await (typeof part === 'number' ? writer.hole(part) : writer.write(part));
      content = await writer.finish();
      if (tree.again.isLinked(at)) stored.set(parts, content);
    }
    tree.again.setContent(at, content);
    tree.kept.delete(at);
    await pace.rest();
  }
}

export interface TreeListing {
  readonly listing: ListingRoot;
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
}

/** Builds the listing of a tree: every row of the snapshot in order. */
export async function listTree(tree: Tree, { sink, cuts, pace }: FinishContext): Promise<TreeListing> {
  const builder = new ListingBuilder(sink, cuts.nodes);
  const groups = new LinkGroups();
  const folders: BytePath[] = [];
  const counts = { files: 0, folders: 0, bytes: 0 };
  let isTop = true;
  for (const { table, at } of rowsOf(tree)) {
    const depth = table.depth(at);
    const path = depth <= 1 ? table.name(at) : (`${folders[depth - 1]}/${table.name(at)}` as BytePath);
    const entry = entryOf(table, at, { path, groups });
    if (entry.kind === 'folder') folders[depth] = path;
    counts[entry.kind === 'folder' ? 'folders' : 'files']++;
    counts.bytes += entry.content?.length ?? 0;
    await builder.add(encodeHomeEntry(isTop ? { ...entry, ...rootFacts(tree) } : entry));
    isTop = false;
    const resting = pace.rest();
    if (resting) await resting;
  }
  return { listing: await builder.finish(), ...counts };
}

function* rowsOf({ order, first, again }: Tree): Generator<{ table: EntryTable; at: number }> {
  for (const run of order.runs) {
    const table = run.again ? again : first;
    for (let at = run.from; at < run.to; at++) yield { table, at };
  }
}

function rootFacts(tree: Tree): Pick<HomeEntry, 'fileSystems' | 'owners'> {
  const uids = new Set<number>();
  const gids = new Set<number>();
  for (const { table, at } of rowsOf(tree)) {
    uids.add(table.uid(at));
    gids.add(table.gid(at));
  }
  return {
    fileSystems: tree.fileSystems.all.map(({ type, id }) => ({ type, id })),
    owners: ownerNames({ uids, gids }),
  };
}

const kindOf = new Map<number, EntryKind>([
  [kinds.file, 'file'],
  [kinds.folder, 'folder'],
  [kinds.link, 'link'],
  [kinds.fifo, 'fifo'],
  [kinds.characterDevice, 'characterDevice'],
  [kinds.blockDevice, 'blockDevice'],
]);

function entryOf(
  table: EntryTable,
  at: number,
  { path, groups }: { path: BytePath; groups: LinkGroups },
): HomeEntry {
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
    fileSystem: table.fileSystem(at),
    xattrs: table.xattrs(at),
    unsettled: table.isUnsettled(at),
    linked: groups.has(table, at),
    target: kind === 'link' ? table.target(at) : undefined,
    device: device === undefined ? undefined : { major: major(device), minor: minor(device) },
    content: kind === 'file' ? table.contentOf(at) : undefined,
  };
}
