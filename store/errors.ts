/** What went wrong in the store. Every code has an exit code in `cli/exit-codes.ts`. */
export type StoreErrorCode =
  | 'STORE_MISSING' // no store at this place
  | 'STORE_NOT_EMPTY' // init: the place holds something that is no store
  | 'STORE_EXISTS' // init: there is a store already
  | 'STORE_NEWER' // format version or mandatory feature unknown to this program
  | 'STORE_WRONG_PASSPHRASE'
  | 'STORE_WRONG_KEY' // the key file of a write-only host is of another store, or not one any more
  | 'STORE_KEYS_BACK' // objects are of later epochs than the newest ring in keys/: an old keys/ was put back
  | 'STORE_KEY_OLD' // the key file of a write-only host was made before the epoch of what it met
  | 'STORE_WRITE_ONLY' // a write-only host was asked for what only a passphrase opens
  | 'STORE_DAMAGED' // bytes that do not match their checksum, seal or id
  | 'STORE_OBJECT_MISSING' // an object that something else refers to is not there
  | 'STORE_WRITE_FAILED' // the medium refused or lost a write; the run is aborted
  | 'STORE_READ_FAILED' // the medium failed to read (not: wrong bytes)
  | 'STORE_LOCKED' // another run holds what this one needs
  | 'STORE_UNPROVEN' // create-only writes could not be proven on this medium
  | 'STORE_IMPLAUSIBLE' // what the medium lists cannot be all that there is
  | 'STORE_HOST_REFUSED' // a write-only host that is there already, or not
  | 'STORE_SLOT_UNKNOWN' // no key slot has this id or label
  | 'STORE_SLOT_AMBIGUOUS' // several have
  | 'STORE_SLOT_REFUSED' // what was asked would leave too few key slots, or too many
  | 'SNAPSHOT_UNKNOWN'
  | 'SNAPSHOT_HELD' // a hold keeps it from being forgotten
  | 'SNAPSHOT_AMBIGUOUS';

export interface ErrorDetails {
  /** What the reader can do about it: one sentence, imperative. */
  readonly remedy?: string;
  /** Facts for logs and JSON; never secrets. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error class. `message` reads "Cannot verb object: state found"; `remedy` says what to do.
 * `Code` is the code table of the folder that throws: StoreErrorCode here, EngineErrorCode in the engine.
 */
export class StillpointError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly remedy: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'StillpointError';
    this.code = code;
    this.remedy = details.remedy;
    this.context = details.context ?? {};
  }
}

/** Makes a store error; the engine never makes one, so an error with a store code always aborts the commit. */
export function storeError(
  code: StoreErrorCode,
  message: string,
  details?: ErrorDetails,
): StillpointError<StoreErrorCode> {
  return new StillpointError(code, message, details);
}

/** True for an error of the store itself: the medium, the format or the keys, never the source being backed up. */
export function isStoreError(error: unknown): error is StillpointError<StoreErrorCode> {
  return (
    error instanceof StillpointError &&
    (error.code.startsWith('STORE_') || error.code.startsWith('SNAPSHOT_'))
  );
}

/** True where something is whole, as far as can be seen, and needs a newer program or later keys: that is no damage. */
export function isBeyondUs(error: unknown): boolean {
  return isStoreError(error) && ['STORE_NEWER', 'STORE_KEY_OLD', 'STORE_KEYS_BACK'].includes(error.code);
}
