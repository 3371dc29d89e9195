import type { ChunkIndex, ChunkPlace } from '../chunk-index/chunk-index.ts';
import type { LoadedIndex } from '../chunk-index/load.ts';
import type { ChunkClass } from '../content.ts';
import type { PackId } from '../ids.ts';
import type { PackRow } from '../pack/row.ts';
import type { Marked } from './mark.ts';

/** What is to become of the packs. Pure: looks at an index and a list, and decides. */
export interface PrunePlan {
  /** Nothing in them is needed. */
  readonly dead: readonly PackId[];
  /** What is needed of them is copied first. */
  readonly rewritten: readonly RewrittenPack[];
  /** In no part of the index, and nothing in them is needed. */
  readonly orphans: readonly PackId[];
  /** Swept before, and there again or still. */
  readonly leftovers: readonly PackId[];
  /** Packs that stay and that are not listed for certain. */
  readonly toList: readonly PackRow[];
  /** In packs that stay: what nobody needs. */
  readonly pending: PendingPlan;
}

/** Bytes that nobody needs and that stay, by what keeps them. */
export interface PendingPlan {
  /** In packs of sessions that are at work. */
  readonly atWorkBytes: number;
  /** In packs that are mostly needed. */
  readonly mostlyNeededBytes: number;
  /** In packs that nobody can look into, or that have the last, damaged, copy of something. */
  readonly damagedBytes: number;
}

export interface RewrittenPack {
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  readonly bytes: number;
  /** About what will be left of it. */
  readonly liveBytes: number;
  /** About what will be freed. */
  readonly wasteBytes: number;
}

export interface PlanParts {
  readonly loaded: LoadedIndex;
  readonly marked: Marked;
  /** Of a session that is there: its packs are its own business. */
  isAlive(pack: PackId): boolean;
  /** Copies that this very prune made before: kept rather than others. */
  isOwn?: ((pack: PackId) => boolean) | undefined;
}

/**
 * A pack is always worth copying when more than this part of it is dead: a byte that is freed costs (1 − share) / share bytes
 * that are copied, 2.3 at 0.3.
 */
export const rewriteShareMin = 0.3;
/** Then those of which most is dead, until what is dead in all that stay is no more than this part of what is needed. */
export const wasteShareMax = 0.03;
/** A quarter of what a pack is filled to. */
const smallPackBytesMax = 4 * 1024 * 1024;
/** Each backup that changes little leaves one small pack of each class: so many are read as fast as one, more are not. */
const smallPacksMax = 32;

/** What lies in one pack. Bytes as they lie in it. */
interface PackUse {
  readonly pack: PackId;
  readonly chunkClass: ChunkClass;
  readonly bytes: number;
  /** Of its frames. */
  readonly framesBytes: number;
  readonly liveBytes: number;
  /** It has the last copies, damaged ones, of something that is needed. */
  readonly isPinned: boolean;
}

export function planPrune({ loaded, marked, isAlive, isOwn }: PlanParts): PrunePlan {
  const { index, sizes, generations, unlisted } = loaded;
  const listed = new Set<PackId>();
  for (const { packs } of loaded.parts.values()) for (const pack of packs) listed.add(pack);
  const dead: PackId[] = [];
  const orphans: PackId[] = [];
  const partly: PackUse[] = [];
  const needed = new Set<PackId>();
  const pending = { atWorkBytes: 0, mostlyNeededBytes: 0, damagedBytes: 0 };
  let neededBytes = 0;
  for (const use of usesOf(index, { marked, isOwn })) {
    const { pack, liveBytes, isPinned } = use;
    neededBytes += liveBytes;
    if (liveBytes > 0 || isPinned) needed.add(pack);
    if (isAlive(pack)) pending.atWorkBytes += wasteOf(use);
    else if (isPinned) pending.damagedBytes += wasteOf(use);
    else if (liveBytes > 0) partly.push(use);
    else if (listed.has(pack)) dead.push(pack);
    else orphans.push(pack);
  }
  const leftovers: PackId[] = [];
  for (const [pack, bytes] of sizes) {
    if (index.hasPack(pack)) continue;
    if (isAlive(pack)) pending.atWorkBytes += bytes;
    else if (generations.swept.has(pack)) leftovers.push(pack);
    // Nobody knows what it holds. While something that is needed is nowhere to be found, it may be there.
    else if (marked.missing > 0) pending.damagedBytes += bytes;
    else orphans.push(pack);
  }
  const worthCopying = chooseRewritten(partly, neededBytes);
  for (const use of partly) if (!worthCopying.has(use.pack)) pending.mostlyNeededBytes += wasteOf(use);
  const rewritten = partly
    .filter(use => worthCopying.has(use.pack))
    .map(use => ({ ...use, wasteBytes: wasteOf(use) }))
    .sort(byWasteShare); // where the time does not suffice, it was spent on what is worth most
  const toList = unlisted.filter(row => needed.has(row.pack) && !worthCopying.has(row.pack));
  return { dead, rewritten, orphans, leftovers, toList, pending };
}

