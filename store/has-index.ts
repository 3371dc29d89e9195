import { listParts } from './chunk-index/load.ts';
import { insideOf, type Store } from './store.ts';

/** Whether the store has any part of an index. Without one, readers look into every pack, and a backup stores all again. */
export async function hasIndex(
  store: Store,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  return (await listParts(insideOf(store).context, options)).length > 0;
}
