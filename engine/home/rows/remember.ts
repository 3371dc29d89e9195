import { type Content, hex } from '../../../store/index.ts';
import { type BytePath, join } from '../paths.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { repositoryMarks } from '../rules/git-places.ts';
import { kindMask, kinds } from '../system/stat.ts';
import { arenaBlockBytes, contentTag, idBytes, XattrSets } from './arena.ts';
import { LinkGroups } from './links.ts';
import type { RowSequence } from './sequence.ts';
import {
  type ColumnName,
  type Columns,
  columnKinds,
  columnNames,
  type EntryTable,
  flags,
  noDetail,
  places,
} from './table.ts';

export interface RememberOptions {
  readonly order: RowSequence;
  /** The file system of each ordinal as the listing has it; undefined: the same. */
  readonly numbers: ReadonlyMap<number, number> | undefined;
  readonly isExcluded: IsExcluded;
  /** The root folder's entry as it is stored. */
  readonly rootBody: Uint8Array;
}

/** What follows the columns, as JSON. Bytes are in hex. */
export interface RememberedFacts {
  readonly count: number;
  readonly rootBody: string;
  /** Where each column and arena lies: from, length in bytes. */
  readonly places: Readonly<Record<string, readonly [number, number]>>;
  readonly xattrs: readonly (readonly (readonly [string, string])[])[];
  readonly devices: readonly (readonly [number, string])[];
  readonly others: readonly RememberedContent[];
  /** The newest change of a settled row, by file system. */
  readonly newestNs: readonly (string | null)[];
}

export type RememberedContent =
  | { readonly length: number; readonly list: string }
  | {
      readonly length: number;
      readonly extents: readonly (number | string | readonly [string, number, number])[];
    };

/** A new form gets a new number: then the old one is not read. As a number of this machine, it also tells its byte order. */
export const rememberedForm = 0x53505201;
export const alignBytes = 8;

/**
 * The rows of a listing as `loadBase` would make them of it, in a form that need not be decoded: the columns one after the
 * other, then names and contents, then what is rare. One column is in memory at a time.
 */
export function* rememberedRows(options: RememberOptions): Generator<Uint8Array, void> {
  const { order } = options;
  const said: Record<string, readonly [number, number]> = {};
  let at = 0;
  const told = function* (name: string, pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
    const from = at;
    for (const piece of pieces) {
      at += piece.length;
      yield piece;
    }
    said[name] = [from, at - from];
    const rest = -at & (alignBytes - 1);
    if (rest > 0) yield new Uint8Array(rest);
    at += rest;
  };
  const written = new Columnwise(options);
  for (const name of columnNames) if (!made.has(name)) yield* told(name, [written.plain(name)]);
  yield* told('fileSystem', [written.fileSystems()]);
  yield* told('xattrSet', [written.xattrSets()]);
  yield* told('nlink', [written.links()]);
  yield* told('flags', [written.flagsAndEnds()]);
  yield* told('names', written.names());
  yield* told('nameAt', [written.nameAt()]);
  yield* told('contents', written.contents());
  yield* told('detail', [written.detail()]);
  const facts: RememberedFacts = {
    count: order.count,
    rootBody: hexOf(options.rootBody),
    places: said,
    ...written.rare(),
  };
  const text = Buffer.from(JSON.stringify(facts));
  yield text;
  const end = new Uint32Array([text.length, rememberedForm]);
  yield new Uint8Array(end.buffer);
}

const made: ReadonlySet<ColumnName> = new Set([
  'fileSystem',
  'xattrSet',
  'nlink',
  'flags',
  'nameAt',
  'detail',
]);
const allMarks = (1 << repositoryMarks.length) - 1;
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

class Columnwise {
  readonly #options: RememberOptions;
  readonly #count: number;
  readonly #detail: Uint32Array;
  readonly #xattrs = new XattrSets();
  readonly #others: Content[] = [];
  readonly #devices: [number, string][] = [];
  readonly #newest = new Map<number, bigint>();
  #nameAt = new Uint32Array();

  constructor(options: RememberOptions) {
    this.#options = options;
    this.#count = options.order.count;
    this.#detail = new Uint32Array(this.#count).fill(noDetail);
  }

