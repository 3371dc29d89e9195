import { breather } from './breathe.ts';
import type { ChunkRef } from './content.ts';
import { storeError } from './errors.ts';
import { fromHex, type PackId, type SnapshotId } from './ids.ts';
import { writeOnly } from './keys/index.ts';
import type { Manifest } from './manifest.ts';
import { packName } from './pack/row.ts';
import { type Generations, readGenerations } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';
import { verifyData } from './verify/data.ts';
import { GraphVerifier } from './verify/graph.ts';
import { verifyObjects } from './verify/objects.ts';
import { verifyIndex, verifyPacks } from './verify/packs.ts';
import { DamageReach } from './verify/reach.ts';
import { type Damage, DamageReport } from './verify/report.ts';
import type { Inventory, VerifyProgress, VerifyRun } from './verify/run.ts';

export type { Damage, DamagedKind } from './verify/report.ts';
export type { VerifyPhase, VerifyProgress } from './verify/run.ts';

export interface VerifyOptions {
  /** Which part of the packs is read byte by byte: 0 (default) to 1. A lesser part is a new choice in each run. */
  readonly readData?: number;
  /** Walk from these snapshots only; default: all. Every manifest and other small object is opened all the same. SNAPSHOT_UNKNOWN. */
  readonly snapshots?: readonly SnapshotId[];
  /** Which packs readData is about: all (default), or those that the snapshots walked from need. */
  readonly packs?: 'all' | 'needed';
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyResult {
  readonly isOk: boolean;
  readonly snapshots: readonly Manifest[];
  readonly objects: number;
  /** With readData: chunks whose bytes were hashed; without: references followed. */
  readonly chunksChecked: number;
  readonly bytesRead: number;
  readonly damage: readonly Damage[];
  /** Damaged objects beyond those listed. */
  readonly unlistedDamage: number;
  /** Snapshots from which something damaged or missing can be reached. */
  readonly affected: readonly SnapshotId[];
  /**
   * The damaged objects that a chunk, or anything below a node, is lost with; empty when nothing of it is. Reads nodes.
   */
  culprits(ref: ChunkRef): Promise<readonly string[]>;
}

/**
 * Checks a store: every object is opened, from every manifest everything is reached, and with readData every byte of the
 * packs is read. Finds all it can; throws only when the medium or the format ends the search. Changes nothing.
 */
export async function verifyStore(store: Store, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { context } = insideOf(store);
  if (store.host !== undefined) throw writeOnly(store.host, 'what a verification needs');
  const { signal } = options;
  for (let attempt = 1; ; attempt++) {
    const before = await readGenerations(context, { signal, reading: 'lenient' });
    const result = await verifyOnce(store, before, options);
    if (result.isOk || attempt === attemptsMax) return result;
    // What a prune moved or took meanwhile looks like damage to who had listed it before.
    const { state } = await readGenerations(context, { signal, reading: 'lenient' });
    if (state === before.state) return result;
  }
}

const attemptsMax = 3;

async function verifyOnce(
  store: Store,
  generations: Generations,
  options: VerifyOptions,
): Promise<VerifyResult> {
  const { context, keys } = insideOf(store);
  const { readData = 0, signal, onProgress } = options;
  const counts = { objects: 0, chunksChecked: 0, bytesRead: 0 };
  const run: VerifyRun = {
    context,
    keys,
    report: new DamageReport(),
    signal,
    counts,
    progress: (phase, done, total) => onProgress?.({ phase, done, total, bytesRead: counts.bytesRead }),
    breathe: breather(context.seams.clock),
  };
  const inventory = await verifyObjects(run);
  // Nobody depends on them any more, and they may go at any moment.
  for (const pack of generations.swept) inventory.packs.delete(pack);
  const verified = await verifyIndex(run, inventory, generations);
  await verifyPacks(run, inventory, verified);
  const graph = new GraphVerifier(run, verified);
  const snapshots = await verifySnapshots(run, graph, { inventory, wanted: options.snapshots });
  // A damaged part that was named already explains them all.
  const isExplained = run.report.list.some(({ kind }) => kind === 'index');
  for (const pack of isExplained ? [] : graph.unlistedPacks)
    run.report.add('index', packName(pack), { state: 'Snapshots need it, and no index part lists it' });
  if (readData > 0) {
    const isSampled = sampler(run, readData);
    const wants = (pack: PackId) =>
      isSampled(pack) && (options.packs !== 'needed' || graph.neededPacks.has(pack));
    await verifyData(run, { inventory, verified, wants });
  }
  const reach = new DamageReach(run, verified, graph);
  const damage = run.report.list;
  const affected: SnapshotId[] = [];
  for (const manifest of damage.length > 0 ? snapshots : [])
    if (await anyReachesDamage(reach, manifest)) affected.push(manifest.id);
  return {
    isOk: damage.length === 0,
    snapshots,
    ...counts,
    damage,
    unlistedDamage: run.report.unlisted,
    affected,
    culprits: ref => reach.culprits(ref),
  };
}

async function anyReachesDamage(reach: DamageReach, { roots }: Manifest): Promise<boolean> {
  for (const root of roots) if ((await reach.culprits(root)).length > 0) return true;
  return false;
}

async function verifySnapshots(
  run: VerifyRun,
  graph: GraphVerifier,
  { inventory, wanted }: { inventory: Inventory; wanted: readonly SnapshotId[] | undefined },
): Promise<Manifest[]> {
  const missing = wanted?.find(id => !inventory.manifests.has(id) || inventory.forgotten.has(id));
  if (missing !== undefined)
    throw storeError('SNAPSHOT_UNKNOWN', `Cannot verify snapshot ${missing}: it is not there`, {
      remedy: 'List the snapshots with `stillpoint snapshots`.',
    });
  const isWanted = wanted === undefined ? () => true : (id: SnapshotId) => wanted.includes(id);
  const manifests: Manifest[] = [];
  let done = 0;
  for (const id of inventory.manifests) {
    const manifest = await graph.manifest(id, inventory);
    if (manifest !== undefined && isWanted(id) && !inventory.forgotten.has(id)) {
      await graph.verify(manifest.roots);
      manifests.push(manifest);
    }
    done += 1;
    run.progress('snapshots', done, inventory.manifests.size);
  }
  return manifests;
}

/** Chooses packs by a hash under a key of this run, so that no pack is left out for ever. */
function sampler({ context }: VerifyRun, part: number): (pack: PackId) => boolean {
  if (part >= 1) return () => true;
  const key = context.seams.randomness.bytes(32);
  return pack => {
    const hash = Buffer.from(context.ring.blake3.keyed(key, fromHex(pack)));
    return hash.readUInt32LE() < part * 2 ** 32;
  };
}
