import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended, Running } from '../../bench/rig/index.ts';
import type { ProcessRig } from './process-rig.ts';

/** System calls that change something on a disk. */
const calls = [
  ...['openat', 'write', 'pwrite64', 'writev', 'pwritev', 'ftruncate', 'fallocate', 'copy_file_range'],
  ...['fsync', 'fdatasync', 'link', 'linkat', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2'],
  ...[
    'mkdir',
    'mkdirat',
    'rmdir',
    'symlink',
    'symlinkat',
    'mknodat',
    'utimensat',
    'chmod',
    'fchmod',
    'fchmodat',
  ],
  ...['fchown', 'fchownat', 'lchown', 'fsetxattr', 'lsetxattr'],
];

/** The nth call of its name, of a thread. */
export interface TracedCall {
  readonly call: string;
  readonly nth: number;
  /** As the tracer shows it. */
  readonly text: string;
}

const filter = ['strace', '-f', '-qq', '-y', '-e', `trace=${calls.join(',')}`];

/** Runs the program once, and lists the calls by which it changes something in the rig's folder. */
export async function changesOf(rig: ProcessRig, args: readonly string[]): Promise<TracedCall[]> {
  const file = join(rig.folder, '..', 'trace');
  const ended = await rig.start(args, [...filter, '-o', file]).ended;
  if (ended.code !== 0)
    throw new Error(`${args.join(' ')} under strace ended with ${ended.code}: ${ended.stderr}`);
  const counts = new Map<string, number>();
  const found = new Map<string, TracedCall>();
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const [, thread, call, text = ''] = /^(\d+) +(\w+)\((.*)/.exec(line) ?? [];
    if (call === undefined) continue; // the end of one that another thread interrupted
    const nth = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, nth);
    const isChange = call === 'openat' ? text.includes('O_CREAT') || text.includes('O_TMPFILE') : true;
    if (isChange && text.includes(rig.folder))
      found.set(`${call} ${nth}`, { call, nth, text: text.slice(0, 160) });
  }
  return [...found.values()];
}

/** Whether an injected call had to do with something else: the nth of another thread, which may end Node by itself. */
export function hasMissed(rig: ProcessRig, trace: string): boolean {
  const lines = readFileSync(trace, 'latin1').split('\n');
  return lines.some(line => line.includes('(INJECTED)') && !line.includes(rig.folder));
}

/** Runs the program with something done to that call: `signal=KILL`, `error=EIO`. */
export function runInjected(
  rig: ProcessRig,
  args: readonly string[],
  { call, nth, what, trace = '/dev/null' }: Injected,
): Running {
  const under = ['strace', '-f', '-qq', '-y', '-o', trace, '-e', `trace=${call}`];
  return rig.start(args, [...under, '-e', `inject=${call}:${what}:when=${nth}`]);
}

interface Injected {
  readonly call: string;
  readonly nth: number;
  readonly what: string;
  /** Where the tracer writes. */
  readonly trace?: string;
}

/** The tracer dies by the signal that its tracee died of, or says 128 and more. */
export function wasKilled({ code }: Ended): boolean {
  return code === null || code === 137;
}
