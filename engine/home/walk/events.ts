import type { BytePath } from '../paths.ts';
import type { KnownRows } from '../rows/index.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import type { GitPlace } from '../rules/git-places.ts';
import type { SteadyRows } from '../steady/index.ts';
import type { StatCalls, Stats } from '../system/stat.ts';

/** Something the walk met that its caller has to act upon. Paths are absolute. */
export type WalkEvent =
  /** New, or not provably the same as at the first look. What is in a folder follows until its `leave`. */
  | { readonly kind: 'found'; readonly entry: Found }
  /** Everything below the folder that was found last, and not left yet, has been told. */
  | { readonly kind: 'leave' }
  /** Rows of the first look that still hold, from one up to and without the other; folders before what is in them. */
  | { readonly kind: 'same'; readonly from: number; readonly to: number }
  | { readonly kind: 'left-out'; readonly path: BytePath; readonly why: 'excluded' | 'socket' | 'git' }
  /** Was listed, and is gone. */
  | { readonly kind: 'vanished'; readonly path: BytePath }
  | {
      readonly kind: 'unreadable';
      readonly path: BytePath;
      readonly error: unknown;
      /** The row of its folder, when that is one of the first look's that still holds. */
      readonly inside?: number | undefined;
    };

export interface Found {
  readonly path: BytePath;
  readonly name: BytePath;
  readonly depth: number;
  readonly stats: Stats;
  /** Where the folder is, or the file's folder. */
  readonly place: GitPlace;
  /** Its row of the first look, if there was one with this name and kind. */
  readonly first: number | undefined;
}

/** The folder in which something was met. */
export interface Where {
  readonly path: BytePath;
  readonly place: GitPlace;
}

export interface WalkOptions {
  readonly root: BytePath;
  readonly stat: StatCalls;
  readonly isExcluded: IsExcluded;
  /** An earlier look; without one everything is found. */
  readonly first?: KnownRows | undefined;
  /** Decides whether a row of the first look still holds. Never asked about a thing of another kind. */
  readonly isSame?: ((at: number, now: Stats, where: Where) => boolean) | undefined;
  /** Rows of the first look about which this was asked already: they hold. */
  readonly steady?: SteadyRows | undefined;
}
