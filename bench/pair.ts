import { parseArgs } from 'node:util';
import { checkPair, type Disagreement } from './instance/index.ts';
import { type Rig, startRig } from './rig/index.ts';

/**
 * Backs the stand-in up under load, many times, then stops it, restores every snapshot and proves from the restored
 * halves alone that they agree; then the same with the engine weakened to tell files apart by size and whole seconds,
 * which must fail. Ends with 0 only when both come out so.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    server: { type: 'string', default: 'embedded' },
    'per-second': { type: 'string', default: '40' },
    'min-twice': { type: 'string', default: '500' },
  },
});

const runs = Number(values.runs);
const minTwice = Number(values['min-twice']);
const honest = await prove('stillpoint');
const weakened = await prove('weakened');

const passed = honest.bad === 0 && honest.twice >= minTwice && weakened.bad > 0;
console.log(
  `stillpoint: ${honest.bad} of ${runs} pairs disagree; ${honest.twice} refs pushed twice within one second`,
);
console.log(
  `weakened:   ${weakened.bad} of ${runs} pairs disagree; ${weakened.twice} refs pushed twice within one second`,
);
process.exitCode = passed ? 0 : 1;

async function prove(program: 'stillpoint' | 'weakened'): Promise<{ bad: number; twice: number }> {
  await using rig = await startRig({
    server: values.server === 'debian' ? 'debian' : 'embedded',
    repositories: 8,
    commitsPerRepository: 12,
    files: 2_000,
    rows: 5_000,
    writer: { perSecond: Number(values['per-second']), twiceShare: 0.5 },
  });
  const { instance } = rig;
  const snapshots: string[] = [];
  while (snapshots.length < runs || (instance.counts?.twiceInASecond ?? 0) < minTwice) {
    if (snapshots.length >= runs) {
      await new Promise(resolve => setTimeout(resolve, 200));
      continue;
    }
    const summary = await rig.summary(['backup', '--json'], { program });
    snapshots.push(String(summary['snapshot']));
  }
  const counts = await instance.stopWriter();
  const { latches, acknowledged } = instance;
  await instance.stop();
  let bad = 0;
  for (const [index, snapshot] of snapshots.entries()) {
    const latch = latches[index];
    if (!latch?.drained || !latch.unlocked)
      throw new Error(`run ${index + 1}: the instance recorded no whole latch`);
    const disagreements = await restoreAndCheck(rig, {
      snapshot,
      told: { acknowledged, drainedMs: latch.drained.monotonicMs, unlockedMs: latch.unlocked.monotonicMs },
    });
    if (disagreements.length > 0) bad++;
    const first = disagreements[0];
    console.log(
      `${program} ${String(index + 1).padStart(2)} ${snapshot.slice(0, 8)}: ` +
        (first ? `${disagreements.length} disagreements, first ${JSON.stringify(first)}` : 'agrees'),
    );
  }
  return { bad, twice: counts?.twiceInASecond ?? 0 };
}

async function restoreAndCheck(
  rig: Rig,
  options: { snapshot: string; told: NonNullable<Parameters<typeof checkPair>[0]['told']> },
): Promise<readonly Disagreement[]> {
  const target = rig.target(`r${options.snapshot.slice(0, 12)}`);
  const { home, databaseArgument, databaseUrl } = target;
  await rig.summary(['restore', options.snapshot, '--home', home, '--database', databaseArgument, '--json']);
  const report = await checkPair({ home, databaseUrl, told: options.told, fsck: 'full' });
  return report.disagreements;
}
