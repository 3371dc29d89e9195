import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import { listSessions } from '../protocol/sessions.ts';

/** Tells of a pack whether the session that wrote it is there. */
export async function aliveSessions(
  context: StoreContext,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<(pack: PackId) => boolean> {
  const sessions = new Set([...(await listSessions(context, options)).keys()].map(id => id.slice(0, 32)));
  return pack => sessions.has(pack.slice(0, 32));
}
