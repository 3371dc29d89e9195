import { parseArgs } from 'node:util';
import { environment, writeResults } from '../results.ts';
import { startServer } from '../servers/index.ts';
import { type Happening, happenings } from './happenings.ts';
import { type Lane, maxHoldMs, openLane } from './lane.ts';
import { checkPlaces, describePlace, everyPlace, type Place } from './places.ts';
import { fuzz, fuzzTwo } from './simulation/fuzz.ts';
import { type Outcome, tryOnce } from './try.ts';

/**
 * Every failure path of the latch with the real program, a real sentinel, PostgreSQL, and the stand-in in a process of
 * its own: at every phase, call and statement each thing that can happen. With --random, or --two, schedules of several
 * faults in virtual time instead. Writes bench/results/latch.json. Ends with 0 only when all was as promised.
 */
const { values } = parseArgs({
  options: {
    server: { type: 'string', default: 'embedded' },
    lanes: { type: 'string', default: '4' },
    times: { type: 'string', default: '1' },
    // Only paths whose name has this in it.
    only: { type: 'string', default: '' },
    // Of the file; without one, only a whole run is kept.
    name: { type: 'string' },
    random: { type: 'string' },
    two: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
});

interface Path {
  readonly name: string;
  readonly place: Place;
  readonly happening: Happening;
}

interface Row {
  readonly path: string;
  readonly times: number;
  /** The longest; null where it was never locked, or is still. */
  readonly lockedMs: number | null;
  readonly boundMs: number;
  readonly exits: readonly string[];
  readonly leftLocked: number;
  readonly wrong: readonly string[];
}

if (values.random !== undefined) await fuzz({ count: Number(values.random), seed: Number(values.seed) });
else if (values.two) await fuzzTwo();
else await measure();

async function measure(): Promise<void> {
  const startedMs = performance.now();
  const env = environment();
  await using server = await startServer({ kind: values.server === 'debian' ? 'debian' : 'embedded' });
  const paths = everyPath().filter(({ name }) => name.includes(values.only));
  const outcomes = new Map<Path, Outcome[]>(paths.map(path => [path, []]));
  const queue = Array.from({ length: Number(values.times) }, () => paths).flat();
  const lanes: Lane[] = [];
  await using _lanes = {
    [Symbol.asyncDispose]: async () => {
      for (const lane of lanes) await lane[Symbol.asyncDispose]();
    },
  };
  for (let number = 0; number < Math.min(Number(values.lanes), queue.length); number += 1)
    lanes.push(await openLane(server, { number, writesPerSecond: 0 }));
  await checkPlaces(lanes[0]!);
  const work = async (lane: Lane) => {
    for (let path = queue.shift(); path; path = queue.shift()) {
      const outcome = await tryPath(lane, path);
      if (outcome) outcomes.get(path)!.push(outcome);
    }
  };
  await Promise.all(lanes.map(work));
  const rows = [...outcomes]
    .filter(([, found]) => found.length > 0)
    .map(([path, found]) => rowOf(path, found));
  for (const row of rows) console.log(describeRow(row));
  console.log('');
  for (const { name } of happenings) console.log(describeGroup(name, rows));
  const seconds = (performance.now() - startedMs) / 1000;
  const tries = rows.reduce((sum, { times }) => sum + times, 0);
  const left = rows.reduce((sum, { leftLocked }) => sum + leftLocked, 0);
  const wrong = rows.filter(row => row.wrong.length > 0);
  console.log(
    `${rows.length} paths, ${tries} runs in ${(seconds / 60).toFixed(1)} minutes; ${wrong.length} not as promised; ` +
      `${left} told with exit 21 because the answer with the token was lost`,
  );
  for (const row of wrong) console.log(`WRONG ${row.path}: ${row.wrong.join('; ')}`);
  const name = values.name ?? (values.only === '' ? 'latch' : undefined);
  const environmentOfRun = { ...env, server: server.version, lanes: lanes.length, maxHoldMs };
  if (name) console.log(writeResults(name, { environment: environmentOfRun, seconds, rows }));
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

function everyPath(): Path[] {
  return everyPlace().flatMap(place =>
    happenings
      .filter(({ at }) => at(place))
      .map(happening => ({ name: `${describePlace(place)} × ${happening.name}`, place, happening })),
  );
}

async function tryPath(lane: Lane, path: Path): Promise<Outcome | undefined> {
  const outcome = await tryOnce(lane, path).catch(async (error: unknown) => {
    await lane.standIn.clear();
    await lane.standIn.restart(0);
    await lane.run(['unlock']);
    return {
      lockedMs: null,
      exit: '',
      code: null,
      isLeft: false,
      wrong: [`could not be tried: ${String(error)}`],
    };
  });
  const said = outcome ? `${outcome.exit} ${outcome.wrong.join('; ')}` : 'no sentinel yet';
  process.stderr.write(`${path.name}: ${said}\n`);
  return outcome;
}

function rowOf(path: Path, outcomes: readonly Outcome[]): Row {
  const locked = outcomes.map(({ lockedMs }) => lockedMs).filter(ms => ms !== null);
  return {
    path: path.name,
    times: outcomes.length,
    lockedMs: locked.length === 0 ? null : Math.round(Math.max(...locked)),
    boundMs: path.happening.boundMs,
    exits: [...new Set(outcomes.map(({ exit, code }) => (code === null ? exit : `${exit} ${code}`)))],
    leftLocked: outcomes.filter(({ isLeft }) => isLeft).length,
    wrong: [...new Set(outcomes.flatMap(({ wrong }) => wrong))],
  };
}

function describeRow({ path, times, lockedMs, boundMs, exits, leftLocked }: Row): string {
  const held = leftLocked > 0 ? 'told' : lockedMs === null ? '–' : `${lockedMs} ms`;
  return `${path.padEnd(62)} ${String(times).padStart(3)}× ${held.padStart(9)} of ${String(boundMs).padStart(6)} ms  ${exits.join(', ')}`;
}

/** One thing that happened, wherever it did. */
function describeGroup(name: string, rows: readonly Row[]): string {
  const of = rows.filter(({ path }) => path.endsWith(` × ${name}`));
  const runs = of.reduce((sum, { times }) => sum + times, 0);
  const locked = of.filter(({ lockedMs }) => (lockedMs ?? 0) > 0);
  const told = of.reduce((sum, { leftLocked }) => sum + leftLocked, 0);
  const maxMs = Math.max(0, ...locked.map(({ lockedMs }) => lockedMs ?? 0));
  const exits = [...new Set(of.flatMap(row => row.exits.map(exit => exit.split(' ')[0])))].sort();
  return (
    `${name.padEnd(34)} ${String(of.length).padStart(3)} places, ${String(runs).padStart(3)} runs: locked after it at most ` +
    `${String(maxMs).padStart(5)} of ${String(of[0]?.boundMs ?? 0).padStart(5)} ms, ${told} told with exit 21; exits ${exits.join(', ')}`
  );
}
