import { callOf, namesOf, type StoreProblem } from './chunk-index/masks.ts';
import { aheadMsMax } from './chunk-index/written.ts';
import type { StoreContext } from './context.ts';
import { isStoreError, storeError } from './errors.ts';
import { hex, type PackId, type SnapshotId } from './ids.ts';
import { mergeActs } from './ledger/merge.ts';
import { listForgottenIds } from './manifests.ts';
import { readGenerations } from './protocol/generations.ts';
import { putRecord } from './protocol/note.ts';
import { type LedgerAct, type LedgerRecord, ledgerRecord } from './protocol/records.ts';
import { openRecord } from './record.ts';
import { insideOf, type Store } from './store.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What was verified, drilled and repaired in a store. Times are wall clocks of many hosts: for people, and for what is due. */
export interface Ledger {
  /**
   * When a snapshot was last verified and all of it was well; null also when something was damaged since, as below, and
   * where only a clock that was ahead says when.
   */
  verifiedAtMs(snapshot: SnapshotId): number | null;
  /** When a snapshot was last drilled and all was well, likewise. */
  drilledAtMs(snapshot: SnapshotId): number | null;
  /** Whether it was verified, or drilled, and was well and nothing of it was damaged since: whatever a clock said. */
  wasVerified(snapshot: SnapshotId): boolean;
  wasDrilled(snapshot: SnapshotId): boolean;
  /** Whether something of it was found damaged, and it was not verified or drilled and well since. */
  wasDamaged(snapshot: SnapshotId): boolean;
  /** When every byte of a pack was last read and was well. */
  readAtMs(pack: PackId): number | null;
  /** When the header and trailer of a pack were last read, with or without the rest, and were well. */
  listedAtMs(pack: PackId): number | null;
  /**
   * Oldest first. Older ones say only what none after them says. Those from the future come first: they were made
   * before now, nobody knows when, and what a believable one says counts more.
   */
  readonly acts: readonly LedgerAct[];
  /** Acts that say they were in the future: a clock was ahead, or that of this machine is behind. */
  readonly ahead: readonly LedgerAct[];
  /** Records that could not be read, and were done without. */
  readonly problems: readonly StoreProblem[];
}

/** An act to note; without a time it ended now. */
export type NewLedgerAct = Omit<LedgerAct, 'finishedMs'> & { readonly finishedMs?: number };

const pattern = /^ledger\/[0-9a-f]{64}$/;
/** A record is read for every question to the ledger, so some dozens of small ones are merged. */
const mergedPast = 64;

/**
 * Notes what was done, for good. STORE_WRITE_FAILED, STORE_UNPROVEN. Many records become one on the way, since a ledger
 * must not grow with the years.
 */
export async function appendLedger(
  store: Store,
  act: NewLedgerAct,
  options: CallOptions = {},
): Promise<void> {
  const { context } = insideOf(store);
  const record = { ...act, finishedMs: act.finishedMs ?? context.seams.clock.nowMs() };
  const names = await namesOf(context, { prefix: 'ledger/', pattern }, options);
  if (names.length < mergedPast) await put(context, record, options);
  else await putMerged(context, record, options);
}

/** Reads what was noted. A record that cannot be read, or needs a newer program, is a problem, not the end: nothing is decided by it. */
export async function readLedger(store: Store, options: CallOptions = {}): Promise<Ledger> {
  const { context } = insideOf(store);
  const { records, problems } = await readRecords(context, options);
  const isAhead = aheadOf(context);
  const acts = actsOf(records, isAhead);
  const verified = new Map<SnapshotId, Time>();
  const drilled = new Map<SnapshotId, Time>();
  const damaged = new Set<SnapshotId>();
  const read = new Map<PackId, Time>();
  const listed = new Map<PackId, Time>();
  const maps = { verified: [verified], drilled: [drilled], repaired: [] } as const;
  for (const act of acts) {
    const { isOk, snapshots, packs } = act;
    const proven = isOk ? { ms: isAhead(act) ? null : act.finishedMs } : undefined;
    for (const id of snapshots) {
      note(isOk ? maps[act.act] : [verified, drilled], id, proven);
      if (!isOk) damaged.add(id);
      else if (act.act !== 'repaired') damaged.delete(id);
    }
    for (const id of packs) note([read], id, proven);
    for (const id of act.listed ?? []) note([listed], id, proven);
  }
  return {
    verifiedAtMs: id => verified.get(id)?.ms ?? null,
    drilledAtMs: id => drilled.get(id)?.ms ?? null,
    wasVerified: id => verified.has(id),
    wasDrilled: id => drilled.has(id),
    wasDamaged: id => damaged.has(id),
    readAtMs: id => read.get(id)?.ms ?? null,
    listedAtMs: id => latest(read.get(id)?.ms, listed.get(id)?.ms),
    acts,
    ahead: acts.filter(isAhead),
    problems,
  };
}

