import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPair } from '../../bench/instance/index.ts';
import { restoreInto, smallRig, toldBy } from '../helpers/small-rig.ts';

const backups = 4;
const weakenedRunsMax = 12;

test('four pairs taken under load agree, each from its restored halves alone', async context => {
  await using rig = await smallRig({
    inProcess: true, // but for the backups: the writers go on beside them, in this process
    repositories: 5,
    writer: { perSecond: 40, pushesPerSecond: 0.5, repackEveryMs: 1_500, twiceShare: 0.5 },
  });
  const { instance } = rig;
  const snapshots: string[] = [];
  while (snapshots.length < backups) {
    const { snapshot } = await rig.summary(['backup', '--json'], { program: 'stillpoint' });
    snapshots.push(String(snapshot));
  }
  const counts = await instance.stopWriter();
  await instance.stop();

  for (const [n, snapshot] of snapshots.entries()) {
    const { home, databaseUrl } = await restoreInto(rig, `pair${n}`, snapshot);
    const told = toldBy(instance, n);
    const { disagreements, acknowledged } = await checkPair({ home, databaseUrl, told, fsck: 'full' });
    assert.deepEqual(disagreements, [], `snapshot ${n + 1} of ${backups}`);
    assert.ok(acknowledged.expected > 0, 'something was acknowledged before the lock');
    context.diagnostic(
      `snapshot ${n + 1}: ${acknowledged.expected} writes there, none of ${acknowledged.forbidden} too new`,
    );
  }
  assert.ok(
    counts && counts.twiceInASecond >= 10,
    `refs were moved twice in a second: ${counts?.twiceInASecond}`,
  );
  assert.ok(counts.refused > 0, 'writers met the lock');
  context.diagnostic(
    `${counts.accepted} writes, ${counts.twiceInASecond} refs moved twice within one second`,
  );
});

test('an engine that tells files apart by size and whole seconds does not pass this check', async context => {
  // Many refs, each moved seldom, and then twice within a second: what the weakened engine reads between the two moves
  // stays behind. One backup in four meets no such ref.
  const writer = { perSecond: 40, pushesPerSecond: 0, repackEveryMs: 0, twiceShare: 1 };
  await using rig = await smallRig({
    inProcess: true,
    repositories: 20,
    commitsPerRepository: 2,
    files: 0,
    rows: 100,
    writer,
  });
  const { instance } = rig;
  for (let run = 1; run <= weakenedRunsMax; run += 1) {
    const { snapshot } = await rig.summary(['backup', '--json'], { program: 'weakened' });
    await instance.stopWriter();
    const { home, databaseUrl } = await restoreInto(rig, `weakened${run}`, String(snapshot));
    const { disagreements } = await checkPair({ home, databaseUrl, told: toldBy(instance, -1) });
    context.diagnostic(`run ${run}: ${disagreements.length} disagreements`);
    if (disagreements.length > 0) return;
    instance.startWriter(writer);
  }
  assert.fail(`${weakenedRunsMax} pairs of the weakened engine agree`);
});