/** What a pack would be smaller by without what is dead in it. */
function wasteOf({ framesBytes, liveBytes }: PackUse): number {
  return Math.max(0, framesBytes - Math.round(liveBytes));
}

/** Most dead first; equal ones by their ids, so that two looks at one store agree. */
function byWasteShare(a: PackUse, b: PackUse): number {
  return wasteOf(b) / b.framesBytes - wasteOf(a) / a.framesBytes || (a.pack < b.pack ? -1 : 1);
}

function chooseRewritten(partly: readonly PackUse[], neededBytes: number): ReadonlySet<PackId> {
  const chosen = new Set<PackId>();
  let wasteBytes = partly.reduce((sum, use) => sum + wasteOf(use), 0);
  for (const use of [...partly].sort(byWasteShare)) {
    const isMostlyDead = wasteOf(use) > rewriteShareMin * use.framesBytes;
    if (!isMostlyDead && wasteBytes <= wasteShareMax * neededBytes) break;
    chosen.add(use.pack);
    wasteBytes -= wasteOf(use);
  }
  for (const chunkClass of ['data', 'metadata'] as const) {
    const small = partly.filter(
      use => use.chunkClass === chunkClass && use.bytes < smallPackBytesMax && !chosen.has(use.pack),
    );
    if (small.length > smallPacksMax) for (const { pack } of small) chosen.add(pack);
  }
  return chosen;
}

function usesOf(index: ChunkIndex, { marked, isOwn }: Pick<PlanParts, 'marked' | 'isOwn'>): PackUse[] {
  const live = new Map<PackId, number>();
  const pinned = new Set<PackId>();
  for (let number = 0; number < index.numbersEnd; number++) {
    const key = index.keyOf(number);
    if (key === undefined || !marked.isLiveNumber(number)) continue;
    const keepers = keepersOf(index, key, isOwn);
    if (keepers.length === 0) for (const { pack } of index.places(key)) pinned.add(pack);
    for (const keeper of keepers) live.set(keeper.pack, (live.get(keeper.pack) ?? 0) + sealedShare(keeper));
  }
  return index.packSizes().map(({ pack, chunkClass, bytes }) => ({
    pack,
    chunkClass,
    bytes,
    framesBytes: index.framesOf(pack).reduce((sum, { sealedBytes }) => sum + sealedBytes, 0),
    liveBytes: live.get(pack) ?? 0,
    isPinned: pinned.has(pack),
  }));
}

/**
 * The copies that stay where a chunk has several: what this prune copied itself before anything else, then that in the
 * smallest pack id, so that whoever asks keeps the same. What only hosts without the passphrase say may not be so: where
 * nothing better is there, each such copy stays.
 */
export function keepersOf(
  index: ChunkIndex,
  key: Uint8Array,
  isOwn?: (pack: PackId) => boolean,
): readonly ChunkPlace[] {
  let keeper: ChunkPlace | undefined;
  const doubtful: ChunkPlace[] = [];
  for (const place of index.places(key)) {
    if (index.isBad(place.frame)) continue;
    if (isOwn?.(place.pack)) return [place];
    if (index.isDoubtful(place.pack)) doubtful.push(place);
    else if (keeper === undefined || place.pack < keeper.pack) keeper = place;
  }
  return keeper === undefined ? doubtful : [keeper];
}

function sealedShare({ sealedBytes, length, rawBytes }: ChunkPlace): number {
  return (sealedBytes * length) / rawBytes;
}
