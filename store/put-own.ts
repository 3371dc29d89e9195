import type { Backend } from './backend/index.ts';
import { storeError } from './errors.ts';

export interface PutOwnOptions {
  readonly sync?: 'now' | 'deferred';
  readonly signal?: AbortSignal | undefined;
}

/**
 * Creates an object whose name nobody else would choose. 'exists' with our own bytes means that an acknowledgement was
 * lost on the way: success. With other bytes: STORE_WRITE_FAILED.
 */
export async function putOwn(
  backend: Backend,
  { name, parts }: { readonly name: string; readonly parts: readonly Uint8Array[] },
  options: PutOwnOptions = {},
): Promise<void> {
  const { signal, sync = 'now' } = options;
  const answer = await backend.put(name, parts, { sync, ...(signal && { signal }) });
  if (answer === 'created' || (await holds(backend, { name, parts }))) return;
  throw storeError('STORE_WRITE_FAILED', `Cannot create ${name}: another object has the name`, {
    remedy: 'Run the command again; names are random.',
    context: { object: name },
  });
}

/** Whether the object is there with exactly these bytes. */
export async function holds(
  backend: Backend,
  { name, parts }: { readonly name: string; readonly parts: readonly Uint8Array[] },
): Promise<boolean> {
  return Buffer.compare(await backend.get(name), Buffer.concat(parts)) === 0;
}
