import {
  type Backend,
  type MemoryBackend,
  type MemoryObjects,
  memoryBackend,
} from '../../store/backend/index.ts';

/** A change of a store: what a recording holds and a replay repeats. */
export type Mutation =
  | { readonly operation: 'put'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly operation: 'delete'; readonly name: string };

/** A call that a backend is asked for; `index` counts all calls from 1. */
export interface BackendCall {
  readonly index: number;
  readonly operation: 'put' | 'sync' | 'get' | 'list' | 'delete';
  /** The prefix of a list; empty for sync. */
  readonly name: string;
}

/** 'before': an error instead of the call. 'after': the call is done and an error answered, as when an acknowledgement is lost. */
export type BackendFault = (
  call: BackendCall,
) => { readonly when: 'before' | 'after'; readonly error: Error } | undefined;

export interface ObservedBackend extends Backend {
  readonly calls: readonly BackendCall[];
  /** Puts that created and deletes, in the order in which they took effect. */
  readonly mutations: readonly Mutation[];
}

/** Passes calls on, records them, and fails those that `fault` names. */
export function observedBackend(inner: Backend, fault: BackendFault = () => undefined): ObservedBackend {
  const calls: BackendCall[] = [];
  const mutations: Mutation[] = [];
  const around = async <T>(
    operation: BackendCall['operation'],
    name: string,
    work: () => Promise<T>,
  ): Promise<T> => {
    const call = { index: calls.length + 1, operation, name };
    calls.push(call);
    const answer = fault(call);
    if (answer?.when === 'before') throw answer.error;
    const result = await work();
    if (answer?.when === 'after') throw answer.error;
    return result;
  };
  return {
    location: inner.location,
    calls,
    mutations,
    put: (name, bytes, options) =>
      around('put', name, async () => {
        const whole = new Uint8Array(bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes));
        const outcome = await inner.put(name, whole, options);
        if (outcome === 'created') mutations.push({ operation: 'put', name, bytes: whole });
        return outcome;
      }),
    sync: options => around('sync', '', () => inner.sync(options)),
    get: (name, options) => around('get', name, () => inner.get(name, options)),
    async *list(prefix, options) {
      await around('list', prefix, async () => undefined);
      yield* inner.list(prefix, options);
    },
    delete: (name, options) =>
      around('delete', name, async () => {
        await inner.delete(name, options);
        mutations.push({ operation: 'delete', name });
      }),
    close: () => inner.close(),
  };
}

/** A store as it is after so many mutations, from what it was before them. */
export function replay(mutations: Iterable<Mutation>, before: MemoryObjects = new Map()): MemoryBackend {
  const objects = new Map(before);
  for (const mutation of mutations) {
    if (mutation.operation === 'put') objects.set(mutation.name, mutation.bytes);
    else objects.delete(mutation.name);
  }
  return memoryBackend({ objects });
}
