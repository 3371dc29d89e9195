import type { StoreContext } from '../context.ts';
import { type OpenKeys, renewKeys, underLaterKeys } from '../keys/index.ts';
import { hasIndexChanged, type LoadedIndex, loadIndex } from './load.ts';
import { failedRead, type StoreProblem } from './masks.ts';

/** So often an index that the medium fails to read is loaded again at once, and once in so long after that. */
const failedLoadsMax = 3;
const failedLoadsEveryMs = 30_000;

type LoadOptions = Parameters<typeof loadIndex>[1];

/** The index that the readers of an open store share: loaded once, and again where it did not suffice. */
export class CurrentIndex {
  /** What could not be read so far, each object once. */
  readonly problems: StoreProblem[] = [];
  readonly #context: StoreContext;
  readonly #keys: OpenKeys;
  #loading: Promise<LoadedIndex> | undefined;
  #latest: LoadedIndex | undefined;
  #failedLoads = 0;
  #failedMs = 0;

  constructor(context: StoreContext, keys: OpenKeys) {
    this.#context = context;
    this.#keys = keys;
  }

  /** What was loaded last. */
  get latest(): LoadedIndex | undefined {
    return this.#latest;
  }

  /** For one purpose; readers go on with theirs, see `use`. */
  async load(options: LoadOptions = {}): Promise<LoadedIndex> {
    const { backend } = this.#context;
    const keys = this.#keys;
    // What others list may be of an epoch that began since.
    await renewKeys(backend, keys);
    const result = await underLaterKeys({ backend, keys }, () => loadIndex(this.#context, options));
    this.#latest = result;
    for (const problem of result.problems)
      if (!this.problems.some(known => known.object === problem.object)) this.problems.push(problem);
    return result;
  }

  /** The one that is there. */
  get(): Promise<LoadedIndex> {
    return this.#loading ?? this.#loadAgain({});
  }

  /** From now on readers have this one. */
  use(loaded: LoadedIndex): void {
    this.#loading = Promise.resolve(loaded);
  }

  /** What is known beyond an index that did not suffice: newer parts, and what packs that none lists say themselves. */
  async after(loaded: LoadedIndex): Promise<LoadedIndex> {
    const current = await this.get();
    if (current !== loaded) return current;
    if (loaded.hasTrailers && !this.#mayBeReadNow(loaded) && !(await hasIndexChanged(this.#context, loaded)))
      return loaded;
    // Of many readers that miss something at once, one loads.
    const latest = await this.get();
    return latest === loaded ? this.#loadAgain({ trailers: 'always' }) : latest;
  }

  #loadAgain(options: LoadOptions): Promise<LoadedIndex> {
    const attempt = this.load(options);
    this.#loading = attempt;
    attempt.catch(() => {
      if (this.#loading === attempt) this.#loading = undefined; // the next reader tries again
    });
    return attempt;
  }

  /** Where the medium failed to read a part of the index it may have recovered since; not for every chunk of a restore. */
  #mayBeReadNow({ problems }: LoadedIndex): boolean {
    if (failedRead(problems) === undefined) {
      this.#failedLoads = 0;
      return false;
    }
    const nowMs = this.#context.seams.clock.monotonicMs();
    if (this.#failedLoads >= failedLoadsMax && nowMs - this.#failedMs < failedLoadsEveryMs) return false;
    this.#failedLoads += 1;
    this.#failedMs = nowMs;
    return true;
  }
}
