import { closeSync, constants, openSync } from 'node:fs';
import { arenaBlockShift, type EntryTable, type RowSequence } from '../rows/index.ts';
import { type GitPlace, isObjectFolder, placeBelow } from '../rules/git-places.ts';
import { anyFolder, pathMax, type Statx } from '../system/libc.ts';
import { kindMask, kinds, pathOnly } from '../system/stat.ts';
import type { SteadyRules } from './judge.ts';
import { type RawColumns, rawColumnsOf, word } from './raw-columns.ts';
import { half, isBefore, isTime } from './raw-times.ts';

interface PassOptions {
  readonly rows: RowSequence;
  /** By position: 1 where a row is as it was. */
  readonly marks: Uint8Array;
  readonly rules: SteadyRules;
  readonly statx: Statx;
}

/** A descriptor shortens the way to everything below a folder; it must be used so often to be worth its two calls. */
const rowsPerDescriptor = 48;
const descriptorsMax = 64;

/** A folder on the way to the row that is looked at. */
interface Above {
  /** Length of its path with the slash. */
  length: number;
  fd: number;
  /** The path as it is asked for from that descriptor: a view of the whole one. */
  path: Uint8Array;
  owns: boolean;
  /** There is nothing to be asked below it. */
  isGone: boolean;
  isSteady: boolean;
  place: GitPlace;
  /** Its files are Git's objects, and it is as it was. */
  holdsObjects: boolean;
}

const newAbove = (): Above => ({
  length: 0,
  fd: anyFolder,
  path: new Uint8Array(),
  owns: false,
  isGone: true,
  isSteady: false,
  place: 'none',
  holdsObjects: false,
});

/** Asks about rows of an earlier look, a folder before what is in it, and marks those that are as they were. */
export class SteadyPass {
  readonly #rows: RowSequence;
  readonly #marks: Uint8Array;
  readonly #rules: SteadyRules;
  readonly #statx: Statx;
  readonly #path = Buffer.allocUnsafeSlow(pathMax + 1);
  /** By depth. */
  readonly #above: Above[] = [newAbove()];
  /** The deepest folder that is entered. */
  #depth = -1;
  readonly #columns = new Map<EntryTable, RawColumns>();

  constructor({ rows, marks, rules, statx }: PassOptions) {
    this.#rows = rows;
    this.#marks = marks;
    this.#rules = rules;
    this.#statx = statx;
  }

  /** Goes to a place whose folders have these positions, outermost first. Asks about them again, for this place alone. */
  enter(folders: Iterable<number>): void {
    this.close();
    for (const position of folders)
      for (const { table, from } of this.#rows.runs(position, position + 1))
        this.#look(table, this.#columnsOf(table), { at: from, position, isMarked: false });
  }

  /** The rows from one up to and without another, which follow those that were looked at last. */
  look(from: number, to: number): void {
    let position = from;
    for (const run of this.#rows.runs(from, to)) {
      const columns = this.#columnsOf(run.table);
      for (let at = run.from; at < run.to; at++, position++)
        this.#look(run.table, columns, { at, position, isMarked: true });
    }
  }

  close(): void {
    this.#leaveTo(-1);
  }

  #look(
    table: EntryTable,
    columns: RawColumns,
    { at, position, isMarked }: { at: number; position: number; isMarked: boolean },
  ): void {
    const depth = columns.depth[at]!;
    if (this.#depth >= depth) this.#leaveTo(depth - 1);
    const isFolder = (columns.mode[at]! & kindMask) === kinds.folder;
    const above = depth === 0 ? undefined : this.#above[depth - 1]!;
    // a folder that may have changed is listed, and then each of its files is asked about anyway
    if (above?.isGone || (above && !above.isSteady && !isFolder)) {
      if (isFolder) this.#enterGone(depth);
      return;
    }
    if (above?.holdsObjects && !isFolder) {
      if (isMarked && this.#isTrusted(table, columns, at)) this.#marks[position] = 1;
      return;
    }
    const to = above ? this.#write(columns, at, above.length) : this.#writeRoot();
    const isThere = to < pathMax && this.#statx.quick(above?.fd ?? anyFolder, above?.path ?? this.#path);
    const isSteady =
      isThere &&
      this.#isSame(table, columns, at) &&
      this.#isTrusted(table, columns, at) &&
      !(isFolder && this.#rules.doubtsFolders);
    if (isSteady && isMarked) this.#marks[position] = 1;
    if (!isFolder) return;
    const isStill = isThere && (this.#statx.words[word.mode]! & kindMask) === kinds.folder;
    if (!isStill) this.#enterGone(depth);
    else this.#enter(depth, { to, above, table, at, rows: table.endOf(at) - position - 1, isSteady });
  }

  #columnsOf(table: EntryTable): RawColumns {
    let columns = this.#columns.get(table);
    if (!columns) {
      columns = rawColumnsOf(table);
      this.#columns.set(table, columns);
    }
    return columns;
  }

  /** By what the row says of itself: whether an equal answer is a proof. */
  #isTrusted(table: EntryTable, { mtime, ctime, fileSystem }: RawColumns, at: number): boolean {
    const judge = this.#rules.judges[fileSystem[at]!];
    if (!judge || table.isUntaken(at)) return false;
    return isBefore(mtime, at, judge) && isBefore(ctime, at, judge);
  }

  #isSame(table: EntryTable, columns: RawColumns, at: number): boolean {
    const { words } = this.#statx;
    const { mode, size, mtime, ctime, ino, fileSystem } = columns;
    const kind = mode[at]! & kindMask;
    if ((words[word.mode]! & kindMask) !== kind) return false;
    if (words[word.ino] !== ino[2 * at] || words[word.ino + 1] !== ino[2 * at + 1]) return false;
    if (!isTime(words, word.mtime, mtime, at) || !isTime(words, word.ctime, ctime, at)) return false;
    if (kind === kinds.file && words[word.size]! + words[word.size + 1]! * half !== size[at]) return false;
    if (this.#rules.comparesLinks && kind !== kinds.folder && words[word.nlink]! > 1 !== table.isLinked(at))
      return false;
    const judge = this.#rules.judges[fileSystem[at]!];
    return judge !== undefined && words[word.major] === judge.major && words[word.minor] === judge.minor;
  }

  #writeRoot(): number {
    const length = this.#path.write(this.#rules.root, 0, 'latin1');
    this.#path[length] = 0;
    return length;
  }

  /** Puts a row's name behind the path of its folder, with the NUL; the path's length. */
  #write({ names, nameAt }: RawColumns, at: number, from: number): number {
    const position = nameAt[at]!;
    const block = names[position >>> arenaBlockShift]!;
    const start = (position & ((1 << arenaBlockShift) - 1)) + 2;
    const length = block[start - 2]! | (block[start - 1]! << 8);
    const path = this.#path;
    const to = from + length;
    if (to >= pathMax) return to;
    for (let i = 0; i < length; i++) path[from + i] = block[start + i]!;
    path[to] = 0;
    return to;
  }