  plain(name: ColumnName): Uint8Array {
    const column = new columnKinds[name](this.#count);
    let at = 0;
    for (const { table, from, to } of this.#options.order.runs()) {
      const source = table.parts.columns[name].subarray(from, to);
      (column as { set(from: unknown, at: number): void }).set(source, at);
      at += to - from;
    }
    return bytesIn(column);
  }

  fileSystems(): Uint8Array {
    const { numbers } = this.#options;
    return this.#column('fileSystem', ({ fileSystem, flags: marks, ctimeNs }, from) => {
      const ordinal = fileSystem[from]!;
      const number = numbers?.get(ordinal) ?? ordinal;
      if ((marks[from]! & flags.unsettled) === 0) {
        const changedNs = ctimeNs[from]!;
        const newest = this.#newest.get(number);
        if (newest === undefined || newest < changedNs) this.#newest.set(number, changedNs);
      }
      return number;
    });
  }

  xattrSets(): Uint8Array {
    return this.#column('xattrSet', ({ xattrSet }, from, table) =>
      xattrSet[from] === 0 ? 0 : this.#xattrs.idOf(table.xattrs(from)),
    );
  }

  links(): Uint8Array {
    const groups = new LinkGroups();
    return this.#column('nlink', ({ nlink }, from, table) =>
      nlink[from]! > 1 && groups.has(table, from) ? 2 : 1,
    );
  }

  /** Also finds where folders end, and what kind of folder each is. */
  flagsAndEnds(): Uint8Array {
    const { order } = this.#options;
    const out = new Uint8Array(this.#count);
    const open: { name: BytePath; at: number; marks: number }[] = [];
    const leaveTo = (depth: number, end: number): void => {
      while (open.length > depth) {
        const { at, marks } = open.at(-1)!;
        this.#detail[at] = end;
        if (marks === allMarks) out[at]! |= places.indexOf('repository') << flags.placeShift;
        else if (marks !== 0 && this.#mayBeRepository(open, marks)) out[at]! |= flags.untaken;
        open.pop();
      }
    };
    let at = 0;
    for (const { table, from, to } of order.runs()) {
      const { columns, names } = table.parts;
      for (let row = from; row < to; row++, at++) {
        const depth = columns.depth[row]!;
        if (open.length > depth) leaveTo(depth, at);
        if ((columns.flags[row]! & flags.unsettled) !== 0) out[at]! |= flags.untaken;
        const { bytes, from: start } = names.block(columns.nameAt[row]!);
        const length = bytes[start]!;
        const above = open.at(-1);
        if (above && (length === 4 || length === 7)) {
          const mark = repositoryMarks.indexOf(table.name(row) as (typeof repositoryMarks)[number]);
          if (mark >= 0) above.marks |= 1 << mark;
        }
        const kind = columns.mode[row]! & kindMask;
        if (kind === kinds.folder) open.push({ name: table.name(row), at, marks: 0 });
        else if (kind === kinds.characterDevice || kind === kinds.blockDevice)
          this.#devices.push([at, String(table.device(row))]);
      }
    }
    leaveTo(0, this.#count);
    return out;
  }

  *names(): Generator<Uint8Array, void> {
    const out = new Blocks();
    this.#nameAt = new Uint32Array(this.#count);
    let at = 0;
    for (const { table, from, to } of this.#options.order.runs()) {
      const { columns, names } = table.parts;
      const copied = (position: number): number => {
        const { bytes, from: start } = names.block(position);
        return out.add(bytes, start, 2 + bytes.readUInt16LE(start));
      };
      for (let row = from; row < to; row++, at++) {
        this.#nameAt[at] = copied(columns.nameAt[row]!);
        if ((columns.mode[row]! & kindMask) === kinds.link) this.#detail[at] = copied(columns.detail[row]!);
        const full = out.takeFull();
        if (full) yield full;
      }
    }
    yield out.rest();
  }

  nameAt(): Uint8Array {
    const bytes = bytesIn(this.#nameAt);
    this.#nameAt = new Uint32Array();
    return bytes;
  }

  *contents(): Generator<Uint8Array, void> {
    const out = new Blocks();
    const place = Buffer.alloc(5);
    place[0] = contentTag.other;
    let at = 0;
    for (const { table, from, to } of this.#options.order.runs()) {
      const { columns, contents } = table.parts;
      for (let row = from; row < to; row++, at++) {
        const position = columns.detail[row]!;
        if ((columns.mode[row]! & kindMask) !== kinds.file || position === noDetail) continue;
        const { bytes, from: start } = contents.block(position);
        const tag = bytes[start]!;
        if (tag === contentTag.other) {
          place.writeUInt32BE(this.#others.push(contents.get(position, columns.size[row]!)) - 1, 1);
          this.#detail[at] = out.add(place, 0, place.length);
        } else this.#detail[at] = out.add(bytes, start, 1 + (tag === contentTag.chunk ? idBytes : tag));
        const full = out.takeFull();
        if (full) yield full;
      }
    }
    yield out.rest();
  }

  detail(): Uint8Array {
    return bytesIn(this.#detail);
  }

  rare(): Pick<RememberedFacts, 'xattrs' | 'devices' | 'others' | 'newestNs'> {
    const newestNs: (string | null)[] = [];
    for (const [number, changedNs] of this.#newest) newestNs[number] = String(changedNs);
    return {
      xattrs: this.#xattrs.all.map(set => set.map(({ name, value }) => [name, value] as const)),
      devices: this.#devices,
      others: this.#others.map(rememberedContent),
      newestNs: Array.from(newestNs, changed => changed ?? null),
    };
  }

  /** True when rules hide from the listing whether a folder is a repository: then it must be listed again. */
  #mayBeRepository(open: readonly { name: BytePath }[], marks: number): boolean {
    const relative = open.slice(1).reduce((path, { name }) => join(path, name), '' as BytePath);
    return mayBeRepository(relative, { marks, isExcluded: this.#options.isExcluded });
  }

  #column<Name extends ColumnName>(
    name: Name,
    numberOf: (columns: Columns, row: number, table: EntryTable) => number,
  ): Uint8Array {
    const column = new columnKinds[name](this.#count) as Uint8Array | Uint16Array | Uint32Array;
    let at = 0;
    for (const { table, from, to } of this.#options.order.runs()) {
      const { columns } = table.parts;
      for (let row = from; row < to; row++, at++) column[at] = numberOf(columns, row, table);
    }
    return bytesIn(column);
  }
}

/** True when the names that were not listed are left out by the rules, so that a folder may hold all three. */
export function mayBeRepository(
  relative: BytePath,
  { marks, isExcluded }: { marks: number; isExcluded: IsExcluded },
): boolean {
  if (marks === 0 || marks === allMarks) return false;
  return repositoryMarks.every(
    (mark, place) =>
      (marks & (1 << place)) !== 0 || isExcluded(join(relative, mark as BytePath), mark !== 'HEAD'),
  );
}

function rememberedContent(content: Content): RememberedContent {
  const { length } = content;
  if ('list' in content) return { length, list: hex(content.list) };
  return {
    length,
    extents: content.extents.map(extent => {
      if (extent.kind === 'hole') return extent.length;
      if (extent.kind === 'inline') return hexOf(extent.bytes);
      return [hex(extent.id), extent.offset, extent.length] as const;
    }),
  };
}

const bytesIn = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Pieces one after the other in blocks, none across the end of one, as `ByteArena` has them. */
class Blocks {
  #block = Buffer.alloc(arenaBlockBytes);
  #used = 0;
  #before = 0;
  #full: Buffer | undefined;

  add(bytes: Buffer, from: number, length: number): number {
    if (this.#used + length > arenaBlockBytes) {
      this.#full = this.#block;
      this.#block = Buffer.alloc(arenaBlockBytes);
      this.#before += arenaBlockBytes;
      this.#used = 0;
    }
    const at = this.#used;
    for (let i = 0; i < length; i++) this.#block[at + i] = bytes[from + i]!;
    this.#used += length;
    return this.#before + at;
  }

  /** The block that the newest piece did not fit into. It is the caller's. */
  takeFull(): Buffer | undefined {
    const full = this.#full;
    this.#full = undefined;
    return full;
  }

  rest(): Uint8Array {
    return this.#block.subarray(0, this.#used);
  }
}
