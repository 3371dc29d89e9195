import type { EntryTable } from '../rows/index.ts';

/** Columns as the pass asks for them: times and inodes in words of 4 bytes, the low one first. */
export interface RawColumns {
  readonly names: readonly Uint8Array[];
  readonly nameAt: Uint32Array;
  readonly mode: Uint16Array;
  readonly depth: Uint16Array;
  readonly fileSystem: Uint16Array;
  readonly size: Float64Array;
  readonly mtime: Uint32Array;
  readonly ctime: Uint32Array;
  readonly ino: Uint32Array;
}

export function rawColumnsOf(table: EntryTable): RawColumns {
  const { columns, names } = table.parts;
  const { mtimeNs, ctimeNs, ino } = columns;
  return {
    ...columns,
    names: names.blocks,
    mtime: words(mtimeNs),
    ctime: words(ctimeNs),
    ino: words(ino),
  };
}

const words = ({ buffer, byteOffset, length }: BigInt64Array | BigUint64Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length * 2);

/** Places of struct statx, in words of 4 bytes. */
export const word = {
  nlink: 4,
  mode: 7,
  ino: 8,
  size: 10,
  ctime: 24,
  mtime: 28,
  major: 34,
  minor: 35,
} as const;
