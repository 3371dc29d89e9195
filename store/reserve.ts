import type { StoreContext } from './context.ts';
import { isFull } from './medium-error.ts';

/** Where a full medium leaves no room to begin, gives up what was set aside for a prune, and tries again. */
export async function withReserve<T>(
  { backend }: Pick<StoreContext, 'backend'>,
  begin: () => Promise<T>,
): Promise<T> {
  try {
    return await begin();
  } catch (error) {
    if (!isFull(error) || !(await backend.giveReserve?.())) throw error;
    return begin();
  }
}

/** As withReserve, for what is small: what is left of the room is set aside again. */
export async function withReserveForRecords<T>(
  context: Pick<StoreContext, 'backend'>,
  write: () => Promise<T>,
): Promise<T> {
  let attempts = 0;
  const result = await withReserve(context, () => {
    attempts += 1;
    return write();
  });
  if (attempts > 1) await context.backend.keepReserve?.();
  return result;
}
