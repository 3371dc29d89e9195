import { execFileSync } from 'node:child_process';
import type { Cost } from '../compare/cost.ts';

/** A way to back up a folder, ours or another. */
export interface Peer {
  readonly name: string;
  /** What it is, with its version; undefined where it is not on this machine. */
  readonly version: string | undefined;
  /** How to get it. */
  readonly install: string;
  /** How exactly it keeps a file's time. */
  readonly timeStepNs: bigint;
  /** Makes a fresh store in an empty folder. */
  open(folder: string): Promise<PeerStore>;
}

export interface PeerStore {
  /** Backs up everything below a folder. */
  backUp(source: string): Promise<Cost>;
  /** Restores the newest backup into an empty folder. */
  restore(target: string): Promise<Cost>;
  /** Where all that it stored lies. */
  readonly folder: string;
}

/** The first line that a program says of itself; undefined when there is none. */
export function versionOf(command: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')[0]
      ?.trim();
  } catch {
    return undefined;
  }
}
