import type { Cuts } from '../../chunker/index.ts';
import { type ChunkSink, type Content, inlineBytesMax } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { contentWriter } from '../ingest/index.ts';
import type { ClockWatch } from './look.ts';
import type { Pace } from './pace.ts';
import { type BytePath, shown } from './paths.ts';
import { codeOf, type FileReader, type Receiver, takeFile } from './read.ts';
import { isFile, isFolder, type Stats } from './stat.ts';
import type { EntryTable } from './table.ts';
import { inlineContent, rowOf, type Tools, type Tree } from './tree.ts';
import { type Found, walk } from './walk.ts';

/** What both looks at a tree work with. */
export interface LookContext {
  readonly tools: Tools;
  readonly reader: FileReader;
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly pace: Pace;
  readonly watch: ClockWatch;
  readonly report: Report;
  readonly onTaken: (bytes: number) => void;
}

/** What a run collects for the person who reads its end. */
export interface Report {
  excluded: number;
  readonly sockets: Set<BytePath>;
  readonly gitLeftOvers: Set<BytePath>;
  /** Files that came or went while the application ran: expected. */
  vanishedLive: number;
  readonly unreadable: string[];
  readonly notes: Set<string>;
}

export const makeReport = (): Report => ({
  excluded: 0,
  sockets: new Set(),
  gitLeftOvers: new Set(),
  vanishedLive: 0,
  unreadable: [],
  notes: new Set(),
});

const liveTries = 2;

/** Reads and stores every file of a tree while the application may write to it. What it cannot read is left to the window. */
export async function prescanTree(tree: Tree, context: LookContext): Promise<void> {
  const { tools, pace, report, watch } = context;
  const { first, root, isExcluded } = tree;
  const names = new LinkedNames();
  const folders: number[] = [];
  for (const event of walk({ root, isExcluded, stat: tools.stat })) {
    switch (event.kind) {
      case 'found': {
        const row = rowOf(event.entry, { tree, tools, onNote: note => report.notes.add(note) });
        const at = first.add(row);
        if (row.broken) first.setUntaken(at);
        if (isFolder(row.stats)) folders.push(at);
        else if (isFile(row.stats)) await takeLive({ found: event.entry, at, names, table: first }, context);
        break;
      }
      case 'leave':
        first.endFolder(folders.pop()!);
        break;
      case 'left-out':
        noteLeftOut(report, event);
        break;
      case 'vanished':
        if (event.path === root) throw rootVanished(root);
        report.vanishedLive++;
        break;
      case 'unreadable': {
        if (event.path === root) throw rootUnreadable(root, event.error);
        // the window asks again; until then nothing may be taken for known about this folder
        const folder = folders.at(-1);
        if (folder !== undefined) first.setUntaken(folder);
        break;
      }
      case 'same':
        break;
      default:
        event satisfies never;
    }
    const resting = pace.rest();
    if (resting) {
      await resting;
      watch.check();
    }
  }
}

async function takeLive(
  { found, at, names, table }: { found: Found; at: number; names: LinkedNames; table: EntryTable },
  context: LookContext,
): Promise<void> {
  const other = names.other(found.stats, { table, at });
  if (other !== undefined) {
    table.setXattrs(at, table.xattrs(other));
    table.shareContent(at, other);
    return;
  }
  const taken = await takeFile(found.path, context.reader, {
    tries: liveTries,
    receive: stats => storing(stats, context),
  });
  if (taken.kind !== 'taken') {
    table.setUntaken(at);
    return;
  }
  table.setStats(at, taken.stats);
  table.setXattrs(at, taken.xattrs);
  table.setContent(at, taken.received);
  if (!taken.steady) table.setUntaken(at);
  context.onTaken(taken.received.length);
}

/** Stores a file's bytes as they come. */
export function storing(
  { size }: Stats,
  { sink, cuts }: Pick<LookContext, 'sink' | 'cuts'>,
): Receiver<Content> {
  // one read and at most one chunk: nothing to cut, so no buffer to fill
  if (size <= cuts.data.minBytes) return storingWhole({ size, sink, cuts });
  const writer = contentWriter(sink, cuts);
  return {
    bytes: bytes => writer.write(bytes),
    hole: length => writer.hole(length),
    finish: () => writer.finish(),
  };
}

function storingWhole({
  size,
  sink,
  cuts,
}: {
  size: number;
  sink: ChunkSink;
  cuts: Cuts;
}): Receiver<Content> {
  let content = inlineContent(new Uint8Array(0));
  let writer: ReturnType<typeof contentWriter> | undefined;
  return {
    bytes(bytes) {
      if (writer) return writer.write(bytes);
      if (bytes.length < size || content.length > 0) {
        writer = contentWriter(sink, cuts); // in pieces: holes, or shortened meanwhile
        return writer.write(bytes);
      }
      if (size <= inlineBytesMax) {
        content = inlineContent(bytes);
        return undefined;
      }
      return sink.put(bytes, 'data').then(id => {
        content = { length: size, extents: [{ kind: 'chunk', id, offset: 0, length: size }] };
      });
    },
    hole(length) {
      writer ??= contentWriter(sink, cuts);
      return writer.hole(length);
    },
    finish: () => (writer ? writer.finish() : content),
  };
}

/** Files with several names, so that each is read once a look. */
export class LinkedNames {
  #rows = new Map<string, number>();

  /** A row of the same file that was taken already and has not changed since. Remembers this one otherwise. */
  other(
    stats: Stats,
    { table, at, kept }: { table: EntryTable; at: number; kept?: ReadonlyMap<number, unknown> },
  ): number | undefined {
    if (stats.nlink < 2) return undefined;
    const key = `${table.fileSystem(at)}:${stats.ino}`;
    const known = this.#rows.get(key);
    if (known === undefined) {
      this.#rows.set(key, at);
      return undefined;
    }
    const state = table.state(known);
    const same =
      state.mtimeNs === stats.mtimeNs && state.ctimeNs === stats.ctimeNs && state.size === stats.size;
    const isTaken = !table.isUntaken(known) && (kept?.has(known) || table.contentOf(known) !== undefined);
    return same && isTaken ? known : undefined;
  }
}

export const rootVanished = (root: BytePath): Error =>
  engineError('HOME_UNREADABLE', `Cannot read home ${shown(root)}: it vanished during the run`, {
    remedy: 'Check that its volume is still mounted, and run again.',
  });

export const rootUnreadable = (root: BytePath, error: unknown): Error =>
  engineError('HOME_UNREADABLE', `Cannot read home ${shown(root)}: ${codeOf(error) ?? 'unknown'}`, {
    remedy: 'Run as a user who may read it, best as the one who runs the application, or as root.',
    cause: error,
  });

export function noteLeftOut(
  report: Report,
  { path, why }: { path: BytePath; why: 'excluded' | 'socket' | 'git' },
): void {
  if (why === 'excluded') report.excluded++;
  else (why === 'socket' ? report.sockets : report.gitLeftOvers).add(path);
}

export const sentence = (path: BytePath, what: string): string => `${shown(path)}: ${what}`;
