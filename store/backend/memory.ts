import { storeError } from '../errors.ts';
import { assertObjectName, assertPrefix, type Backend, compareNames, type GetOptions } from './backend.ts';

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

export function objectMissing(name: string, location: string): Error {
  return storeError('STORE_OBJECT_MISSING', `Cannot read ${name} in ${location}: there is no such object`, {
    context: { object: name },
  });
}

/** The range asked for, which must lie within the object's size. */
export function checkRange(
  name: string,
  size: number,
  { offset = 0, length, bytesMax }: GetOptions,
): { readonly start: number; readonly end: number } {
  if (bytesMax !== undefined && size > bytesMax) {
    throw storeError(
      'STORE_DAMAGED',
      `Cannot read ${name}: it is ${size} bytes, at most ${bytesMax} are plausible`,
      {
        context: { object: name },
      },
    );
  }
  const end = length === undefined ? size : offset + length;
  if (offset > end || end > size) {
    throw storeError(
      'STORE_DAMAGED',
      `Cannot read ${name}: it ends at byte ${size}, need ${Math.max(offset, end)}`,
      {
        remedy: 'Run `stillpoint verify --read-data` to see what else is damaged.',
        context: { object: name },
      },
    );
  }
  return { start: offset, end };
}
