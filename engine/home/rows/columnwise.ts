import { type Content, hex } from '../../../store/index.ts';
import { type BytePath, join } from '../paths.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { allMarks, mayBeRepository, repositoryMarks } from '../rules/git-places.ts';
import { kindMask, kinds } from '../system/stat.ts';
import { ArenaBlocks, contentTag, idBytes, XattrSets } from './arena.ts';
import { LinkGroups } from './links.ts';
import type { RememberedContent, RememberedFacts } from './remembered-form.ts';
import type { RowSequence } from './sequence.ts';
import {
  type ColumnName,
  type Columns,
  columnKinds,
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

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What is made anew of rows that lie in several tables, a column at a time, in the order in which `rememberedRows` asks. */
export class Columnwise {
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
    const out = new ArenaBlocks();
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
    const out = new ArenaBlocks();
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