  #enterGone(depth: number): void {
    const here = this.#slot(depth);
    here.isGone = true;
    here.owns = false;
  }

  #enter(
    depth: number,
    folder: {
      to: number;
      above: Above | undefined;
      table: EntryTable;
      at: number;
      rows: number;
      isSteady: boolean;
    },
  ): void {
    const { to, above, table, at, rows, isSteady } = folder;
    const here = this.#slot(depth);
    const fd = rows >= rowsPerDescriptor && depth < descriptorsMax ? this.#open(to) : undefined;
    const path = this.#path;
    here.length = path[to - 1] === slash ? to : to + 1;
    path[here.length - 1] = slash;
    here.fd = fd ?? above?.fd ?? anyFolder;
    here.path = fd !== undefined ? path.subarray(here.length) : (above?.path ?? path);
    here.owns = fd !== undefined;
    here.isGone = here.length >= pathMax;
    here.isSteady = isSteady;
    this.#place(here, { above, table, at });
  }

  #place(
    here: Above,
    { above, table, at }: { above: Above | undefined; table: EntryTable; at: number },
  ): void {
    here.holdsObjects = false;
    const own = table.place(at) === 'repository' ? 'repository' : 'none';
    if (!above || above.place === 'none') here.place = own;
    else {
      const name = table.name(at);
      const inherited = placeBelow(above.place, name);
      here.place = inherited === 'none' ? own : inherited;
      here.holdsObjects =
        this.#rules.trustsObjects &&
        here.isSteady &&
        here.place === 'objects' &&
        isObjectFolder(table.name(at)) &&
        this.#isObjects(table.depth(at) - 1);
    }
  }

  /** True for a repository's folder `objects` itself. */
  #isObjects(depth: number): boolean {
    return depth > 0 && this.#above[depth - 1]!.place === 'repository';
  }

  /** The folder whose path lies in the buffer, so long. */
  #open(length: number): number | undefined {
    try {
      const path = Buffer.from(this.#path.subarray(0, length));
      return openSync(path, pathOnly | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    } catch {
      return undefined; // the long way is one, too
    }
  }

  #slot(depth: number): Above {
    this.#depth = depth;
    let here = this.#above[depth];
    if (!here) {
      here = newAbove();
      this.#above[depth] = here;
    }
    return here;
  }

  #leaveTo(depth: number): void {
    while (this.#depth > depth) {
      const here = this.#above[this.#depth]!;
      if (here.owns) closeSync(here.fd);
      here.owns = false;
      this.#depth--;
    }
  }
}

const slash = 0x2f;
