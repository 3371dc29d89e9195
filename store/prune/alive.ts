import type { StoreContext } from '../context.ts';
import type { PackId, SessionId } from '../ids.ts';
import { listSessions } from '../protocol/sessions.ts';

/** Tells of a pack whether the session that wrote it is there. */
export async function aliveSessions(
  context: StoreContext,
  {
    dead = new Set(),
    signal,
  }: { readonly dead?: ReadonlySet<SessionId> | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<(pack: PackId) => boolean> {
  const ids = [...(await listSessions(context, { signal })).keys()].filter(id => !dead.has(id));
  return isOfOne(ids);
}

/** Tells of a pack whether one of these sessions wrote it. */
export function isOfOne(ids: Iterable<SessionId>): (pack: PackId) => boolean {
  const beginnings = new Set([...ids].map(id => id.slice(0, 32)));
  return pack => beginnings.has(pack.slice(0, 32));
}
