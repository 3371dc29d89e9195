import {
  assertObjectName,
  assertPrefix,
  type Backend,
  checkRange,
  compareNames,
  objectMissing,
} from './backend.ts';

/** A store's objects by name. The bytes are never changed in place, so that a copied map is a snapshot. */
export type MemoryObjects = ReadonlyMap<string, Uint8Array>;

export interface MemoryBackend extends Backend {
  /** The objects as they are now; later mutations do not show. */
  snapshot(): Map<string, Uint8Array>;
}

/** Objects in memory, for tests and trials; begins with `objects`, a snapshot of another. */
export function memoryBackend({
  objects = new Map(),
  location = 'memory',
}: {
  readonly objects?: MemoryObjects;
  readonly location?: string;
} = {}): MemoryBackend {
  const held = new Map(objects);
  return {
    location,
    snapshot: () => new Map(held),
    async put(name, bytes, { signal } = {}) {
      assertObjectName(name);
      signal?.throwIfAborted();
      if (held.has(name)) return 'exists';
      held.set(name, new Uint8Array(bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes)));
      return 'created';
    },
    async sync({ signal } = {}) {
      signal?.throwIfAborted();
    },
    async get(name, options = {}) {
      assertObjectName(name);
      options.signal?.throwIfAborted();
      const bytes = held.get(name);
      if (bytes === undefined) throw objectMissing(name, location);
      const { start, end } = checkRange(name, bytes.length, options);
      return bytes.slice(start, end);
    },
    async *list(prefix, { signal } = {}) {
      assertPrefix(prefix);
      for (const name of [...held.keys()].filter(key => key.startsWith(prefix)).sort(compareNames)) {
        signal?.throwIfAborted();
        const bytes = held.get(name);
        if (bytes !== undefined) yield { name, bytes: bytes.length };
      }
    },
    async delete(name, { signal } = {}) {
      assertObjectName(name);
      signal?.throwIfAborted();
      held.delete(name);
    },
    async close() {},
  };
}
