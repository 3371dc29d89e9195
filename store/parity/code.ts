import { crc32 } from 'node:zlib';
import { copyBytes } from '../copy-bytes.ts';
import { addMultiple, invert, powerOfTwo } from './field.ts';
import { runningSums } from './sums.ts';

/** What is checked, and lost or whole, as one. */
export const blockBytes = 4096;
/** So many lost blocks of a stripe can be rebuilt. */
export const sumsPerStripe = 3;
/** At most this many blocks a stripe, so that parity takes 3.2 % of a large pack. */
const rowsMax = 96;
const checkBytes = 4;

/** What is kept beside a pack. */
export interface Parity {
  readonly packBytes: number;
  readonly stripes: number;
  /** CRC-32 of each block, u32. */
  readonly checks: Uint8Array;
  /** The three sums of all stripes. */
  readonly sums: Uint8Array;
}

/** Blocks of a pack in rows: block i is in row i / stripes, and belongs to stripe i mod stripes. */
interface Grid {
  readonly blocks: number;
  readonly rows: number;
  readonly stripes: number;
}

function gridOf({ packBytes, stripes }: Pick<Parity, 'packBytes' | 'stripes'>): Grid {
  const blocks = Math.ceil(packBytes / blockBytes);
  return { blocks, rows: Math.ceil(blocks / stripes), stripes };
}

/** Whether the columns belong to each other, and the field has an element for each row. */
export function isParity(parity: Parity): boolean {
  const { packBytes, stripes, checks, sums } = parity;
  if (packBytes < 1 || stripes < 1) return false;
  const { blocks, rows } = gridOf(parity);
  return (
    rows <= 255 &&
    checks.length === checkBytes * blocks &&
    sums.length === sumsPerStripe * stripes * blockBytes
  );
}

/** Of a pack that is given in parts. Does not let others run: 16 MiB take about 10 ms. */
export function parityOf(parts: readonly Uint8Array[]): Parity {
  const packBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const stripes = Math.ceil(packBytes / blockBytes / rowsMax);
  const { blocks, rows } = gridOf({ packBytes, stripes });
  const sums = runningSums();
  sums.begin(stripes * blockBytes);
  const { row } = sums;
  const checks = new Uint8Array(checkBytes * blocks);
  const bytes = reader(parts);
  for (let i = 0; i < rows; i++) {
    const read = bytes(row);
    setChecks(checks.subarray(checkBytes * stripes * i), row.subarray(0, read));
    if (read < row.length) row.fill(0, read);
    sums.add();
  }
  return { packBytes, stripes, checks, sums: sums.finish() };
}

/** Fills what it is given from the parts, in order; how much there was. */
function reader(parts: readonly Uint8Array[]): (target: Uint8Array) => number {
  let part = 0;
  let from = 0;
  return target => {
    let at = 0;
    while (at < target.length && part < parts.length) {
      const source = parts[part]!;
      const length = Math.min(target.length - at, source.length - from);
      copyBytes(source.subarray(from, from + length), target, at);
      at += length;
      from += length;
      if (from === source.length) {
        part += 1;
        from = 0;
      }
    }
    return at;
  };
}

function setChecks(checks: Uint8Array, bytes: Uint8Array): void {
  const view = new DataView(checks.buffer, checks.byteOffset);
  for (let at = 0, i = 0; at < bytes.length; at += blockBytes, i++)
    view.setUint32(checkBytes * i, crc32(bytes.subarray(at, at + blockBytes)), true);
}

/** Numbers of blocks that are not as they were. What the pack has too few of, is lost. */
export function damagedBlocks(parity: Parity, pack: Uint8Array): number[] {
  const { blocks } = gridOf(parity);
  const damaged: number[] = [];
  for (let block = 0; block < blocks; block++) if (!isWhole(parity, pack, block)) damaged.push(block);
  return damaged;
}

function isWhole({ packBytes, checks }: Parity, pack: Uint8Array, block: number): boolean {
  const end = Math.min(packBytes, (block + 1) * blockBytes);
  if (end > pack.length) return false;
  const view = new DataView(checks.buffer, checks.byteOffset);
  return crc32(pack.subarray(block * blockBytes, end)) === view.getUint32(checkBytes * block, true);
}

/** The first block that lies wholly in bytes of the pack from an offset, and is not as it was. */
export function disagreeingBlock(
  parity: Parity,
  { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
): number | undefined {
  const view = new DataView(parity.checks.buffer, parity.checks.byteOffset, parity.checks.byteLength);
  let block = Math.ceil(offset / blockBytes);
  for (let at = block * blockBytes - offset; at + blockBytes <= bytes.length; at += blockBytes, block++)
    if (crc32(bytes.subarray(at, at + blockBytes)) !== view.getUint32(checkBytes * block, true)) return block;
  return undefined;
}

export interface RebuiltPack {
  /** As long as it was; blocks that could not be rebuilt are as they were given. */
  readonly bytes: Uint8Array;
  /** Blocks that are whole again. */
  readonly rebuilt: number;
  /** Blocks that are not: of stripes that lost more than three. */
  readonly lost: readonly number[];
}

/** The pack as it was, as far as the parity suffices. What is rebuilt matches its check. */
export function rebuildPack(parity: Parity, pack: Uint8Array): RebuiltPack {
  const { packBytes, stripes } = parity;
  const damaged = damagedBlocks(parity, pack);
  const bytes = new Uint8Array(packBytes);
  bytes.set(pack.subarray(0, packBytes));
  const lost: number[] = [];
  for (const stripe of new Set(damaged.map(block => block % stripes))) {
    const blocks = damaged.filter(block => block % stripes === stripe);
    if (blocks.length <= sumsPerStripe) rebuildStripe(parity, bytes, blocks);
    lost.push(...blocks.filter(block => !isWhole(parity, bytes, block)));
  }
  return { bytes, rebuilt: damaged.length - lost.length, lost: lost.sort((a, b) => a - b) };
}

/** Exponents of 2 of the sums that are used for so many lost blocks: neighbours, so that every matrix can be inverted. */
const exponentsFor = [[], [0], [0, 1], [-1, 0, 1]] as const;

function rebuildStripe(parity: Parity, pack: Uint8Array, lost: readonly number[]): void {
  const { packBytes, stripes, sums } = parity;
  const { blocks, rows } = gridOf(parity);
  const stripe = lost[0]! % stripes;
  const exponents = exponentsFor[lost.length]!;
  const factor = (exponent: number, block: number) =>
    powerOfTwo(exponent * (rows - 1 - Math.floor(block / stripes)));
  // What the lost blocks add to each sum is what the others leave of it.
  const rests = exponents.map(exponent => {
    const at = ((exponent + 1) * stripes + stripe) * blockBytes;
    const rest = sums.slice(at, at + blockBytes);
    for (let block = stripe; block < blocks; block += stripes)
      if (!lost.includes(block)) addMultiple(rest, blockOf(pack, block), factor(exponent, block));
    return rest;
  });
  const inverted = invert(exponents.map(exponent => lost.map(block => factor(exponent, block))));
  for (const [i, block] of lost.entries()) {
    const rebuilt = new Uint8Array(blockBytes);
    for (const [j, rest] of rests.entries()) addMultiple(rebuilt, rest, inverted[i]![j]!);
    const at = block * blockBytes;
    pack.set(rebuilt.subarray(0, Math.min(blockBytes, packBytes - at)), at);
  }
}

function blockOf(pack: Uint8Array, block: number): Uint8Array {
  return pack.subarray(block * blockBytes, (block + 1) * blockBytes);
}
