import type { BytePath } from '../paths.ts';
import type { Halves } from './raw-times.ts';

/** By which rows of one file system are judged. */
export interface Judge extends Halves {
  readonly major: number;
  readonly minor: number;
}

/** How rows are judged, the same in every thread. */
export interface SteadyRules {
  readonly root: BytePath;
  /** By file system; undefined: its rows are left to the walk. */
  readonly judges: readonly (Judge | undefined)[];
  /** True where a name more or less makes a file another one. */
  readonly comparesLinks: boolean;
  /** True where folders are not to be taken as they are. */
  readonly doubtsFolders: boolean;
  /** True where a file of Git's objects is as its folder is; see `isObjectFolder`. */
  readonly trustsObjects: boolean;
}
