import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { costOf } from '../compare/cost.ts';
import { better, ourName, type Step } from '../compare/result.ts';
import { versionOf } from '../peers/peer.ts';
import { type Rig, startRig } from '../rig/index.ts';
import { runStatements } from '../rows/states.ts';
import { settled } from './files.ts';
import type { Workload } from './workload.ts';

/** One size of instance, idle or at work, and how many windows are looked at. */
interface Case {
  readonly files: number;
  readonly tables: number;
  readonly rows: number;
  readonly perSecond: number;
  readonly windows: number;
  /** The target. */
  readonly heldMsMax: number;
}

const rows = 2_000_000;
const windowsMany = 300;
const windowsFew = 20;
const heldMsMax = 100;
const cases: readonly Case[] = [
  { files: 10_000, tables: 10, rows: 300_000, perSecond: 0, windows: windowsFew, heldMsMax },
  { files: 10_000, tables: 10, rows: 300_000, perSecond: 40, windows: windowsFew, heldMsMax },
  { files: 100_000, tables: 10, rows, perSecond: 0, windows: windowsFew, heldMsMax },
  { files: 100_000, tables: 300, rows, perSecond: 40, windows: windowsMany, heldMsMax },
  { files: 1_000_000, tables: 300, rows, perSecond: 40, windows: windowsFew, heldMsMax: 500 },
];
const casesQuick: readonly Case[] = [
  { files: 500, tables: 12, rows: 1_000, perSecond: 20, windows: 1, heldMsMax },
];
/** The scripts hold for seconds, each time about as long. */
const scriptWindows = 5;
const scriptsName = 'scripts';
/** Tables of the stand-in's own. */
const ownTables = 10;

/** How long the application is held, by its own clock, from the drain to the unlock: ours, and the scripts' order of things. */
export const window: Workload = {
  name: 'window',
  about: 'time from drain to unlock, by the application’s own clock, beside the order of the public scripts',
  async run({ folder, quick, say }) {
    const startedMs = performance.now();
    const steps: Step[] = [];
    for (const one of quick ? casesQuick : cases) steps.push(await measureCase(one, { folder, say, quick }));
    return {
      workload: window.name,
      data: { rows: quick ? casesQuick[0]!.rows : rows },
      steps,
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};

async function measureCase(
  { files, tables, rows: rowsWanted, perSecond, windows, heldMsMax: target }: Case,
  { folder, say, quick }: { readonly folder: string; readonly quick: boolean; say(line: string): void },
): Promise<Step> {
  await using rig = await startRig({
    server: 'debian',
    repositories: 12,
    files,
    rows: rowsWanted,
    log: 'off',
    ...(perSecond > 0 && { writer: { perSecond } }),
  });
  await moreTables(rig, tables - ownTables);
  await rig.summary(['backup', '--json']);
  const ours: number[] = [];
  for (let run = 0; run < windows; run += 1) {
    await settled(() => rig.summary(['backup', '--json']));
    ours.push(lastHeldMs(rig));
  }
  const name = `${files} files, ${tables} tables, ${perSecond === 0 ? 'idle' : `${perSecond} writes a second`}`;
  const theirs = versionOf('rsync', '--version') ? await scriptsHeld(rig, { folder, quick }) : undefined;
  const sorted = [...ours].sort((a, b) => a - b);
  const at = (share: number): string => sorted[Math.ceil(share * sorted.length) - 1]!.toFixed(1);
  say(
    `  ${name}: median ${at(0.5)} ms, ${windows >= windowsMany ? `p99 ${at(0.99)}, ` : ''}maximum ${at(1)} of ${windows}` +
      (theirs
        ? `; the scripts ${theirs.map(ms => ms.toFixed(0)).join(', ')} ms`
        : '; no rsync: apt-get install rsync'),
  );
  return {
    name: `held: ${name}`,
    unit: 'milliseconds',
    runs: { [ourName]: ours, ...(theirs && { [scriptsName]: theirs }) },
    targets: [{ kind: 'at-most', value: target }, ...(theirs ? [better(scriptsName, 100)] : [])],
  };
}

async function moreTables({ instance }: Rig, count: number): Promise<void> {
  const statements = Array.from(
    { length: Math.max(0, count) },
    (_, i) =>
      `CREATE TABLE plugin_${i} AS SELECT n AS id, md5(n::text) AS value FROM generate_series(1, 200) n`,
  );
  await runStatements(instance.databaseUrl, statements);
}

function lastHeldMs({ instance }: Rig): number {
  const latch = instance.latches.at(-1);
  if (!latch?.drained || !latch.unlocked) throw new Error('The instance recorded no whole latch');
  return latch.unlocked.monotonicMs - latch.drained.monotonicMs;
}

/** Copies the home live, then locks, copies again and dumps, and unlocks, as the scripts do. */
async function scriptsHeld(
  rig: Rig,
  { folder, quick }: { readonly folder: string; readonly quick: boolean },
): Promise<number[]> {
  const scratch = join(folder, 'scripts');
  const copy = join(scratch, 'copy');
  mkdirSync(copy, { recursive: true });
  const { home, databaseUrl } = rig.instance;
  // 24: a file went away while it was copied
  const rsync = () =>
    costOf(['rsync', '-a', '--delete', `${home}/`, copy], { cwd: scratch, accepted: [0, 24] });
  const pgDump = join(rig.server.clientDir!, 'pg_dump');
  const held: number[] = [];
  try {
    for (let run = 0; run < (quick ? 1 : scriptWindows); run += 1) {
      await settled(rsync);
      const token = await lockAndDrain(rig);
      await rsync();
      const dump = join(scratch, 'dump');
      await costOf([pgDump, '-Fd', '-f', dump, databaseUrl], { cwd: scratch });
      await call(rig, 'POST', `admin/backups/progress/client?token=${token}&percentage=100`);
      await call(rig, 'DELETE', `maintenance/lock?token=${token}`);
      held.push(lastHeldMs(rig));
      rmSync(dump, { recursive: true });
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return held;
}

async function lockAndDrain(rig: Rig): Promise<string> {
  const { unlockToken } = (await call(rig, 'POST', 'maintenance/lock')) as { unlockToken: string };
  await call(rig, 'POST', 'admin/backups?external=true', unlockToken);
  for (;;) {
    const state = (await call(rig, 'GET', 'maintenance', unlockToken)) as Record<string, string>;
    if (state['db-state'] === 'DRAINED' && state['scm-state'] === 'DRAINED') return unlockToken;
  }
}

async function call({ instance }: Rig, method: string, path: string, token?: string): Promise<unknown> {
  const { user, password } = instance.admin;
  const answer = await fetch(`${instance.url}/mvc/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
      accept: 'application/json',
      ...(token !== undefined && { 'x-atlassian-maintenance-token': token }),
    },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
  return text === '' ? null : JSON.parse(text);
}
