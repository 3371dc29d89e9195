import type { ChunkSource } from '../../../../store/index.ts';
import { contentBytes } from '../../../ingest/index.ts';
import type { Connection } from '../connect/connection.ts';
import { encodeSegment, type SegmentEntry } from '../entries/segment-entry.ts';
import { decodeLive, liveRecordBytes } from '../rows/ctids.ts';
import type { SegmentMap } from '../rows/segment-map.ts';
import { orDamaged, type SegmentMemory, type StoredSegment } from '../rows/segment-memory.ts';
import { type CopiedSegment, copySegment, type ReadRows, type SegmentRange } from './copy.ts';
import { applyDelta, readDelta } from './segment-delta.ts';
import { countFresh, type Signature } from './signature.ts';

/** A segment as of an earlier view. */
export interface KnownSegment extends StoredSegment {
  /** Live rows of each block, where they are at hand. */
  readonly counts?: Uint16Array | undefined;
  /** Rows of it were read from the server in this run. */
  readonly isRead: boolean;
}

/** What is the same for all segments of a table. */
export interface AdvanceTask extends ReadRows {
  readonly memory: SegmentMemory;
  readonly source: ChunkSource;
  /** Transaction ids that the view knows are below it. */
  readonly xmax: bigint;
  /** From which on rows are newer than the state that is advanced. */
  readonly threshold: bigint;
}

const deltasMax = 16;
/** So many of a segment's rows may be in deltas; past it the segment is copied. */
const deltaShareMax = 0.25;
/** A chain that grew past the share is joined only where that makes it half as large: else it would be joined each time. */
const joinedShareMax = 0.125;
/** So many rows may be stored for each one that is live: a restore reads them all. */
const storedPerLiveMax = 1.5;
/** A segment of this size is copied: its delta would take as much room, and each costs a read. */
const smallSegmentBytes = 8 * 1024;
/** Transaction ids go round after 2³²; half of them count as older. Some are used while we read. */
const transactionsMax = 2n ** 31n - 100_000_000n;

/** Fewer transaction ids have been used since than can be told apart. */
export function isInReach(threshold: bigint, xmax: bigint): boolean {
  return xmax - threshold < transactionsMax;
}

/** Reads what changed in a segment since its state. `signature` is of its blocks as far as the heap has them now. */
export async function advanceSegment(
  connection: Connection,
  task: AdvanceTask & {
    readonly state: KnownSegment;
    readonly range: SegmentRange;
    readonly signature: Signature;
  },
): Promise<KnownSegment> {
  const { state, memory, range } = task;
  const { segment } = state;
  const counts = state.counts ?? (await memory.counts(state));
  if (!counts) return copyAgain(connection, task);
  const dirty = changedBlocks(segment, counts, task);
  if (dirty.length === 0) {
    await memory.keep(state);
    return { ...state, counts };
  }
  const map = segment.rows.length > smallSegmentBytes ? await memory.map(state) : undefined;
  const plan = map && (await planDelta(connection, { ...task, dirty, map }));
  if (!map || !plan) return copyAgain(connection, task);
  const read = await readDelta(connection, { ...task, ...plan });
  const blocks = Math.max(segment.blocks, range.blocks);
  const applied = applyDelta(map, read, { first: segment.first, blocks });
  if (!applied || !agrees(applied.map, task)) return copyAgain(connection, task);
  const deltas = plan.isJoined ? [read.delta] : [...segment.deltas, read.delta];
  const advanced = { ...segment, blocks, digest: applied.digest, deltas };
  const entry = encodeSegment(advanced);
  memory.remember(entry, applied.map);
  return { entry, segment: advanced, counts: applied.map.counts, isRead: true };
}

/** Reads and stores a segment that has no state, or one that is of no use. */
export async function copyAgain(
  connection: Connection,
  task: ReadRows & {
    readonly memory: SegmentMemory;
    readonly range: SegmentRange;
    readonly sql?: string | undefined;
  },
): Promise<KnownSegment> {
  const copied: CopiedSegment = await copySegment(connection, task);
  const { map, first, blocks, rows, ctids, digest } = copied;
  const { schema, name } = task.relation;
  const segment = { schema, name, first, blocks, baseBlocks: blocks, rows, ctids, digest, deltas: [] };
  const entry = encodeSegment(segment);
  if (map) task.memory.remember(entry, map);
  return { entry, segment, counts: map?.counts, isRead: true };
}

