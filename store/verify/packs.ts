import { ChunkIndex } from '../chunk-index/chunk-index.ts';
import { readMasks } from '../chunk-index/masks.ts';
import { decodeIndexPart, type IndexPart } from '../chunk-index/parts.ts';
import { storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { isFinding } from '../medium-error.ts';
import { readTrailer } from '../pack/reader.ts';
import { framesBytesOf, framesStartBytes, type PackRow, packName } from '../pack/row.ts';
import type { Generations } from '../protocol/generations.ts';
import { openRecord } from '../record.ts';
import { headerBytes, openSeal } from '../seal/index.ts';
import { callOf, checked, type Inventory, readObject, type VerifiedIndex, type VerifyRun } from './run.ts';

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
  const failures = new Map<string, Error>();
  for (const part of inventory.indexParts) {
    await checked(run, { kind: 'index', object: part }, async () => {
      const read = await readPart(run, part).catch((error: unknown) => {
        if (!isFinding(error)) throw error;
        failures.set(part, error);
      });
      for (const id of read?.replaces ?? []) replaced.add(`index/${id}`);
      for (const row of read?.rows ?? []) {
        index.addPack(row);
        const digest = digestOf(run, row);
        const known = rows.get(row.pack);
        if (known === undefined) rows.set(row.pack, { part, digest });
        else if (known.digest !== digest) throw disagree(part, row.pack, known.part);
      }
    });
  }
  // Whatever became of a part of which a later one says that it has all its rows: nothing is lost with it.
  for (const [part, { message }] of failures)
    if (!replaced.has(part)) run.report.add('index', part, { state: message });
  return { index, masks, rows, brokenLists: new Set() };
}

async function readPart(run: VerifyRun, name: string): Promise<IndexPart> {
  const { fields } = openRecord(run.context.ring, await readObject(run, name), { kind: 'index', name });
  return decodeIndexPart(fields, name);
}

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
  verified: VerifiedIndex,
): Promise<void> {
  const { index } = verified;
  let done = 0;
  for (const { pack } of index.packSizes()) if (!inventory.packs.has(pack)) reportMissing(run, index, pack);
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
  { index, rows, brokenLists }: VerifiedIndex,
  { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
): Promise<void> {
  const object = packName(pack);
  const kind = index.framesOf(pack)[0]?.chunkClass === 'metadata' ? 'metadata-pack' : 'data-pack';
  let row: PackRow | undefined;
  const isWhole = await checked(run, { kind, object }, async () => {
    row = await readTrailer(run.context, { pack, bytes }, callOf(run));
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
  const frames = index.framesOf(pack);
  for (const { frame } of frames) index.markBad(frame);
  const kind = frames[0]?.chunkClass === 'metadata' ? 'metadata-pack' : 'data-pack';
  run.report.add(kind, packName(pack), { state: 'It is listed in the index, and not there' });
}

/** Without its header no frame opens; without its end, those past it are gone. */
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
  for (const { frame, sealedOffset, sealedBytes } of index.framesOf(pack))
    if (!isOpen || sealedOffset + sealedBytes > Math.max(bytes, framesStartBytes)) index.markBad(frame);
}

/** 48 bits: it tells accidents apart, and whoever can make two rows meet can write the index. */
function digestOf(run: VerifyRun, { chunkClass, frames, chunks }: PackRow): number {
  const head = Buffer.from(`${chunkClass} ${frames.length} `);
  return Buffer.from(run.context.ring.blake3.hash([head, frames, chunks])).readUIntLE(0, 6);
}

function disagree(part: string, pack: PackId, other: string): Error {
  return storeError(
    'STORE_DAMAGED',
    `Cannot read ${part}: it lists other chunks of ${packName(pack)} than ${other}`,
  );
}
