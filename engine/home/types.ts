import type { Cuts } from '../../chunker/index.ts';
import type { ChunkSink, Clock, ListingRoot, Randomness } from '../../store/index.ts';
import type { FileSystemProbe } from './filesystem.ts';
import type { LibcLoad } from './libc.ts';
import type { ReadSeam } from './read.ts';
import type { StatSeam } from './stat.ts';
import type { IsSame } from './states.ts';

/** What a person configures. Paths are absolute. */
export interface HomeSettings {
  readonly root: string;
  /** Further roots, paths or globs; each becomes a listing of its own. */
  readonly dataStores?: readonly string[] | undefined;
  /** .gitignore rules; a leading / is the home. */
  readonly exclude?: readonly string[] | undefined;
  /** Ids of repositories that are left out. */
  readonly excludeRepositories?: readonly (string | number)[] | undefined;
  /** The application's own excludes, applied before `exclude`; none unless given. See `bitbucketExcludes`. */
  readonly appExcludes?: readonly string[] | undefined;
  /**
   * A home on a network file system shows attributes that may be seconds old: refused unless it is mounted with noac,
   * or with 'reread', which opens every file and reads every ref again inside the window.
   */
  readonly networkHome?: 'refuse' | 'reread' | undefined;
}

export interface HomeOptions extends HomeSettings {
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly clock: Clock;
  readonly randomness?: Randomness | undefined;
  /** Test seams: what the file system says of a file, which kind it is, what happens between reads, and the test itself. */
  readonly statSeam?: StatSeam | undefined;
  readonly fileSystemSeam?: FileSystemProbe | undefined;
  readonly readSeam?: ReadSeam | undefined;
  readonly isSame?: IsSame | undefined;
  /** Loaded unless a test gives it. */
  readonly libc?: LibcLoad | undefined;
}

export interface HomeProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface HomeScan {
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
}

export interface HomeCapture {
  /** Files that were taken again inside the window, and new ones. */
  readonly changedInLatch: number;
  /** Bytes that wait in memory for `finish`. */
  readonly keptBytes: number;
}

/** One stored folder tree. */
export interface HomeRoot {
  /** Absolute, as bytes. */
  readonly path: Uint8Array;
  readonly listing: ListingRoot;
}

/** What was left out on purpose, by kind. */
export interface HomeSkipped {
  readonly excluded: number;
  readonly sockets: number;
  readonly gitLeftOvers: number;
}

export interface HomeResult {
  readonly roots: readonly HomeRoot[];
  /** Everything that is no folder. */
  readonly files: number;
  readonly folders: number;
  /** Sum of file sizes; holes count. */
  readonly bytes: number;
  /** Files whose content was read rather than taken over from an earlier snapshot. */
  readonly changed: number;
  readonly changedInLatch: number;
  readonly skipped: HomeSkipped;
  /** Paths that vanished or could not be read inside the window: the snapshot lacks them (exit 3). */
  readonly unreadable: readonly string[];
  /** Sentences about what a person may want to know; not failures. */
  readonly notes: readonly string[];
}

/** The home of one run: `prescan` live, `capture` inside the window, `finish` after the unlock; each once, in this order. */
export interface Home extends AsyncDisposable {
  /** Walks, reads and stores everything while the application runs. HOME_UNREADABLE. */
  prescan(options?: {
    signal?: AbortSignal | undefined;
    onProgress?: ((progress: HomeProgress) => void) | undefined;
  }): Promise<HomeScan>;
  /**
   * Looks at everything again and takes again what is not provably the same. Files up to `budgetBytes` in all are
   * kept in memory for `finish`; what does not fit is stored at once.
   */
  capture(options: { signal?: AbortSignal | undefined; budgetBytes: number }): Promise<HomeCapture>;
  /** Stores what capture kept and builds a listing for each root. */
  finish(options?: { signal?: AbortSignal | undefined }): Promise<HomeResult>;
}
