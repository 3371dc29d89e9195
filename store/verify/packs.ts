import { ChunkIndex, type FramePlace } from '../chunk-index/chunk-index.ts';
import { readMasks, type StoreProblem } from '../chunk-index/masks.ts';
import { Claims } from '../chunk-index/written.ts';
import { type StillpointError, type StoreErrorCode, storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { isFinding } from '../medium-error.ts';
import { FrameReader, readTrailer } from '../pack/reader.ts';
import { framesBytesOf, framesStartBytes, type PackRow, packName } from '../pack/row.ts';
import type { Generations } from '../protocol/generations.ts';
import { isUntrusted } from '../record.ts';
import { headerBytes, openSeal } from '../seal/index.ts';
import { readPart } from './read-part.ts';
import { callOf, checked, type Inventory, isPassedOver, type VerifiedIndex, type VerifyRun } from './run.ts';
import { sweptUnread } from './swept.ts';

/** Opens every index part. */
export async function verifyIndex(
  run: VerifyRun,
  inventory: Inventory,
  { swept }: Generations,
): Promise<VerifiedIndex> {
  const { context } = run;
  // Records that cannot be read are reported with the other records.
  const { masks } = await readMasks(context, { swept, tombstoned: new Set() }, callOf(run));
  const index = new ChunkIndex(masks);
  const rows = new Map<PackId, { part: string; digest: number }>();
  const replaced = new Set<string>();
  const failures = new Map<string, StillpointError<StoreErrorCode>>();
  const claims = new Claims();
  const claimed: ListedRow[] = [];
  for (const part of inventory.indexParts) {
    run.signal?.throwIfAborted();
    await run.breathe();
    const read = await readPart(run, part).catch((error: unknown) => {
      if (isPassedOver(run, error, { kind: 'index', object: part })) return;
      if (!isFinding(error)) throw error;
      failures.set(part, error);
    });
    for (const id of read?.replaces ?? []) replaced.add(`index/${id}`);
    for (const row of read?.rows ?? []) {
      const host = read?.host ?? read?.written?.get(row.pack);
      const listed = { part, pack: row.pack, digest: digestOf(run, row) };
      if (host === undefined) {
        index.addPack(row);
        compareRow(run, listed, rows);
      } else {
        claims.add(row, { host, isCertain: true });
        claimed.push(listed);
      }
    }
  }
  await decideClaims(run, { claims, claimed, inventory, index, rows });
  const problems: StoreProblem[] = [];
  for (const [part, error] of failures) {
    const isReplaced = replaced.has(part);
    // It went while it was looked for, as a prune makes those go that it has replaced.
    if (isReplaced && error.code === 'STORE_OBJECT_MISSING') continue;
    if (!isReplaced) problems.push({ object: part, error });
    const mayBeWhole = error.code === 'STORE_READ_FAILED';
    run.report.add('index', part, {
      ...{ state: error.message, mayBeWhole, isReplaced },
      isUntrusted: isReplaced && isUntrusted(error),
    });
  }
  return { index, masks, rows, problems, brokenLists: new Set() };
}

interface ListedRow {
  readonly part: string;
  readonly pack: PackId;
  readonly digest: number;
}

/** Of two parts that say different things the later is reported; what else it lists is as good as before. */
function compareRow(
  run: VerifyRun,
  { part, pack, digest }: ListedRow,
  rows: Map<PackId, { part: string; digest: number }>,
): void {
  const known = rows.get(pack);
  if (known === undefined) rows.set(pack, { part, digest });
  else if (known.digest !== digest)
    run.report.add('index', part, { state: `It lists other chunks of ${packName(pack)} than ${known.part}` });
}

/**
 * What hosts without the passphrase say of packs counts where no key holder lists them; where two differ, the pack itself
 * decides, as for everybody who reads. A part that says something else is reported, whichever came first.
 */
async function decideClaims(
  run: VerifyRun,
  {
    claims,
    claimed,
    inventory,
    index,
    rows,
  }: Pick<VerifiedIndex, 'index'> & {
    readonly claims: Claims;
    readonly claimed: readonly ListedRow[];
    readonly inventory: Inventory;
    readonly rows: Map<PackId, { part: string; digest: number }>;
  },
): Promise<void> {
  const truths = new Map<PackId, number>();
  for (const { row, isContested } of claims) {
    if (rows.has(row.pack)) continue;
    const right = (isContested ? await ownRow(run, inventory, row.pack) : undefined) ?? row;
    index.addPack(right);
    truths.set(row.pack, digestOf(run, right));
  }
  for (const listed of claimed) {
    const { part, pack, digest } = listed;
    const truth = truths.get(pack);
    if (truth === undefined || truth === digest) compareRow(run, listed, rows);
    else
      run.report.add('index', part, { state: `It lists other chunks of ${packName(pack)} than that itself` });
  }
}

/** Undefined where the pack cannot say it. */
async function ownRow(run: VerifyRun, { packs }: Inventory, pack: PackId): Promise<PackRow | undefined> {
  const bytes = packs.get(pack);
  if (bytes === undefined) return undefined;
  try {
    return await readTrailer(run.context, { pack, bytes }, callOf(run));
  } catch (error) {
    if (!isFinding(error)) throw error;
    return undefined; // which is reported with the packs
  }
}

export const notThere = 'It is listed in the index, and not there';

/** The row that an index part has of a pack; for packs whose own list cannot be read. Undefined: none that can be read now. */
export async function rowFromIndex(
  run: VerifyRun,
  { rows }: VerifiedIndex,
  pack: PackId,
): Promise<PackRow | undefined> {
  const part = rows.get(pack)?.part;
  if (part === undefined) return undefined;
  const read = await readPart(run, part).catch((error: unknown) => {
    if (!isFinding(error)) throw error;
  });
  return read?.rows.find(row => row.pack === pack);
}

/**
 * The size of every pack, by the index; header, trailer and footer of those whose turn it is, and of those that no part
 * lists, and whether the index says the same. Under a budget the others wait for their bytes to be read.
 */
export async function verifyPacks(
  run: VerifyRun,
  inventory: Inventory,
  { verified, generations }: { readonly verified: VerifiedIndex; readonly generations: Generations },
): Promise<void> {
  const { index } = verified;
  let done = 0;
  const missing = index.packSizes().filter(({ pack }) => !inventory.packs.has(pack));
  const isSwept = missing.length === 0 ? undefined : await sweptUnread(run, inventory, generations);
  for (const { pack } of missing) {
    for (const { frame } of index.framesOf(pack)) index.markBad(frame);
    if (!isSwept?.(pack)) reportMissing(run, index, pack);
  }
  for (const [pack, bytes] of inventory.packs) {
    if (isListDue(run, verified, { pack, bytes })) await verifyPackList(run, verified, { pack, bytes });
    done += 1;
    run.progress('packs', done, inventory.packs.size);
  }
}

function isListDue(
  { ledger, turns, budget }: VerifyRun,
  { index, rows }: VerifiedIndex,
  { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
): boolean {
  if (!rows.has(pack) || index.bytesOf(pack) !== bytes) return true;
  return !budget.isLimited && turns.isDue(pack, ledger.listedAtMs(pack));
}

async function verifyPackList(
  run: VerifyRun,
  { index, rows, brokenLists, problems }: VerifiedIndex,
  { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
): Promise<void> {
  const object = packName(pack);
  const kind = index.framesOf(pack)[0]?.chunkClass === 'metadata' ? 'metadata-pack' : 'data-pack';
  let row: PackRow | undefined;
  const isWhole = await checked(run, { kind, object }, async () => {
    row = await readTrailer(run.context, { pack, bytes }, callOf(run)).catch((error: unknown) => {
      if (isFinding(error) && !rows.has(pack)) problems.push({ object, error });
      throw isFinding(error) && error.code === 'STORE_DAMAGED'
        ? (wrongSize(index, { pack, bytes }) ?? error)
        : error;
    });
    run.counts.bytesRead += bytes - framesBytesOf(row);
    const known = rows.get(pack);
    if (known === undefined) index.addPack(row);
    else if (known.digest !== digestOf(run, row))
      run.report.add('index', known.part, { state: `It lists other chunks than ${object} itself` });
  });
  if (isWhole) return run.notes.list(pack);
  brokenLists.add(pack);
  await markUnreadable(run, index, { pack, bytes });
}

function reportMissing(run: VerifyRun, index: ChunkIndex, pack: PackId): void {
  const kind = index.framesOf(pack)[0]?.chunkClass === 'metadata' ? 'metadata-pack' : 'data-pack';
  run.report.add(kind, packName(pack), { state: notThere });
}

/** A pack that was cut, or another in its place: says more than that its end is wrong. */
function wrongSize(
  index: ChunkIndex,
  { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
): Error | undefined {
  const listed = index.bytesOf(pack);
  if (listed === undefined || listed === bytes) return undefined;
  const state = `it has ${bytes} bytes, and the index lists ${listed}`;
  return storeError('STORE_DAMAGED', `Cannot read ${packName(pack)}: ${state}`);
}

/**
 * Without its header no frame opens; without its end, those past it are gone. Where neither the first nor the last that is
 * left opens, another pack, or something else, lies in its place.
 */
async function markUnreadable(
  run: VerifyRun,
  index: ChunkIndex,
  { pack, bytes }: { pack: PackId; bytes: number },
): Promise<void> {
  const name = packName(pack);
  const kind = ['data-pack', 'metadata-pack'] as const;
  const isOpen = await checked(run, { kind: 'data-pack', object: name }, async () => {
    const header = await run.context.backend.get(name, { ...callOf(run), offset: 0, length: headerBytes });
    openSeal(run.context.ring, header, { kind, name });
  });
  const frames = index.framesOf(pack);
  const end = Math.max(bytes, framesStartBytes);
  const left = frames.filter(({ sealedOffset, sealedBytes }) => sealedOffset + sealedBytes <= end);
  const isForeign = !isOpen || !(await hasFrame(run, [...left.slice(0, 1), ...left.slice(1).slice(-1)]));
  for (const place of frames) if (isForeign || !left.includes(place)) index.markBad(place.frame);
}

/** True where one of them opens, or cannot be read now. */
async function hasFrame({ context }: VerifyRun, places: readonly FramePlace[]): Promise<boolean> {
  const reader = new FrameReader(context, { cacheBytesMax: 0 });
  for (const place of places)
    try {
      await reader.read(place);
      return true;
    } catch (error) {
      if (!isFinding(error)) throw error;
      if (error.code !== 'STORE_DAMAGED') return true;
    }
  return false;
}

/** 48 bits: it tells accidents apart, and whoever can make two rows meet can write the index. */
function digestOf(run: VerifyRun, { chunkClass, frames, chunks }: PackRow): number {
  const head = Buffer.from(`${chunkClass} ${frames.length} `);
  return Buffer.from(run.context.ring.blake3.hash([head, frames, chunks])).readUIntLE(0, 6);
}
