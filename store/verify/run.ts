import type { ChunkIndex } from '../chunk-index/chunk-index.ts';
import type { Masks, StoreProblem } from '../chunk-index/masks.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import type { OpenKeys } from '../keys/index.ts';
import type { Ledger } from '../ledger.ts';
import { isFinding } from '../medium-error.ts';
import { isUntrusted } from '../record.ts';
import type { Budget } from './budget.ts';
import type { Turns } from './due.ts';
import type { VerifyNotes } from './notes.ts';
import type { Damage, DamagedKind, DamageReport } from './report.ts';

export type VerifyPhase = 'objects' | 'packs' | 'snapshots' | 'data';

export interface VerifyProgress {
  readonly phase: VerifyPhase;
  /** Objects, packs, snapshots, or bytes of packs. */
  readonly done: number;
  /** 0 while it is not known. */
  readonly total: number;
  readonly bytesRead: number;
}

/** What all parts of one verification share. */
export interface VerifyRun {
  readonly context: StoreContext;
  readonly keys: OpenKeys;
  readonly report: DamageReport;
  /** What needs a newer program, by its name; undefined: that is the end. */
  readonly newer: Map<string, Damage> | undefined;
  readonly signal: AbortSignal | undefined;
  readonly counts: VerifyCounts;
  readonly ledger: Ledger;
  /** Snapshots that whoever asks knows of. */
  readonly remembered: readonly SnapshotId[];
  readonly turns: Turns;
  readonly budget: Budget;
  readonly notes: VerifyNotes;
  readonly progress: (phase: VerifyPhase, done: number, total: number) => void;
  readonly breathe: () => Promise<void>;
}

export interface VerifyCounts {
  objects: number;
  /** References followed. */
  references: number;
  /** Chunks whose bytes were hashed. */
  hashed: number;
  bytesRead: number;
}

/** What the list of objects says. */
export interface Inventory {
  /** Sizes. */
  readonly packs: Map<PackId, number>;
  readonly indexParts: readonly string[];
  /** Packs that have one. */
  readonly parity: ReadonlySet<PackId>;
  /** Packs that have one which cannot be used; it has the name all the same. */
  readonly damagedParity: ReadonlySet<PackId>;
  readonly manifests: ReadonlySet<SnapshotId>;
  readonly forgotten: ReadonlySet<SnapshotId>;
  /** What was forgotten, and what came before it on its host. */
  readonly beforeForgotten: ReadonlyMap<SnapshotId, SnapshotId>;
  /** Names. */
  readonly holds: readonly string[];
  /** Names that this version does not know; they are left alone. */
  readonly unknown: number;
}

/** The index as its parts have it. Frames that are found bad are marked in it. */
export interface VerifiedIndex {
  readonly index: ChunkIndex;
  /** What was known bad before. */
  readonly masks: Masks;
  /** Packs whose header or own list cannot be read, whatever their frames are. */
  readonly brokenLists: Set<PackId>;
  /** Parts of the index, and packs that none lists, which cannot be read: where the medium failed, what they list only looks missing. */
  readonly problems: StoreProblem[];
  /** The part that lists a pack, and a digest of the row there. */
  readonly rows: ReadonlyMap<PackId, { readonly part: string; readonly digest: number }>;
}

/** Runs a check; what it finds damaged or missing is reported, and anything else is the end. */
export async function checked(
  run: VerifyRun,
  { kind, object }: { readonly kind: DamagedKind; readonly object: string },
  check: () => Promise<void> | void,
): Promise<boolean> {
  run.signal?.throwIfAborted();
  await run.breathe();
  try {
    await check();
    return true;
  } catch (error) {
    if (isPassedOver(run, error, { kind, object })) return false;
    if (!isFinding(error)) throw error;
    run.report.add(kind, object, {
      state: error.message,
      mayBeWhole: error.code === 'STORE_READ_FAILED',
      isUntrusted: isUntrusted(error),
    });
    return false;
  }
}

/**
 * What needs a newer program is noted where somebody wants to know it, and nothing is written down then. Another is of a later
 * epoch than the keys at hand: those may be there by now, and everything is looked at again with them.
 */
export function isPassedOver(
  { newer, notes }: VerifyRun,
  error: unknown,
  { kind, object }: { readonly kind: DamagedKind; readonly object: string },
): boolean {
  if (newer === undefined || !isStoreError(error) || error.code !== 'STORE_NEWER') return false;
  if (typeof error.context['epoch'] === 'number') return false;
  newer.set(object, { kind, object, state: error.message, chunks: 0 });
  notes.stop(error);
  return true;
}

export function callOf({ signal }: Pick<VerifyRun, 'signal'>): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Reads a whole object and counts it. */
export async function readObject(run: VerifyRun, name: string): Promise<Uint8Array> {
  const bytes = await run.context.backend.get(name, callOf(run));
  run.counts.bytesRead += bytes.length;
  return bytes;
}
