import type { StoreContext } from '../context.ts';
import { hex, type SessionId } from '../ids.ts';
import { sealRecord } from '../record.ts';
import type { ObjectKind } from '../seal/index.ts';
import type { RecordCodec } from './records.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** As of a backend's put. */
  readonly sync?: 'now' | 'deferred';
}

/** Creates one record under a name that others may try for, too: whoever is first has said it. */
export async function putRecord<T>(
  { backend, ring, seams }: StoreContext,
  {
    name,
    kind,
    codec,
    record,
    session = hex(seams.randomness.bytes(32)) as SessionId,
  }: {
    readonly name: string;
    readonly kind: ObjectKind;
    readonly codec: RecordCodec<T>;
    readonly record: T;
    readonly session?: SessionId;
  },
  { signal, sync = 'now' }: CallOptions = {},
): Promise<'created' | 'exists'> {
  const place = { kind, session, name, randomness: seams.randomness };
  return backend.put(name, sealRecord(ring, place, codec.encode(record)), {
    sync,
    ...(signal && { signal }),
  });
}
