import type { StoreContext } from '../context.ts';
import { heldIds } from '../holds.ts';
import { hex, type SnapshotId } from '../ids.ts';
import { listForgottenIds, listManifestIds, readManifest } from '../manifests.ts';
import { isFinding } from '../medium-error.ts';
import { putRecord } from '../protocol/note.ts';
import { forgottenRecord } from '../protocol/records.ts';
import { withReserveForRecords } from '../reserve.ts';
import { isForgotten } from '../verify/meaning.ts';
import type { VerifiedStore, VerifyResult } from '../verify.ts';

/** A snapshot of which nobody can say what it was. */
export interface LostManifest {
  /** Null: others saw that there was one, and none of them names it. */
  readonly id: SnapshotId | null;
  /** False: it is gone, and a later snapshot names it. */
  readonly isThere: boolean;
  readonly state: string;
}

/** Manifests that cannot be read, and those that must have been there. */
export function lostManifests(
  { damage, snapshots }: VerifyResult,
  { inventory }: VerifiedStore,
): LostManifest[] {
  const lost: LostManifest[] = [];
  for (const { kind, object, state } of damage) {
    if (kind !== 'manifest' || isForgotten(object, inventory)) continue;
    const id = object.slice('manifests/'.length) as SnapshotId;
    lost.push({ id, isThere: inventory.manifests.has(id), state });
  }
  // A name stays for ever, as a manifest or as a forgotten one: fewer than somebody saw is a loss, too.
  const names = new Set([
    ...inventory.manifests,
    ...inventory.forgotten,
    ...lost.flatMap(({ id }) => id ?? []),
  ]);
  const seen = Math.max(0, ...snapshots.map(manifest => manifest.seen.count));
  for (let missing = seen - names.size; missing > 0; missing--)
    lost.push({
      id: null,
      isThere: false,
      state: `A snapshot saw ${seen} manifests, and ${names.size} are known`,
    });
  return lost;
}

export interface ForgottenLost {
  readonly id: SnapshotId | null;
  /** Why it was left; undefined: it is forgotten. */
  readonly refused: string | undefined;
  /** A hold was to keep it, and could not: its manifest was gone. */
  readonly wasHeld: boolean;
}

/**
 * Marks lost snapshots as forgotten, because a person said so: then a prune takes the list for whole again. A manifest
 * that the medium just fails to read, or that a hold keeps, is left. Deletes nothing: prune does.
 */
export async function forgetLost(
  context: StoreContext,
  lost: readonly LostManifest[],
  { dryRun, signal }: { readonly dryRun?: boolean | undefined; readonly signal?: AbortSignal | undefined },
): Promise<ForgottenLost[]> {
  const held = await heldIds(context, { signal });
  const now = new Set([
    ...(await listManifestIds(context, { signal })),
    ...(await listForgottenIds(context, { signal })),
  ]);
  const outcome: ForgottenLost[] = [];
  for (const { id, isThere } of lost) {
    const refused = id !== null && isThere ? await whyKept(context, { id, held }, { signal }) : undefined;
    // What was taken for gone and is listed now was not: a medium that lists less at times is no reason to forget.
    const isBack = id !== null && !isThere && now.has(id);
    const wasHeld = id !== null && !isThere && !isBack && held.has(id);
    outcome.push({ id, refused: isBack ? 'it is there again' : refused, wasHeld });
    if (refused !== undefined || isBack || dryRun) continue;
    const snapshot = id ?? (hex(context.seams.randomness.bytes(32)) as SnapshotId);
    const reason =
      id === null
        ? 'lost, and its id with it'
        : isThere
          ? 'lost: its manifest was damaged'
          : 'lost: its manifest was gone';
    const record = { snapshot, forgottenMs: context.seams.clock.nowMs(), reason };
    const name = `forgotten/${snapshot}`;
    const place = { name, kind: 'forgotten', codec: forgottenRecord, record } as const;
    await withReserveForRecords(context, () => putRecord(context, place, { signal }));
  }
  return outcome;
}

async function whyKept(
  context: StoreContext,
  { id, held }: { readonly id: SnapshotId; readonly held: ReadonlySet<SnapshotId> },
  options: { readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  if (held.has(id)) return `a hold keeps it: release it first with \`stillpoint hold ${id} --release\``;
  try {
    await readManifest(context, id, options);
    return 'it can be read again';
  } catch (error) {
    if (!isFinding(error)) throw error;
    return error.code === 'STORE_READ_FAILED' ? `the medium cannot read it: ${error.message}` : undefined;
  }
}
