import { listParts } from './chunk-index/load.ts';
import { isStoreError, type StillpointError } from './errors.ts';
import { readGenerations } from './protocol/generations.ts';
import { insideOf, type Store } from './store.ts';

/** Whether there are packs and no part of an index: readers look into every pack then, and a backup stores all again. */
export async function lacksIndex(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  const { context } = insideOf(store);
  if ((await listParts(context, options)).length > 0) return false;
  for await (const _pack of context.backend.list('packs/', options)) return true;
  return false;
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
