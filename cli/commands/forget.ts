import type { SnapshotId, Store } from '../../store/index.ts';
import { forgetSnapshots, readHolds, storeError } from '../../store/index.ts';
import type { Command, Context } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { counted } from '../render/quantities.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface ForgetOptions extends Omit<SnapshotWish, 'snapshot'> {
  readonly snapshots: readonly string[];
}

/** Drops snapshots. Everything is looked up first: a name that is wrong, or a hold, and nothing is forgotten. */
export const forget: Command<ForgetOptions> = async (context, { snapshots, ...narrowed }) => {
  await using store = await openConfiguredStore(context);
  const { signal } = context;
  const ids = new Set<SnapshotId>();
  for (const snapshot of snapshots) ids.add(await idNamed(context, store, { ...narrowed, snapshot }));
  const held = await readHolds(store, { signal });
  for (const id of ids) if (held.has(id)) throw isHeld(id);
  await forgetSnapshots(store, [...ids], { reason: 'by hand', signal });
  context.output.result(
    { messageType: 'summary', forgotten: [...ids].map(id => ({ id })) },
    `Forgot ${counted(ids.size, 'snapshot')}: ${[...ids].map(id => id.slice(0, 8)).join(', ')}. Their space is freed by \`stillpoint prune\`.`,
  );
  return 0;
};

/** By an id also one whose manifest is damaged: forgetting it is how a store gets rid of it. */
async function idNamed(context: Context, store: Store, wish: SnapshotWish): Promise<SnapshotId> {
  if (wish.snapshot !== 'latest') return await store.resolve(wish.snapshot, { signal: context.signal });
  return (await snapshotNamed(context, store, wish)).id;
}

function isHeld(id: SnapshotId): Error {
  return storeError('SNAPSHOT_HELD', `Cannot forget snapshot ${id.slice(0, 8)}: it is on hold`, {
    remedy: `Release it first, if it is no longer needed: stillpoint hold ${id.slice(0, 8)} --release.`,
    context: { snapshot: id },
  });
}
