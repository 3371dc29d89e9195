import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';

/**
 * This program writes no generations and does not know what they ask of a writer; so it never runs beside a program that
 * does. Any name under gc/ is STORE_NEWER.
 */
export async function refuseGenerations(
  { backend }: StoreContext,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  for await (const { name } of backend.list('gc/', signal ? { signal } : {}))
    throw storeError(
      'STORE_NEWER',
      `Cannot back up to ${backend.location}: ${name} is there, and this program does not know prune generations`,
      { remedy: 'Use the newer Stillpoint that pruned this store.', context: { object: name } },
    );
}
