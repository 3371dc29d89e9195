import { parseArgs } from 'node:util';
import type { Phase } from '../../engine/index.ts';
import { rollDice } from '../instance/random.ts';
import { environment, writeResults } from '../results.ts';
import { isAlive, sentinelOf } from '../rig/index.ts';
import { startServer } from '../servers/index.ts';
import { type Lane, openLane } from './lane.ts';

/**
 * How soon the application is unlocked after a kill -9 of the program at a random moment of the window: by the
 * application's own clock, under load. Runs until so many were locked when they were killed. Writes
 * bench/results/kill.json. Ends with 0 only when the 99th percentile is below a second and none stayed locked.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    server: { type: 'string', default: 'embedded' },
    'per-second': { type: 'string', default: '10' },
    // Of the file; without one, only a run of 100 samples and more is kept.
    name: { type: 'string' },
  },
});

const p99MsMax = 1_000;
const delayMsMax = 40;
const patienceMs = 60_000;
const backUpEvery = 20;
/** The phases of the window: each moment of it is some ms after the start of one. */
const window: readonly Phase[] = ['lock', 'drain', 'capture', 'fence', 'unlock'];

interface Sample {
  readonly phase: Phase;
  readonly delayMs: number;
  /** null: it was not locked when it was killed. */
  readonly unlockedAfterMs: number | null;
}

const wanted = Number(values.runs);
const seed = Number(values.seed);
const dice = rollDice(seed);
const env = environment();
if (Number(env['loadBefore']) > 0.5)
  console.log(`The machine is not calm (load ${String(env['loadBefore'])}): these figures are noise.`);
await using server = await startServer({ kind: values.server === 'debian' ? 'debian' : 'embedded' });
await using lane = await openLane(server, {
  number: 0,
  writesPerSecond: Number(values['per-second']),
  maxHoldMs: 60_000,
});

const samples: Sample[] = [];
let left = 0;
const startedMs = performance.now();
while (hits().length < wanted) {
  const sample = await killOnce(lane, {
    phase: dice.pick(window),
    delayMs: dice.below(delayMsMax * 10) / 10,
  });
  samples.push(sample);
  // What was written meanwhile is read by each run until one of them comes to its end.
  if (samples.length % backUpEvery === 0) await backUp();
  const { phase, delayMs, unlockedAfterMs } = sample;
  const said = unlockedAfterMs === null ? 'not locked' : `unlocked after ${unlockedAfterMs.toFixed(1)} ms`;
  process.stderr.write(`${hits().length} of ${wanted}: ${phase} + ${delayMs} ms: ${said}\n`);
}
await backUp();
report();

async function backUp(): Promise<void> {
  const { code, stderr } = await lane.run(['backup']);
  if (code !== 0) throw new Error(`the backup after a kill ended with ${code}: ${stderr}`);
}

function hits(): number[] {
  return samples.map(({ unlockedAfterMs }) => unlockedAfterMs).filter(ms => ms !== null);
}

async function killOnce(
  at: Lane,
  when: { readonly phase: Phase; readonly delayMs: number },
): Promise<Sample> {
  const { standIn } = at;
  const manifests = at.manifests().length;
  const before = (await standIn.seen()).latches.length;
  const program = at.backUp({ TELL_PHASES: 'yes' });
  await program.hasSaid(`phase ${when.phase}`);
  await new Promise(resolve => setTimeout(resolve, when.delayMs));
  const sentinel = sentinelOf(program.pid);
  const killedMs = standIn.nowMs();
  program.kill('SIGKILL');
  const ended = await program.ended;
  const endMs = performance.now() + patienceMs;
  while ((sentinel !== undefined && isAlive(sentinel)) || (await standIn.now()).isLocked) {
    if (performance.now() > endMs) {
      left += 1;
      await standIn.restart(0);
      break;
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  const latch = (await standIn.seen()).latches.slice(before).at(-1);
  const isHit =
    latch &&
    latch.locked.monotonicMs <= killedMs &&
    (latch.unlocked?.monotonicMs ?? Number.POSITIVE_INFINITY) > killedMs;
  if (isHit && at.manifests().length > manifests)
    throw new Error('a run that was killed in its window left a snapshot');
  if (ended.code === null && at.records().length > 0)
    throw new Error('a record is left, though it was unlocked');
  return {
    ...when,
    unlockedAfterMs: isHit ? (latch.unlocked?.monotonicMs ?? patienceMs + killedMs) - killedMs : null,
  };
}

function report(): void {
  const sorted = hits().sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(
      (sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN) * 10,
    ) / 10;
  const found = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `kill -9 in the window, ${sorted.length} locked of ${samples.length} killed (seed ${seed}): unlocked after p50 ${found.p50Ms} ms, ` +
      `p99 ${found.p99Ms} ms, max ${found.maxMs} ms (wanted: p99 below ${p99MsMax} ms); ${left} left locked; ${(seconds / 60).toFixed(1)} minutes`,
  );
  const name = values.name ?? (sorted.length >= 100 ? 'kill' : undefined);
  const results = {
    environment: { ...env, server: server.version, perSecond: Number(values['per-second']), seed },
    seconds,
    locked: sorted.length,
    killed: samples.length,
    leftLocked: left,
    ...found,
    samples,
  };
  if (name) console.log(writeResults(name, results));
  process.exitCode = left === 0 && found.p99Ms < p99MsMax ? 0 : 1;
}
