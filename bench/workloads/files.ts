import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { type Cost, costOf } from '../compare/cost.ts';
import { placeFor } from '../compare/place.ts';
import type { Step, Target } from '../compare/result.ts';
import { assertSameTree } from '../compare/same-tree.ts';
import { filePeers, type Peer } from '../peers/index.ts';
import { folderBytes } from '../rows/dump.ts';
import type { WorkloadOptions } from './workload.ts';

/** What is measured of a folder: a name, and what each must reach. */
const steps = ['first backup', 'unchanged backup', 'restore'] as const;
type Timed = (typeof steps)[number];

export type FileTargets = Readonly<Record<Timed | 'store size', readonly Target[]>>;

interface Round {
  readonly costs: Readonly<Record<Timed, Cost>>;
  readonly storeBytes: number;
}

/**
 * Backs a folder up twice and restores it, with each peer on a fresh store, in turn, round after round; in every round
 * another begins. Stores and what is restored lie in memory where that has room. What was restored is compared byte by byte
 * with the source.
 */
export async function measureFiles(
  source: string,
  options: WorkloadOptions & { readonly targets: FileTargets },
): Promise<Step[]> {
  const { folder, rounds, say, targets } = options;
  const peers = presentPeers(options);
  const measured = new Map<string, Round[]>(peers.map(peer => [peer.name, []]));
  await warm(source);
  const sourceBytes = folderBytes(source);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i] of peers.entries()) {
      const peer = peers[(i + round) % peers.length]!;
      const scratch = placeFor(folder, sourceBytes);
      const result = await measureOne(peer, { source, scratch });
      rmSync(scratch, { recursive: true, force: true });
      measured.get(peer.name)!.push(result);
      const parts = steps.map(step => `${step} ${result.costs[step].seconds.toFixed(2)} s`);
      say(`  round ${round + 1}, ${peer.name}: ${parts.join(', ')}, ${megabytes(result.storeBytes)}`);
    }
  }
  const by = <T>(pick: (round: Round) => T): Record<string, T[]> =>
    Object.fromEntries([...measured].map(([name, all]) => [name, all.map(pick)]));
  return [
    ...steps.map(
      (name): Step => ({
        name,
        unit: 'seconds',
        runs: by(round => round.costs[name].seconds),
        costs: by(round => round.costs[name]),
        targets: targets[name],
      }),
    ),
    {
      name: 'store size',
      unit: 'bytes',
      runs: by(round => round.storeBytes),
      targets: targets['store size'],
    },
  ];
}

/** Those that are on this machine; says which are not, and how to get them. */
export function presentPeers({ say, without = [] }: Pick<WorkloadOptions, 'say' | 'without'>): Peer[] {
  return filePeers().filter(({ name, version, install }) => {
    if (without.includes(name)) return false;
    if (version === undefined) say(`  ${name} is not on this machine: ${install}`);
    return version !== undefined;
  });
}

async function measureOne(
  peer: Peer,
  { source, scratch }: { readonly source: string; readonly scratch: string },
): Promise<Round> {
  const store = await peer.open(scratch);
  const first = await settled(() => store.backUp(source));
  const storeBytes = folderBytes(store.folder);
  const unchanged = await settled(() => store.backUp(source));
  const target = placeFor(scratch, folderBytes(source));
  try {
    const restore = await settled(() => store.restore(target));
    assertSameTree(source, target, peer);
    return { costs: { 'first backup': first, 'unchanged backup': unchanged, restore }, storeBytes };
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

/** What others wrote before is on the disk first, so that nobody pays for it. */
export async function settled<T>(work: () => Promise<T>): Promise<T> {
  execFileSync('sync');
  return work();
}

/** Reads everything once, so that nobody is the first. */
async function warm(source: string): Promise<void> {
  await costOf(['tar', '-cf', '/dev/null', '--ignore-failed-read', '-C', source, '.'], { cwd: source });
  await costOf(['sh', '-c', `find . -type f -print0 | xargs -0 cat > /dev/null`], { cwd: source });
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
