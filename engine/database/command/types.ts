import type { Command } from '../../command/index.ts';
import type { CommandPlace } from '../../hooks.ts';

/** A database that is dumped and restored by commands of the administrator. */
export interface CommandAddress {
  readonly type: 'command';
  /** Makes the dump; null where this machine only restores. */
  readonly dump: Command | null;
  /** Whether what it prints is the dump, or its last line the id of what somebody else keeps. */
  readonly output: 'dump' | 'id';
  /** Runs inside the window and prints what names the view that it pinned; the dump then runs after the unlock. */
  readonly pin: Command | null;
  /** Lets the view go, on every path out. */
  readonly unpin: Command | null;
  /** Ends with 0 where a restore may write into the target. */
  readonly check: Command | null;
  /** Reads the dump on stdin. */
  readonly restore: Command | null;
  /** What all of them are told. */
  readonly place: CommandPlace;
  /** What `restore --database` said; null for a backup. */
  readonly target: string | null;
}
