import type { StoreContext } from '../context.ts';
import { hex, type SessionId } from '../ids.ts';
import { putOwn } from '../put-own.ts';
import { sealRecord } from '../record.ts';
import { encodeIndexPart, type IndexPart } from './parts.ts';

/** Makes the packs that were put before durable, and then lists them. The part's name. */
export async function putIndexPart(
  { backend, ring, seams }: StoreContext,
  { session, ...part }: IndexPart & { readonly session: SessionId },
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  await backend.sync(signal ? { signal } : {});
  const name = `index/${session.slice(0, 32)}${hex(seams.randomness.bytes(16))}`;
  const place = { kind: 'index', session, name, randomness: seams.randomness } as const;
  await putOwn(backend, { name, parts: [sealRecord(ring, place, encodeIndexPart(part))] }, { signal });
  return name;
}
