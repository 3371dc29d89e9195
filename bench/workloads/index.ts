import { database } from './database.ts';
import { growth } from './growth.ts';
import { loop } from './loop.ts';
import { packs } from './packs.ts';
import { repack } from './repack.ts';
import { smallFiles } from './small-files.ts';
import { window } from './window.ts';
import type { Workload } from './workload.ts';

export type { Workload } from './workload.ts';

export const workloads: readonly Workload[] = [smallFiles, packs, repack, database, window, growth, loop];
