import { breather } from './breathe.ts';
import { fromHex, type PackId } from './ids.ts';
import { underLaterKeys, writeOnly } from './keys/index.ts';
import { readLedger } from './ledger.ts';
import { packName } from './pack/row.ts';
import { type Generations, readGenerations } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';
import { budgetOf } from './verify/budget.ts';
import { concluded, type Found } from './verify/conclude.ts';
import { lookAgain } from './verify/confirm.ts';
import { verifyData } from './verify/data.ts';
import { turnsAt } from './verify/due.ts';
import { GraphVerifier } from './verify/graph.ts';
import { VerifyNotes } from './verify/notes.ts';
import { verifyObjects } from './verify/objects.ts';
import { verifyIndex, verifyPacks } from './verify/packs.ts';
import { DamageReport } from './verify/report.ts';
import type { VerifyOptions, VerifyResult } from './verify/result.ts';
import type { VerifyRun } from './verify/run.ts';
import { planPacks } from './verify/scrub.ts';
import { verifySnapshots } from './verify/snapshots.ts';

export { lookOf, type VerifiedStore } from './verify/conclude.ts';
export type { Damage, DamagedKind } from './verify/report.ts';
export type { VerifyOptions, VerifyResult } from './verify/result.ts';
export type { VerifyPhase, VerifyProgress } from './verify/run.ts';
export type { Amount, Scrub } from './verify/scrub.ts';

/**
 * Checks a store: every object is opened or its size compared, from manifests everything is reached, and bytes of packs are
 * read as far as is asked for. Finds all it can; throws only when the medium or the format ends the search. Who verifies
 * beside a prune opens a session for reading first.
 */
export async function verifyStore(store: Store, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { context, keys } = insideOf(store);
  if (store.host !== undefined) throw writeOnly(store.host, 'what a verification needs');
  return underLaterKeys({ backend: context.backend, keys }, () => verifyUndisturbed(store, options));
}

async function verifyUndisturbed(store: Store, options: VerifyOptions): Promise<VerifyResult> {
  const { context } = insideOf(store);
  const { signal, noteAs, noteDetail = null } = options;
  const notes = new VerifyNotes(store, { host: noteAs, detail: noteDetail });
  const budget = budgetOf(context.seams.clock, options.maxDurationMs);
  const counts = { objects: 0, references: 0, hashed: 0, bytesRead: 0 };
  try {
    for (let attempt = 1; ; attempt++) {
      const before = await readGenerations(context, { signal, reading: 'lenient' });
      const run = await beginRun(store, { notes, budget, counts }, options);
      const found = await verifyOnce(run, before, options);
      const isOver = found.damage.length === 0 || attempt === attemptsMax;
      // What a prune moved or took meanwhile looks like damage to who had listed it before.
      const { state } = await readGenerations(context, { signal, reading: 'lenient' });
      if (isOver || state === before.state)
        return await concluded(store, { run, found, generations: before }, options);
    }
  } finally {
    // Where it was ended: what was read is known all the same.
    await notes.write({ whole: [], damaged: [], damagedPacks: [] });
  }
}

/** A prune in rounds changes what is known several times; only a look that found something wrong is repeated. */
const attemptsMax = 8;

async function beginRun(
  store: Store,
  parts: Pick<VerifyRun, 'notes' | 'budget' | 'counts'>,
  { signal, onProgress, goesPastNewer, remembered = [] }: VerifyOptions,
): Promise<VerifyRun> {
  const { context, keys } = insideOf(store);
  const { counts } = parts;
  counts.objects = 0;
  counts.references = 0;
  return {
    ...parts,
    context,
    keys,
    report: new DamageReport(),
    newer: goesPastNewer ? new Map() : undefined,
    signal,
    ledger: await readLedger(store, { signal }),
    remembered,
    turns: turnsAt(context.seams.clock.nowMs(), context.ring.blake3),
    progress: (phase, done, total) => onProgress?.({ phase, done, total, bytesRead: counts.bytesRead }),
    breathe: breather(context.seams.clock),
  };
}

async function verifyOnce(run: VerifyRun, generations: Generations, options: VerifyOptions): Promise<Found> {
  const inventory = await verifyObjects(run);
  // Nobody depends on them any more, and they may go at any moment.
  for (const pack of generations.swept) inventory.packs.delete(pack);
  const verified = await verifyIndex(run, inventory, generations);
  await verifyPacks(run, inventory, { verified, generations });
  await lookAgain(run, { verified, inventory });
  const graph = new GraphVerifier(run, { verified, inventory });
  const { snapshots: wanted, check } = options;
  const walked = await verifySnapshots(run, graph, { inventory, wanted, check });
  // A damaged part that was named already explains them all.
  const isExplained = run.report.list.some(({ kind, isReplaced }) => kind === 'index' && !isReplaced);
  for (const pack of isExplained ? [] : graph.unlistedPacks)
    run.report.add('index', packName(pack), { state: 'Snapshots need it, and no index part lists it' });
  if (options.readData) {
    const mayBe = (pack: PackId) => options.packs !== 'needed' || graph.neededPacks.has(pack);
    const isAsked = dataAsked(run, [...inventory.packs.keys()].filter(mayBe), options);
    const wants = (pack: PackId, readMs: number | null) => mayBe(pack) && isAsked(pack, readMs);
    const { parity } = inventory;
    const packs = planPacks(run, inventory, wants);
    await verifyData(run, verified, { packs, parity, threads: options.threads });
  }
  return { ...walked, inventory, verified, graph, damage: run.report.list };
}

/** A sample is by a hash under a key of this run, so that no pack is left out for ever; one pack at least is in it. */
function dataAsked(
  { context, turns }: VerifyRun,
  packs: readonly PackId[],
  { readData = 0 }: VerifyOptions,
): (pack: PackId, readMs: number | null) => boolean {
  if (readData === 'due') return turns.isDue;
  if (readData >= 1) return () => true;
  const key = context.seams.randomness.bytes(32);
  const hashOf = (pack: PackId) => Buffer.from(context.ring.blake3.keyed(key, fromHex(pack))).readUInt32LE();
  const least = packs.reduce((least, pack) => Math.min(least, hashOf(pack)), 2 ** 32);
  return pack => hashOf(pack) < readData * 2 ** 32 || hashOf(pack) === least;
}
