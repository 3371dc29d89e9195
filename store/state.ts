import { listParts } from './chunk-index/load.ts';
import { isStoreError, type StillpointError } from './errors.ts';
import { readGenerations } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';

/** Whether the store has any part of an index. Without one, readers look into every pack, and a backup stores all again. */
export async function hasIndex(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  return (await listParts(insideOf(store).context, options)).length > 0;
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
