import type { Cuts } from '../../chunker/index.ts';
import type { ChunkSink, Clock } from '../../store/index.ts';
import type { HomeRoot } from './entries/entry.ts';
import type { BytePath } from './paths.ts';
import type { HomeBase, IsSame, RememberedRows } from './rows/index.ts';
import type { FileSystemProbe } from './system/filesystem.ts';
import type { LibcLoad } from './system/libc.ts';
import type { ReadSeam } from './system/read.ts';
import type { StatSeam } from './system/stat.ts';

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
  /** .gitignore rules of files of the home that are read inside the window, whatever their times say: a database's own. */
  readonly readInWindow?: readonly string[] | undefined;
  /**
   * A home on a network file system shows attributes that may be seconds old: refused unless it is mounted with noac,
   * or with 'reread', which opens every file and reads every ref again inside the window.
   */
  readonly networkHome?: 'refuse' | 'reread' | undefined;
  /** The identity of the home's file systems, for those that have none of their own; change it when they are replaced. */
  readonly fileSystem?: string | undefined;
}

/** The home as it stood at one moment, to be read in another place. */
export interface HomeView {
  /** Where it is: an absolute path. Listed, excluded and compared as if it lay at `root`. */
  readonly path: string;
  /** Monotonic, before it was begun to be made: what changed since then is not in it. */
  readonly takenMs: number;
}

export interface HomeOptions extends HomeSettings {
  /** Read instead of `root`, and of nothing else: data stores are read where they are. */
  readonly view?: HomeView | undefined;
  readonly sink: ChunkSink;
  readonly cuts: Cuts;
  readonly clock: Clock;
  readonly base?: HomeBase | undefined;
  /** Takes the rows of this run's listings for the next one. */
  readonly remembered?: Pick<RememberedRows, 'put'> | undefined;
  /** Test seams: what the file system says of a file, which kind it is, what happens between reads, and the test itself. */
  readonly statSeam?: StatSeam | undefined;
  readonly fileSystemSeam?: FileSystemProbe | undefined;
  readonly readSeam?: ReadSeam | undefined;
  readonly isSame?: IsSame | undefined;
  /** How many threads ask about files beside this one; as many as pay unless given. */
  readonly askers?: number | undefined;
  /** Loaded unless a test gives it. */
  readonly libc?: LibcLoad | undefined;
}

export interface HomeProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface HomeScan {
  /** Everything that is no folder. */
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  /** What had to be read, because no earlier snapshot has it. */
  readonly read: { readonly files: number; readonly bytes: number };
  /** Time spent walking rather than reading: about what the window's walk will take. */
  readonly walkMs: number;
}

/** What a backup would read, found without reading. */
export interface HomeEstimate {
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  /** Files whose content would be read, and their sizes. */
  readonly changed: number;
  readonly changedBytes: number;
}

export interface HomeCapture {
  /** Files that were taken again inside the window, and new ones. */
  readonly changedInLatch: number;
  /** Bytes that wait in memory for `finish`. */
  readonly keptBytes: number;
}

/** A file of the home that is no different from others but by who writes to it. */
export interface HomeFile {
  /** Below the home, without a leading slash. */
  readonly path: BytePath;
  readonly bytes: number;
}

/** What was left out on purpose, by kind; met in folders that were listed, which unchanged ones are not. */
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
  /** Files that `readInWindow` names. */
  readonly inWindow: readonly HomeFile[];
  /** Paths that vanished or could not be read inside the window: the snapshot lacks them (exit 3). */
  readonly unreadable: readonly string[];
  /** Sentences about what a person may want to know; not failures. */
  readonly notes: readonly string[];
}

/** The home of one run: `prescan` live, `capture` inside the window, `finish` after the unlock; each once, in this order. */
export interface Home extends AsyncDisposable {
  /** Walks and compares; reads and stores nothing. Instead of the three steps. HOME_UNREADABLE. */
  estimate(options?: { signal?: AbortSignal | undefined }): Promise<HomeEstimate>;
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
