import { loadIndex } from './chunk-index/load.ts';
import type { StoreProblem } from './chunk-index/masks.ts';
import type { StillpointError } from './errors.ts';
import type { SnapshotId } from './ids.ts';
import { listManifestIds, listMarkedIds } from './manifests.ts';
import { whyStopped } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';

/** What a backup would find wrong with the index and the packs that it lists: each object with its error. */
export async function problemsForWriters(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly StoreProblem[]> {
  const { problems } = await loadIndex(insideOf(store).context, { ...options, purpose: 'write' });
  return problems;
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
  return whyStopped(insideOf(store).context, options);
}
