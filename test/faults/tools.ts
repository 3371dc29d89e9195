import { spawnSync } from 'node:child_process';

/** What suites of whole machines need beside Node: the tool, and the system's package that has it. */
const packages = {
  strace: 'strace',
  faketime: 'faketime',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
} as const;

export type Tool = keyof typeof packages;

/** Why a tool cannot be used here, or undefined; `install`: gets it from the system's packages where that may be done. */
export function whyNot(tool: Tool, { install }: { readonly install: boolean }): string | undefined {
  if (process.platform !== 'linux') return `${tool} needs Linux`;
  if (isThere(tool)) return undefined;
  const name = packages[tool];
  if (!install) return `${tool} is not installed (package ${name})`;
  if (process.getuid?.() !== 0) return `${tool} is not installed, and only root may install package ${name}`;
  if (!isThere('apt-get'))
    return `${tool} is not installed, and there is no apt-get to install package ${name}`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stderr } = spawnSync('apt-get', ['install', '-y', '-q', name], { env, encoding: 'utf8' });
  if (isThere(tool)) return undefined;
  return `${tool} is not installed, and apt-get install ${name} ended with ${status}: ${stderr.trim().split('\n').at(-1)}`;
}

function isThere(tool: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;
}

/** Why no process may be traced here. */
export function whyNoTracing(options: { readonly install: boolean }): string | undefined {
  const why = whyNot('strace', options);
  if (why !== undefined) return why;
  const { status, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `strace may not trace here: ${stderr.trim()}`;
}