/** Blocks whose rows are not those of the state, ascending. Those past the end of the heap have none. */
export function changedBlocks(
  segment: Pick<SegmentEntry, 'first' | 'blocks'>,
  counts: Uint16Array,
  now: { readonly range: SegmentRange; readonly signature: Signature },
): number[] {
  const { signature, range } = now;
  const dirty: number[] = [];
  for (let i = 0; i < Math.max(segment.blocks, range.blocks); i += 1) {
    const block = segment.first + i;
    const live = i < range.blocks ? (signature.counts[block - signature.first] ?? 0) : 0;
    if (live !== (counts[i] ?? 0) || (i < range.blocks && signature.fresh.has(block))) dirty.push(block);
  }
  return dirty;
}

interface DeltaPlan {
  readonly blocks: readonly number[];
  readonly threshold: bigint;
  /** It stands for the whole chain. */
  readonly isJoined: boolean;
}

/** How to say the change: one more delta, one for all of them, or (undefined) not by a delta. */
async function planDelta(
  connection: Connection,
  task: AdvanceTask & {
    readonly state: StoredSegment;
    readonly range: SegmentRange;
    readonly signature: Signature;
    readonly dirty: readonly number[];
    readonly map: SegmentMap;
  },
): Promise<DeltaPlan | undefined> {
  const { signature, dirty, map, threshold } = task;
  const { deltas, rows } = task.state.segment;
  const live = liveRows(task);
  const inDeltas = deltas.reduce((sum, one) => sum + one.rowCount, 0);
  const fresh = dirty.reduce((sum, block) => sum + (signature.fresh.get(block) ?? 0), 0);
  const fits = (added: number, share: number): boolean =>
    added <= share * live && map.baseRows + added <= storedPerLiveMax * live;
  if (!fits(fresh, deltaShareMax)) return undefined;
  const isHeavy =
    2 * deltas.reduce((sum, one) => sum + one.rows.length, 0) > rows.length ||
    !fits(inDeltas + fresh, deltaShareMax);
  if (!isHeavy && deltas.length < deltasMax) return { blocks: dirty, threshold, isJoined: false };
  const oldest = deltas[0];
  if (!oldest || !isInReach(oldest.baseXmin, task.xmax)) return undefined;
  const touched = await orDamaged(() => touchedBlocks(task));
  if (!touched) return undefined;
  const blocks = [...new Set([...touched, ...dirty])].sort((a, b) => a - b);
  const plan = { blocks, threshold: oldest.baseXmin, isJoined: true };
  const joined = await countFresh(connection, { relation: task.relation, ...plan });
  return fits(joined, isHeavy ? joinedShareMax : deltaShareMax) ? plan : undefined;
}

function liveRows({ signature, range }: { signature: Signature; range: SegmentRange }): number {
  const from = range.first - signature.first;
  return signature.counts.subarray(from, from + range.blocks).reduce((sum, count) => sum + count, 0);
}

async function touchedBlocks(task: AdvanceTask & { readonly state: StoredSegment }): Promise<number[]> {
  const blocks: number[] = [];
  const { segment } = task.state;
  for (const delta of segment.deltas) {
    const live = await contentBytes(task.source, delta.live, { bytesMax: segment.blocks * liveRecordBytes });
    for (const { block } of decodeLive(live)) blocks.push(block);
  }
  return blocks;
}

/** The map has in every block as many rows as the server counted. */
function agrees(
  map: SegmentMap,
  now: { readonly range: SegmentRange; readonly signature: Signature },
): boolean {
  const { range, signature } = now;
  return map.counts.every((count, i) => {
    const live = i < range.blocks ? signature.counts[range.first + i - signature.first] : 0;
    return count === live;
  });
}
