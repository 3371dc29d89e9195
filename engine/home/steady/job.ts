import { availableParallelism } from 'node:os';
import { startWorkers, type WorkerPool } from '../../../store/index.ts';
import {
  ByteArena,
  type Columns,
  ContentArena,
  EntryTable,
  type Origin,
  RowSequence,
  XattrSets,
} from '../rows/index.ts';
import type { Statx } from '../system/libc.ts';
import { lookAtBlocks, type SteadyWork } from './blocks.ts';
import type { SteadyRules } from './judge.ts';
import { SteadyPass } from './pass.ts';

/** Threads that ask about rows beside the main one. */
export type Askers = WorkerPool<SteadyJob, null>;

/** A part of the rows of one look, as much as one thread comes to; all in memory that threads share. */
export interface SteadyJob {
  readonly tables: readonly SharedTable[];
  /** Three numbers each: table, from, to. */
  readonly runs: Uint32Array;
  readonly rules: SteadyRules;
  readonly work: SteadyWork;
}

interface SharedTable {
  readonly count: number;
  readonly columns: Columns;
  readonly names: readonly Uint8Array[];
}

/** A thread costs 50 ms to start, before the window, and takes off half a microsecond a row in it. */
const threadsFromRows = 50_000;
/** With the main one. The database and the application want processors, too. */
const threadsMax = 4;

/** Undefined where threads would not pay, or there is no processor for them. `threads` are those beside this one. */
export function startAskers(rows: number, threads: number | undefined): Askers | undefined {
  const isWorthIt = threads !== undefined || rows >= threadsFromRows;
  const size = threads ?? Math.min(threadsMax, availableParallelism()) - 1;
  if (!isWorthIt || size < 1) return undefined;
  return startWorkers({ program, size, data: null, onEnd: threadEnded });
}

const program = new URL('./steady-main.js', import.meta.url);
/** Nobody hears of it: what a thread did not mark the walk asks about. */
const threadEnded = (cause: unknown): Error => new Error('A thread that asks about files ended', { cause });

const isShared = ({ buffer }: ArrayBufferView): boolean => buffer instanceof SharedArrayBuffer;

/** Whether another thread could see the rows. Those of a cache are where the cache put them. */
export function areShared(rows: RowSequence): boolean {
  for (const { table } of rows.runs()) {
    const { columns, names } = table.parts;
    if (!Object.values(columns).every(isShared) || !names.blocks.every(isShared)) return false;
  }
  return true;
}

export function jobOf(rows: RowSequence, parts: Pick<SteadyJob, 'rules' | 'work'>): SteadyJob {
  const tables: EntryTable[] = [];
  const runs: number[] = [];
  for (const { table, from, to } of rows.runs()) {
    if (!tables.includes(table)) tables.push(table);
    runs.push(tables.indexOf(table), from, to);
  }
  return {
    ...parts,
    tables: tables.map(({ parts: { count, columns, names } }) => ({ count, columns, names: names.blocks })),
    runs: Uint32Array.from(runs),
  };
}

/** The work of one thread. */
export function runSteadyJob({ tables, runs, rules, work }: SteadyJob, statx: Statx): void {
  const rows = new RowSequence(tables.map(tableOf));
  for (let i = 0; i < runs.length; i += 3) rows.push(runs[i] as Origin, runs[i + 1]!, runs[i + 2]!);
  const pass = new SteadyPass({ rows, marks: work.marks, rules, statx });
  try {
    for (const _ of lookAtBlocks(pass, work));
  } finally {
    pass.close();
  }
}

function tableOf({ count, columns, names }: SharedTable): EntryTable {
  return EntryTable.of({
    count,
    columns,
    names: ByteArena.ofBlocks(names),
    contents: new ContentArena(),
    xattrs: new XattrSets(),
    devices: new Map(),
  });
}
