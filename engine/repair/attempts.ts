import { isBeyondUs, isForbidden, isStoreError } from '../../store/index.ts';

/**
 * The steps of a repair that write. One that fails keeps nobody from hearing what is damaged and lost: the first failure is
 * kept, to be told after that.
 */
export class Attempts {
  #failure: Error | undefined;

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** What a step gives; what it would have given in place of it where store or medium failed. Anything else ends the repair. */
  async run<T>(otherwise: T, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#failure ??= error;
      return otherwise;
    }
  }

  /** As run; nothing is begun any more once a step has failed. */
  async unlessFailed<T>(otherwise: T, step: () => Promise<T>): Promise<T> {
    return this.#failure === undefined ? this.run(otherwise, step) : otherwise;
  }
}

const failures: readonly string[] = [
  'STORE_READ_FAILED',
  'STORE_WRITE_FAILED',
  'STORE_UNPROVEN',
  'STORE_DAMAGED',
  'STORE_OBJECT_MISSING',
];

/** Who has no right to read or needs another program has seen nothing; what a prune moves looks lost. */
function isFailure(error: unknown): error is Error {
  return isStoreError(error) && !isBeyondUs(error) && !isForbidden(error) && failures.includes(error.code);
}
