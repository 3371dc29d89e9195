import { listPacks } from '../chunk-index/load.ts';
import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import { packOfParity, parityName } from '../parity/record.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Removes parity of packs that are gone. It is listed first: a parity is put after its pack, and the name of a pack is never
 * used again, so that what has no pack now will have none.
 */
export async function removeParityOfNothing(context: StoreContext, { signal }: CallOptions): Promise<void> {
  const { backend } = context;
  const call = signal ? { signal } : {};
  const packs: PackId[] = [];
  for await (const { name } of backend.list('parity/', call)) {
    const pack = packOfParity(name);
    if (pack !== undefined) packs.push(pack);
  }
  if (packs.length === 0) return;
  const there = await listPacks(context, { signal });
  const gone = packs.filter(pack => !there.has(pack));
  for (const pack of gone) await backend.delete(parityName(pack), call);
  if (gone.length > 0) await backend.sync(call);
}
