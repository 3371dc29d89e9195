import { parseArgs } from 'node:util';
import { startRig } from './rig/index.ts';

/**
 * How long the application is held, by its own clock: from the drain to the arrival of the unlock, over many backups
 * under load. What the program's polling adds counts.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    files: { type: 'string', default: '20000' },
    rows: { type: 'string', default: '300000' },
    'per-second': { type: 'string', default: '40' },
    server: { type: 'string', default: 'embedded' },
  },
});

await using rig = await startRig({
  server: values.server === 'debian' ? 'debian' : 'embedded',
  repositories: 12,
  files: Number(values.files),
  rows: Number(values.rows),
  writer: { perSecond: Number(values['per-second']) },
});
const heldMs: number[] = [];
for (let run = 1; run <= Number(values.runs); run++) {
  const summary = await rig.summary(['backup', '--json']);
  const latch = rig.instance.latches.at(-1);
  if (!latch?.drained || !latch.unlocked) throw new Error(`run ${run}: the instance recorded no whole latch`);
  const held = latch.unlocked.monotonicMs - latch.drained.monotonicMs;
  heldMs.push(held);
  const { home, database, latch: phases, durationMs } = summary as Record<string, Record<string, number>>;
  console.log(
    `run ${String(run).padStart(2)}: drained to unlock ${held.toFixed(1)} ms by the instance; ` +
      `${home?.['files']} files (${home?.['changedInLatch']} taken again), ${database?.['rows']} rows; ` +
      `program: ${JSON.stringify(phases)}, whole run ${durationMs} ms`,
  );
}
heldMs.sort((a, b) => a - b);
const median = heldMs[Math.floor(heldMs.length / 2)] ?? 0;
console.log(
  `drained to unlock: median ${median.toFixed(1)} ms, maximum ${(heldMs.at(-1) ?? 0).toFixed(1)} ms`,
);
