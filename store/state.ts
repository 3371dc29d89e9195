import { listParts } from './chunk-index/load.ts';
import { isStoreError, type StillpointError } from './errors.ts';
import type { SnapshotId } from './ids.ts';
import { listManifestIds, listMarkedIds } from './manifests.ts';
import { readGenerations } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';

/** Whether there are packs and no part of an index: whoever reads or writes asks every pack then. */
export async function lacksIndex(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  const { context } = insideOf(store);
  if ((await listParts(context, options)).length > 0) return false;
  for await (const _pack of context.backend.list('packs/', options)) return true;
  return false;
}

/** Whether a snapshot is there, as far as its name says, or was forgotten: one of both is so for ever. */
export async function isNamed(
  store: Store,
  id: SnapshotId,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  const { context } = insideOf(store);
  // In this order: who forgets makes the mark before the manifest goes.
  const there = await listManifestIds(context, options);
  return there.includes(id) || (await listMarkedIds(context, options)).includes(id);
}

/** Why no backup and no prune can go on, where what stands under gc/ is why; undefined: they can. */
export async function whyWritersStop(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<StillpointError | undefined> {
  try {
    await readGenerations(insideOf(store).context, options);
    return undefined;
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return error;
  }
}