/** Every snapshot of which the ledger says that it was looked at: each was there. Records that cannot be read say nothing. */
export async function everVerified(
  context: StoreContext,
  options: CallOptions = {},
): Promise<ReadonlySet<SnapshotId>> {
  const { records } = await readRecords(context, options);
  const acts = [...records.values()].flatMap(({ earlier = [], ...act }) => [...earlier, act]);
  return new Set(acts.flatMap(({ act, snapshots }) => (act === 'repaired' ? [] : snapshots)));
}

/** When something was proven; null: nobody knows. */
interface Time {
  readonly ms: number | null;
}

function aheadOf({ seams }: StoreContext): (act: LedgerAct) => boolean {
  const nowMs = seams.clock.nowMs();
  return ({ finishedMs }) => finishedMs > nowMs + aheadMsMax;
}

/** What was found damaged is proven no more by what was found before. */
function note<Id>(maps: readonly Map<Id, Time>[], id: Id, proven: Time | undefined): void {
  for (const map of maps) {
    if (proven === undefined) map.delete(id);
    else map.set(id, proven);
  }
}

function latest(...timesMs: (number | null | undefined)[]): number | null {
  const known = timesMs.flatMap(ms => ms ?? []);
  return known.length === 0 ? null : Math.max(...known);
}

function actsOf(
  records: ReadonlyMap<string, LedgerRecord>,
  isAhead: (act: LedgerAct) => boolean,
): LedgerAct[] {
  return [...records.values()]
    .flatMap(({ earlier = [], ...act }) => [...earlier, act])
    .sort((a, b) => Number(isAhead(b)) - Number(isAhead(a)) || a.finishedMs - b.finishedMs);
}

/** All records by name. One that goes meanwhile is in another: then the list is made again. */
async function readRecords(
  context: StoreContext,
  options: CallOptions,
): Promise<{ readonly records: ReadonlyMap<string, LedgerRecord>; readonly problems: StoreProblem[] }> {
  const records = new Map<string, LedgerRecord>();
  const problems: StoreProblem[] = [];
  for (let hasMissed = true; hasMissed; ) {
    hasMissed = false;
    for (const name of await namesOf(context, { prefix: 'ledger/', pattern }, options)) {
      if (records.has(name) || problems.some(({ object }) => object === name)) continue;
      try {
        const record = await readRecord(context, name, options);
        if (record === undefined) hasMissed = true;
        else records.set(name, record);
      } catch (error) {
        if (!isStoreError(error)) throw error;
        problems.push({ object: name, error });
      }
    }
  }
  return { records, problems };
}

/** Undefined when it is gone. */
async function readRecord(
  { backend, ring }: StoreContext,
  name: string,
  options: CallOptions,
): Promise<LedgerRecord | undefined> {
  try {
    const bytes = await backend.get(name, callOf(options));
    return ledgerRecord.decode(openRecord(ring, bytes, { kind: 'ledger', name }).fields, name);
  } catch (error) {
    if (isStoreError(error) && error.code === 'STORE_OBJECT_MISSING') return undefined;
    throw error;
  }
}

async function put(context: StoreContext, record: LedgerRecord, options: CallOptions): Promise<void> {
  const name = `ledger/${hex(context.seams.randomness.bytes(32))}`;
  const answer = await putRecord(context, { name, kind: 'ledger', codec: ledgerRecord, record }, options);
  if (answer === 'created') return;
  // The acknowledgement of our own may have been lost; then it says what we say.
  const found = await readRecord(context, name, options);
  if (found?.finishedMs === record.finishedMs && found.host === record.host) return;
  throw storeError('STORE_WRITE_FAILED', `Cannot create ${name}: another object has the name`, {
    remedy: 'Run the command again; names are random.',
    context: { object: name },
  });
}

/**
 * The new record says what all that are readable say, and is durable before they go. Two that do so at once say it
 * twice, and a crash in between leaves both: no harm, the next merge finds them again.
 */
async function putMerged(context: StoreContext, act: LedgerAct, options: CallOptions): Promise<void> {
  const { records } = await readRecords(context, options);
  const forgotten = await listForgottenIds(context, options);
  const { swept } = await readGenerations(context, { ...options, reading: 'lenient' });
  const remembered = {
    snapshot: (id: SnapshotId) => !forgotten.has(id),
    pack: (id: PackId) => !swept.has(id),
  };
  await put(context, { ...act, earlier: mergeActs(actsOf(records, aheadOf(context)), remembered) }, options);
  // Where nothing may be deleted they stay: then they say again what is said already.
  const call = callOf(options);
  for (const name of records.keys()) await context.backend.delete(name, call).catch(() => undefined);
  await context.backend.sync(call).catch(() => undefined);
}
