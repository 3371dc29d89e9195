import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cost } from '../compare/cost.ts';
import { placeFor } from '../compare/place.ts';
import type { Step } from '../compare/result.ts';
import { stillpoint } from '../peers/stillpoint.ts';
import { settled } from './files.ts';
import { growRows } from './growth-rows.ts';
import { makeSmallFiles } from './small-files.ts';
import type { Workload, WorkloadOptions } from './workload.ts';

const files = [10_000, 100_000, 1_000_000];
const filesQuick = [100, 300];
const snapshots = [10, 100, 1_000];
const snapshotsQuick = [2, 4];
/** Small enough that a million are there in minutes. */
const medianBytes = 300;

/** What each step costs as the home and the store grow: time, and memory. */
export const growth: Workload = {
  name: 'growth',
  about: '10,000 to 1,000,000 files; 1 to 100 million rows; 10 to 1,000 snapshots in a store',
  async run(options) {
    const startedMs = performance.now();
    const byFiles = await growFiles(options);
    const byRows = await growRows(options);
    const bySnapshots = await growSnapshots(options);
    return {
      workload: growth.name,
      data: { medianBytes },
      steps: [
        ...byFiles,
        ...stepsOf('first copy of rows', byRows.first, { isTenfold: true }),
        ...stepsOf('unchanged rows', byRows.unchanged, { isTenfold: true }),
        ...bySnapshots,
      ],
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};

type Series = Record<string, Cost[]>;

async function growFiles({ folder, quick, seed, say }: WorkloadOptions): Promise<Step[]> {
  const all: Record<'first backup' | 'unchanged backup' | 'restore', Series> = {
    'first backup': {},
    'unchanged backup': {},
    restore: {},
  };
  for (const count of quick ? filesQuick : files) {
    const scratch = join(folder, `files-${count}`);
    const source = join(scratch, 'home');
    const bytes = makeSmallFiles(source, { files: count, seed, medianBytes });
    // a block for each file, at least
    const target = placeFor(scratch, bytes + count * 4096);
    const label = `${count.toLocaleString('en-US')} files`;
    try {
      const store = await stillpoint().open(scratch);
      all['first backup'][label] = [await settled(() => store.backUp(source))];
      all['unchanged backup'][label] = [await settled(() => store.backUp(source))];
      all.restore[label] = [await settled(() => store.restore(target))];
    } finally {
      for (const made of [target, scratch]) rmSync(made, { recursive: true, force: true });
    }
    say(
      `  ${label}: ${Object.entries(all)
        .map(([name, series]) => `${name} ${told(series[label]![0]!)}`)
        .join('; ')}`,
    );
  }
  return Object.entries(all).flatMap(([name, series]) => stepsOf(name, series, { isTenfold: true }));
}

async function growSnapshots({ folder, quick, say, seed }: WorkloadOptions): Promise<Step[]> {
  const counts = quick ? snapshotsQuick : snapshots;
  const scratch = join(folder, 'snapshots');
  const source = join(scratch, 'home');
  makeSmallFiles(source, { files: quick ? 20 : 1_000, seed, medianBytes });
  const store = await stillpoint().open(scratch);
  const series: Series = {};
  for (let made = 1; made <= counts.at(-1)!; made += 1) {
    appendFileSync(join(source, 'changed'), `${made}\n`);
    const cost = await store.backUp(source);
    if (!counts.includes(made)) continue;
    const label = `${made.toLocaleString('en-US')} snapshots`;
    series[label] = [cost];
    say(`  ${label}: backup ${told(cost)}`);
  }
  rmSync(scratch, { recursive: true, force: true });
  return stepsOf('backup of a change', series, { isTenfold: false });
}

const told = ({ seconds, peakBytes }: Cost): string =>
  `${seconds.toFixed(2)} s, ${((peakBytes ?? 0) / 1e6).toFixed(0)} MB`;

/** Time and memory; ten times the files or rows may take eleven times the time, and the largest 150 MB more than the one before. */
function stepsOf(name: string, series: Series, { isTenfold }: { readonly isTenfold: boolean }): Step[] {
  const labels = Object.keys(series);
  const [than, of] = labels.slice(-2) as [string, string];
  const by = (pick: (cost: Cost) => number) =>
    Object.fromEntries(labels.map(label => [label, series[label]!.map(pick)]));
  return [
    {
      name,
      unit: 'seconds',
      runs: by(cost => cost.seconds),
      costs: series,
      targets: [{ kind: 'grows-at-most', of, than, factor: isTenfold ? 11 : 2 }],
    },
    {
      name: `${name}, memory`,
      unit: 'bytes',
      runs: by(cost => cost.peakBytes ?? 0),
      targets: [{ kind: 'more-at-most', of, than, value: 150_000_000 }],
    },
  ];
}
