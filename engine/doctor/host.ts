import { readFile } from 'node:fs/promises';
import type { Check } from './check.ts';
import { sizeText } from './disk.ts';
import { bad, type Finding, good, warn } from './finding.ts';

const name = 'host';
const nodeMin = [20, 19] as const;
const filesMin = 1_024;
/** What changed in the window waits in memory (256 MiB), beside the index of the store and the buffers of COPY. */
const memoryMin = 768 * 1024 ** 2;

/** What a test says that the machine is. */
export interface HostSeams {
  readonly nodeVersion?: string;
  /** Text of a file of /proc or /sys; undefined: there is none. */
  readonly readText?: (path: string) => Promise<string | undefined>;
}

/** Node, and what this machine lets a process have. */
export function checkHost({
  nodeVersion = process.versions.node,
  readText = readOrNothing,
}: HostSeams = {}): Check {
  return {
    name,
    async run() {
      return [
        judgeNode(nodeVersion),
        ...judgeFiles(await readText('/proc/self/limits')),
        ...judgeMemory(await readText('/proc/meminfo'), await readText('/sys/fs/cgroup/memory.max')),
      ];
    },
  };
}

async function readOrNothing(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined); // not a Linux, or not in a control group
}

function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < nodeMin[0] || (major === nodeMin[0] && minor < nodeMin[1]);
  if (!isOld) return good(name, `Node ${version}`);
  const found = `Node ${version} is older than ${nodeMin.join('.')}`;
  return bad(name, { found, remedy: `Install Node ${nodeMin.join('.')} or newer.` });
}

function judgeFiles(limits: string | undefined): Finding[] {
  const soft = /^Max open files\s+(\d+)/m.exec(limits ?? '')?.[1];
  if (soft === undefined || Number(soft) >= filesMin) return [];
  const found = `a process may open ${soft} files`;
  return [
    warn(name, { found, remedy: `Raise it to ${filesMin} or more: ulimit -n, or LimitNOFILE= of the unit.` }),
  ];
}

function judgeMemory(meminfo: string | undefined, groupMax: string | undefined): Finding[] {
  const kib = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo ?? '')?.[1];
  const limits = [
    ...(kib === undefined ? [] : [{ bytes: Number(kib) * 1024, of: 'is available' }]),
    ...(/^\d+\s*$/.test(groupMax ?? '')
      ? [{ bytes: Number(groupMax), of: 'is all that this control group may have' }]
      : []),
  ];
  const low = limits.find(({ bytes }) => bytes < memoryMin);
  if (!low) return [];
  const found = `${sizeText(low.bytes)} of memory ${low.of}; a backup may need ${sizeText(memoryMin)}`;
  return [warn(name, { found, remedy: 'Give the machine, or MemoryMax= of the unit, more memory.' })];
}
