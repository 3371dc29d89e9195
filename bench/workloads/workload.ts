import type { WorkloadResult } from '../compare/result.ts';

export interface WorkloadOptions {
  /** An empty folder; the caller removes it. */
  readonly folder: string;
  readonly rounds: number;
  /** Little data, for a check that all of it works. */
  readonly quick: boolean;
  readonly seed: number;
  readonly say: (line: string) => void;
  /** Names of peers that are left out. */
  readonly without?: readonly string[];
}

export interface Workload {
  readonly name: string;
  readonly about: string;
  run(options: WorkloadOptions): Promise<WorkloadResult>;
}
