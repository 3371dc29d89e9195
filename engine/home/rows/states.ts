/** What the file system says of a file or folder, as far as it tells whether the content can have changed. */
export interface State {
  /** Bytes; 0 for folders. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}

/** When a scan began by the file system's own clock, and how far apart two times must be to be told apart. */
export interface Look {
  readonly startedNs: bigint;
  readonly marginNs: bigint;
}

/** Decides whether what was read at the first look is still what is there. Replaced in tests by a weaker one. */
export type IsSame = (first: State, now: State, look: Look) => boolean;

/** For a view, in which nothing changes: equal is the same, however new. Says nothing about a later view. */
export const isEqual: IsSame = (first, now) =>
  first.size === now.size &&
  first.mtimeNs === now.mtimeNs &&
  first.ctimeNs === now.ctimeNs &&
  first.ino === now.ino;

/**
 * True only when nothing can have changed since the first look. Equal times are not enough: a second write within the
 * granularity of the first leaves no trace, so a state counts only when it was already old when the look began.
 */
export const isSame: IsSame = (first, now, look) => isEqual(first, now, look) && isSettled(first, look);

/** True when both times are clearly older than the look: a later write must show. */
export function isSettled(state: Pick<State, 'mtimeNs' | 'ctimeNs'>, look: Look): boolean {
  const limitNs = look.startedNs - look.marginNs;
  return state.mtimeNs < limitNs && state.ctimeNs < limitNs;
}
