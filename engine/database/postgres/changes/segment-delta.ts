import type { Content } from '../../../../store/index.ts';
import type { RowDigest } from '../../digest.ts';
import type { Connection } from '../connect/connection.ts';
import { actionOn, columnsOf, copyOutSql } from '../connect/copy-relation.ts';
import { copyOut } from '../connect/copy-stream.ts';
import type { SegmentDelta } from '../entries/segment-entry.ts';
import { encodeLive, type LiveBlock } from '../rows/ctids.ts';
import { digestOfMap, type SegmentMap } from '../rows/segment-map.ts';
import { qualified } from '../sql/quoting.ts';
import { type ReadRows, storeBytes, storeRows } from './copy.ts';
import { blockRangesSql, isFreshSql } from './signature.ts';

/** What changed in some blocks of a segment: read from the view, and stored. */
export interface ReadDelta {
  readonly delta: SegmentDelta;
  readonly live: readonly LiveBlock[];
  /** Low and high half of the hash of each row that came, by block · 512 + offset. */
  readonly fresh: ReadonlyMap<number, readonly [number, number]>;
}

const offsetsMax = 512;

/** Reads the live places of the blocks, and the rows among them that are not older than the threshold. */
export async function readDelta(
  connection: Connection,
  task: ReadRows & { readonly blocks: readonly number[]; readonly threshold: bigint },
): Promise<ReadDelta> {
  const { relation, encoding, target, blocks, threshold } = task;
  const from = `FROM ONLY ${qualified(relation)} t WHERE t.ctid >= u.a AND t.ctid < u.b`;
  const ranges = blockRangesSql(blocks);
  const live = await readLive(connection, {
    ...task,
    sql: copyOutSql(`SELECT x.* FROM ${ranges}, LATERAL (SELECT t.ctid ${from} OFFSET 0) x`, { encoding }),
  });
  const columns = ['t.ctid', ...columnsOf(relation)].join(', ');
  const fresh = new Map<number, readonly [number, number]>();
  const stored = await storeRows(connection, {
    ...task,
    sql: copyOutSql(
      `SELECT x.* FROM ${ranges}, LATERAL (SELECT ${columns} ${from} AND ${isFreshSql(threshold)} OFFSET 0) x`,
      { encoding },
    ),
    blocks,
    onRow: (low, high, block, offset) => fresh.set(block * offsetsMax + offset, [low, high]),
  });
  const contents: { ctids: Content; live: Content } = {
    ctids: await storeBytes(target, stored.places),
    live: await storeBytes(target, encodeLive(live)),
  };
  const delta = { baseXmin: threshold, blocks: blocks.length, rowCount: stored.digest.rows };
  return { delta: { ...delta, rows: stored.rows, ...contents }, live, fresh };
}

async function readLive(connection: Connection, task: ReadRows & { sql: string; blocks: readonly number[] }) {
  const offsets = new Map(task.blocks.map(block => [block, [] as number[]]));
  await copyOut(connection, {
    action: actionOn(task.relation),
    sql: task.sql,
    digestKey: task.target.digestKey,
    hasPlaces: true,
    onRow: (_low, _high, block, offset) => {
      const known = offsets.get(block);
      if (!known) throw new RangeError(`Cannot note a live row: block ${block} was not asked for`);
      known.push(offset);
    },
  });
  return [...offsets].map(([block, list]) => ({ block, offsets: list }));
}

/**
 * The map after the change: in the blocks read, every live place with the hash of its new row, else of its old one.
 * Undefined where a live row is neither: then what was known of the segment is not what it was.
 */
export function applyDelta(
  old: SegmentMap,
  read: ReadDelta,
  range: { readonly first: number; readonly blocks: number },
): { readonly map: SegmentMap; readonly digest: RowDigest } | undefined {
  const live = new Map(read.live.map(one => [one.block, one.offsets]));
  let rows = old.offsets.length;
  for (const { block, offsets } of read.live) rows += offsets.length - (old.counts[block - range.first] ?? 0);
  const counts = new Uint16Array(range.blocks);
  const offsets = new Uint16Array(rows);
  const hashes = new Uint32Array(2 * rows);
  let from = 0;
  let to = 0;
  let used = 0;
  for (let i = 0; i < range.blocks; i += 1) {
    const before = old.counts[i] ?? 0;
    const block = range.first + i;
    const now = live.get(block);
    if (!now) {
      counts[i] = before;
      offsets.set(old.offsets.subarray(from, from + before), to);
      hashes.set(old.hashes.subarray(2 * from, 2 * (from + before)), 2 * to);
      to += before;
    } else {
      counts[i] = now.length;
      let at = from;
      for (const offset of now) {
        while (at < from + before && old.offsets[at]! < offset) at += 1;
        const fresh = read.fresh.get(block * offsetsMax + offset);
        if (!fresh && !(at < from + before && old.offsets[at] === offset)) return undefined;
        if (fresh) used += 1;
        offsets[to] = offset;
        hashes[2 * to] = fresh ? fresh[0] : old.hashes[2 * at]!;
        hashes[2 * to + 1] = fresh ? fresh[1] : old.hashes[2 * at + 1]!;
        to += 1;
      }
    }
    from += before;
  }
  if (used !== read.fresh.size) return undefined;
  const map = { counts, offsets, hashes, baseRows: old.baseRows };
  return { map, digest: digestOfMap(map) };
}
