import { type Cost, costOf } from '../compare/cost.ts';
import type { Step } from '../compare/result.ts';
import { programs, startRig } from '../rig/index.ts';
import { folderBytes } from '../rows/dump.ts';
import type { Workload } from './workload.ts';

const backupsAll = 200;
const backupsQuick = 2;

/** Two hundred backups of an instance at work: whether time, memory or what is stored for each grows. */
export const loop: Workload = {
  name: 'loop',
  about: '200 backups of an instance at work',
  async run({ quick, say }) {
    const startedMs = performance.now();
    const backups = quick ? backupsQuick : backupsAll;
    const data = quick ? { files: 500, rows: 1_000 } : { files: 10_000, rows: 300_000 };
    await using rig = await startRig({
      server: 'debian',
      repositories: 12,
      ...data,
      writer: { perSecond: 20 },
    });
    const costs: Cost[] = [];
    const stored: number[] = [];
    let before = folderBytes(rig.store);
    for (let run = 0; run < backups; run += 1) {
      const cost = await costOf([process.execPath, programs.stillpoint, 'backup'], {
        cwd: rig.folder,
        env: rig.env,
      });
      const after = folderBytes(rig.store);
      costs.push(cost);
      stored.push(after - before);
      before = after;
    }
    const tenth = Math.ceil(backups / 10);
    const ends = <T>(values: readonly T[]) => ({
      [`first ${tenth}`]: values.slice(1, 1 + tenth), // the very first stores everything
      [`last ${tenth}`]: values.slice(-tenth),
    });
    const [than, of] = Object.keys(ends(costs)) as [string, string];
    const memory = ends(costs.map(({ peakBytes }) => peakBytes ?? 0));
    say(
      `  memory, median of the ${than} and the ${of}: ${Object.values(memory)
        .map(values => `${(values[0]! / 1e6).toFixed(0)} MB`)
        .join(', ')}`,
    );
    const steps: Step[] = [
      {
        name: 'backup',
        unit: 'seconds',
        runs: ends(costs.map(({ seconds }) => seconds)),
        costs: { [`all ${backups}`]: costs },
        targets: [{ kind: 'grows-at-most', of, than, factor: 1.5 }],
      },
      {
        name: 'memory',
        unit: 'bytes',
        runs: memory,
        targets: [{ kind: 'grows-at-most', of, than, factor: 1.1 }],
      },
      { name: 'stored by each', unit: 'bytes', runs: ends(stored), targets: [] },
    ];
    return {
      workload: loop.name,
      data: { ...data, backups },
      steps,
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};
