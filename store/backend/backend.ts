import { storeError } from '../errors.ts';

/**
 * Where objects lie. What the medium must guarantee, and the contract suite (`test/store/backend/contract.ts`) proves as
 * far as one process can:
 *
 * 1. Create-only: of any number of puts of one name, from any number of hosts, exactly one answers 'created'; nobody
 *    ever overwrites. An object whose put is repeated after a lost acknowledgement is not a second object.
 * 2. Whole or absent: whoever reads a name, at any time, after any crash, gets all bytes of one put or "missing".
 * 3. Durable: what a put reported survives a power cut once the put (or, deferred, the next `sync`) has resolved.
 * 4. Visible: an object whose put has resolved appears in every list that begins later, on every host.
 * 5. Errors are errors: a list that fails throws; it never ends early and never answers "nothing there".
 *
 * Not asked for: renaming, appending, modification times, locks, ordering between different names.
 */
export interface Backend {
  /** For messages. */
  readonly location: string;
  /**
   * Creates an object, unless the name is taken. The bytes (or parts, joined) may be reused when the promise resolves.
   * STORE_WRITE_FAILED: the object may or may not exist, and the run must end. STORE_UNPROVEN: the medium cannot do it.
   */
  put(
    name: string,
    bytes: Uint8Array | readonly Uint8Array[],
    options?: PutOptions,
  ): Promise<'created' | 'exists'>;
  /** Makes durable what was put with `sync: 'deferred'`, and deletes. STORE_WRITE_FAILED. */
  sync(options?: CallOptions): Promise<void>;
  /**
   * All bytes of an object, or a range that must lie within it; the memory is the caller's. STORE_OBJECT_MISSING;
   * STORE_READ_FAILED when the medium fails; STORE_DAMAGED when the object is shorter than the range or longer than `bytesMax`.
   */
  get(name: string, options?: GetOptions): Promise<Uint8Array>;
  /**
   * Objects whose name begins with the prefix, in order of their names' bytes (`gc/10` before `gc/9`). Temporary files and
   * names that no object can have are left out. An object that appears or goes meanwhile may be in or out. STORE_READ_FAILED.
   */
  list(prefix: string, options?: CallOptions): AsyncIterable<ListedObject>;
  /** Removes an object; one that is absent is fine. Durable after the next `sync`. STORE_WRITE_FAILED. */
  delete(name: string, options?: CallOptions): Promise<void>;
  /**
   * Removes what writes that never ended left beside the objects, where the medium has such a thing and it has not
   * changed for a day: whoever writes so slowly has to write again. How many there were.
   */
  removeLeftovers?(options: LeftoverOptions): Promise<number>;
  /** Bytes that may still be written, as far as the medium knows; undefined where it does not. */
  freeBytes?(): Promise<number | undefined>;
  /** Sets room aside for a prune, where the medium is one that fills up. That it fails is no matter. */
  keepReserve?(): Promise<void>;
  /** Gives that room back. False: there was none. */
  giveReserve?(): Promise<boolean>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface LeftoverOptions extends CallOptions {
  /** Wall clock. */
  readonly nowMs: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CallOptions {
  /** 'deferred': the bytes are durable on return, the name only after `sync`. Default 'now'. */
  readonly sync?: 'now' | 'deferred';
}

export interface GetOptions extends CallOptions {
  /** Bytes from the start; default 0. With `length`, a range. */
  readonly offset?: number;
  readonly length?: number;
  /** A larger object is STORE_DAMAGED and is not read, since a stranger may decide its size; 256 MiB unless given. */
  readonly bytesMax?: number;
}

export interface ListedObject {
  readonly name: string;
  readonly bytes: number;
}

/** The longest name of an object. */
export const nameLengthMax = 200;

const pattern = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*){0,3}$/;

/** Names are one to four segments of `a-z 0-9 . _ -` joined by `/`, each beginning with a letter or digit. */
export function isObjectName(name: string): boolean {
  return name.length <= nameLengthMax && pattern.test(name);
}

/** A mistake of the caller, never of a store. */
export function assertObjectName(name: string): void {
  if (!isObjectName(name)) throw new TypeError(`${JSON.stringify(name)} is no name of an object`);
}

/** A prefix is the beginning of a name: empty, or segments of which the last may be cut short or empty. */
export function assertPrefix(prefix: string): void {
  if (prefix !== '' && !isObjectName(`${prefix}0`)) {
    throw new TypeError(`${JSON.stringify(prefix)} is no prefix of a name`);
  }
}

/** Names in the order of their bytes; they are ASCII, so code units will do. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function objectMissing(name: string, location: string): Error {
  return storeError('STORE_OBJECT_MISSING', `Cannot read ${name} in ${location}: there is no such object`, {
    context: { object: name },
  });
}

/** No object that is read whole comes near: a pack has 64 MiB of frames, and a part of the index some 8 MiB. */
const wholeBytesMax = 256 * 1024 * 1024;

/** The range asked for, which must lie within the object's size. */
export function checkRange(
  name: string,
  size: number,
  { offset = 0, length, bytesMax = length === undefined ? wholeBytesMax : undefined }: GetOptions,
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
