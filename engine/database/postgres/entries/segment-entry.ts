import { type Content, decodeCbor, type Entry, encodeCbor } from '../../../../store/index.ts';
import { type RowDigest, sumBytes, sumFrom } from '../../digest.ts';
import { damaged, encodeFields, FieldReader, type FieldTable } from '../../fields.ts';
import { keyPrefix, nameFrom, type RelationName } from './entry-parts.ts';

/** What changed in a segment since an earlier state of it. */
export interface SegmentDelta {
  /** Of the state that the delta is against; rows with an older xmin are in that state or an earlier delta. */
  readonly baseXmin: bigint;
  /** Blocks that it touched: so many records has `live`. */
  readonly blocks: number;
  readonly rowCount: number;
  readonly rows: Content;
  readonly ctids: Content;
  readonly live: Content;
}

/** Rows of one block range of a table. */
export interface SegmentEntry extends RelationName {
  readonly first: number;
  /** That it stands for; the heap may end before. */
  readonly blocks: number;
  /** The first ones, whose rows are in the base: the heap has grown since, or the same number. */
  readonly baseBlocks: number;
  /** Of the rows that it stands for: those of the base and the deltas that are still live. */
  readonly digest: RowDigest;
  readonly rows: Content;
  readonly ctids: Content;
  /** Oldest first. */
  readonly deltas: readonly SegmentDelta[];
}

export function segmentKey(segment: RelationName & { readonly first: number }): Uint8Array {
  const first = Buffer.alloc(4);
  first.writeUInt32BE(segment.first); // big-endian, so that keys sort by block
  return Buffer.concat([keyPrefix('segment', segment), first]);
}

const segmentFields: FieldTable<'blocks' | 'rowCount' | 'digest' | 'deltas' | 'baseBlocks'> = {
  blocks: 0,
  rowCount: 1,
  digest: 2,
  deltas: 3,
  baseBlocks: 4,
};
const deltaFields: FieldTable<'baseXmin' | 'blocks' | 'rowCount'> = { baseXmin: 0, blocks: 1, rowCount: 2 };

export function encodeSegment(segment: SegmentEntry): Entry {
  return {
    key: segmentKey(segment),
    body: encodeCbor(
      encodeFields(segmentFields, {
        blocks: segment.blocks,
        rowCount: segment.digest.rows,
        digest: sumBytes(segment.digest.sum),
        deltas: segment.deltas.map(delta =>
          encodeFields(deltaFields, {
            baseXmin: delta.baseXmin,
            blocks: delta.blocks,
            rowCount: delta.rowCount,
          }),
        ),
        baseBlocks: segment.baseBlocks === segment.blocks ? null : segment.baseBlocks,
      }),
    ),
    contents: [
      segment.rows,
      segment.ctids,
      ...segment.deltas.flatMap(one => [one.rows, one.ctids, one.live]),
    ],
  };
}

/** Twice of what a backup makes: whoever restores holds the places of a segment's rows in memory. */
const segmentBlocksMax = 2_048;
const segmentDeltasMax = 32;

export function decodeSegment(entry: Entry): SegmentEntry {
  const at = entry.key.length - 4;
  const name = nameFrom(entry.key.subarray(1, Math.max(1, at)));
  const what = `segment of ${name.schema}.${name.name}`;
  const fields = new FieldReader(segmentFields, decodeCbor(entry.body, { what }), what);
  const [rows, ctids, ...rest] = entry.contents;
  const deltas = fields.list('deltas');
  if (!rows || !ctids || rest.length !== 3 * deltas.length) throw damaged(what, 'contents do not match');
  if (deltas.length > segmentDeltasMax) throw damaged(what, `${deltas.length} deltas`);
  const first = new DataView(entry.key.buffer, entry.key.byteOffset + at, 4).getUint32(0);
  const blocks = fields.number('blocks');
  if (blocks > segmentBlocksMax || first + blocks > 2 ** 32)
    throw damaged(what, `${blocks} blocks from ${first} on`);
  const baseBlocks = fields.numberOrNull('baseBlocks') ?? blocks;
  if (baseBlocks > blocks) throw damaged(what, 'its base is longer than itself');
  return {
    ...name,
    first,
    blocks,
    baseBlocks,
    digest: { rows: fields.number('rowCount'), sum: sumFrom(fields.bytes('digest'), what) },
    rows,
    ctids,
    deltas: deltas.map((value, i) => {
      const delta = new FieldReader(deltaFields, value, what);
      return {
        baseXmin: delta.bigint('baseXmin'),
        blocks: delta.number('blocks'),
        rowCount: delta.number('rowCount'),
        rows: rest[3 * i]!,
        ctids: rest[3 * i + 1]!,
        live: rest[3 * i + 2]!,
      };
    }),
  };
}
