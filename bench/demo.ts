import { rmSync } from 'node:fs';
import { checkPair } from './instance/index.ts';
import { type Rig, startRig } from './rig/index.ts';
import { availableServers } from './servers/index.ts';

/**
 * The main job in under a minute: a live application with real Git repositories and a real database is backed up three
 * times under load, both halves are destroyed and restored, and the restored pair is proven. Leaves nothing behind.
 */
const say = (text: string) => process.stdout.write(`${text}\n`);

const [server] = (await availableServers()).filter(({ kind }) => kind === 'embedded');
if (!server)
  throw new Error('Cannot find the embedded PostgreSQL: run npm ci without --omit=dev or --omit=optional');

say('Starting PostgreSQL and the stand-in application …');
await using rig = await startRig({
  server: 'embedded',
  repositories: 8,
  commitsPerRepository: 15,
  files: 3_000,
  rows: 20_000,
  writer: { perSecond: 40, pushesPerSecond: 1, repackEveryMs: 3_000, twiceShare: 0.3 },
});
const { instance } = rig;
say(`  PostgreSQL ${rig.server.version}, ${instance.repositoryIds.length} repositories at ${instance.url}`);
say('  about 40 writes a second: commits pushed, each recorded in the database; repacks now and then\n');

for (let run = 1; run <= 3; run++) await backUp(rig, run);
const counts = await instance.stopWriter();
say(
  `\nUnder way meanwhile: ${counts?.accepted} writes, ${counts?.twiceInASecond} refs moved twice within one second,`,
);
say(
  `  ${counts?.realPushes} real git pushes, ${counts?.repacks} repacks, ${counts?.refused} writers that met the lock\n`,
);

const verified = await rig.summary(['verify', '--read-data', '--json']);
say(
  `Verified: ${verified['snapshots']} snapshots, ${verified['chunksChecked']} chunks, ${mib(verified['bytesRead'])} read, no damage`,
);

const { latches, acknowledged } = instance;
await instance.stop();
rmSync(instance.home, { recursive: true, force: true });
await rig.dropDatabase();
say('Destroyed: the home and the database are gone');

const target = rig.target('restored');
const restored = await rig.summary([
  'restore',
  'latest',
  '--home',
  target.home,
  '--database',
  target.databaseArgument,
  '--json',
]);
say(
  `Restored in ${seconds(restored['durationMs'])}: ${JSON.stringify(restored['home'])}, ${JSON.stringify(restored['database'])}`,
);

const latch = latches.at(-1);
if (!latch?.drained || !latch.unlocked)
  throw new Error('Cannot check the pair: the instance recorded no whole latch');
const report = await checkPair({
  home: target.home,
  databaseUrl: target.databaseUrl,
  told: { acknowledged, drainedMs: latch.drained.monotonicMs, unlockedMs: latch.unlocked.monotonicMs },
  fsck: 'full',
});
for (const disagreement of report.disagreements) say(`  DISAGREES ${JSON.stringify(disagreement)}`);
say(`Proven from the restored halves alone: ${report.refs} refs each at the newest push recorded for it,`);
say(`  ${report.commits} recorded commits present, git fsck clean, digests of every table equal;`);
say(
  `  ${report.acknowledged.expected} writes acknowledged before the lock are there, none of ${report.acknowledged.forbidden} after the unlock is`,
);
if (report.disagreements.length > 0) {
  say(`\nThe pair does NOT agree: ${report.disagreements.length} disagreements.`);
  process.exitCode = 1;
} else {
  say('\nThe pair is whole and exact.');
}

async function backUp({ instance, summary }: Rig, run: number): Promise<void> {
  const result = await summary(['backup', '--json']);
  const latch = instance.latches.at(-1);
  const held = latch?.unlocked ? latch.unlocked.monotonicMs - latch.locked.monotonicMs : Number.NaN;
  const phases = result['latch'] as Record<string, number>;
  const home = result['home'] as Record<string, number>;
  const database = result['database'] as Record<string, number>;
  const stored = result['stored'] as Record<string, number>;
  say(
    `Backup ${run}: held for ${held.toFixed(0)} ms by the application's own clock ` +
      `(drain ${phases['drainMs']?.toFixed(0)} ms, capture ${phases['captureMs']?.toFixed(0)} ms); ` +
      `${home['files']} files, ${home['changedInLatch']} taken again in the window, ${database['rows']} rows; ` +
      `${stored['newChunks']} new chunks, ${mib(stored['packedBytes'])} stored; ${seconds(result['durationMs'])}`,
  );
}

function mib(bytes: unknown): string {
  return `${(Number(bytes) / 2 ** 20).toFixed(1)} MiB`;
}

function seconds(ms: unknown): string {
  return `${(Number(ms) / 1000).toFixed(1)} s`;
}
