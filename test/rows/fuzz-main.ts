// npm run bench:fuzz-rows [-- --server debian --runs 2000 --seed 31 --minutes 30]: incremental backups of random changes, each
// compared row for row with a full copy at its own pin; then the same seeds with the base's xmax in place of its xmin, which
// must be caught. A wrong one is made small and can be replayed. With --guards each guard of test/mutants/guards.ts is taken
// out, and sought by the same seeds; with --without NAME that one.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, readResults, writeResults } from '../../bench/results.ts';
import type { Variant } from '../../bench/rows/chain.ts';
import { fuzzSettings, roundsOf, runEpisode } from '../../bench/rows/episode.ts';
import { describeEvent, eventKinds, type Round } from '../../bench/rows/events.ts';
import { type FuzzTotals, fuzzRows, roundsPerEpisode, type WrongBackup } from '../../bench/rows/fuzz.ts';
import {
  eventsOf,
  formatNumbers,
  keepEvents,
  kindsSince,
  minimise,
  parseNumbers,
} from '../../bench/rows/minimise.ts';
import { moveNearWrap, nextId } from '../../bench/rows/wrap.ts';
import { type PostgresServer, startServer } from '../../bench/servers/index.ts';
import { recordResult } from '../faults/results.ts';
import { guardMutants } from '../mutants/guards.ts';
import { runProgramWithMutant } from '../mutants/run-test.ts';

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: 'embedded' },
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '600' },
    guards: { type: 'boolean', default: false },
    without: { type: 'string', multiple: true },
    // Where what is found first is written.
    first: { type: 'string' },
    // Where a wrong one is replayed.
    episode: { type: 'string' },
    backups: { type: 'string' },
    keep: { type: 'string' },
    variant: { type: 'string' },
    'minimise-seconds': { type: 'string', default: '120' },
  },
});
const seed = Number(values.seed);
const runs = Number(values.runs);
const startMs = performance.now();
const isOver = (): boolean => performance.now() - startMs > Number(values.minutes) * 60_000;
const seconds = (): number => Math.round((performance.now() - startMs) / 1000);
const say = (text: string): void => console.log(text);
/** So many show by far that xmax in place of xmin is seen. */
const weakRuns = 500;
/** Fewer are not worth keeping. */
const recordedRuns = 100;

/** What the first wrong backup of a run was. */
interface First {
  /** Incremental backups up to it. */
  readonly after: number;
  readonly what?: string;
  readonly kinds?: readonly string[];
}

if (values.guards || values.without !== undefined) await seekGuards();
else {
  await using server = await startServer({
    kind: values.server === 'debian' ? 'debian' : 'embedded',
    settings: fuzzSettings,
  });
  if (values.first !== undefined) await seekFirst(server, values.first);
  else if (values.episode !== undefined) await replay(server, Number(values.episode));
  else {
    say(`PostgreSQL ${server.version} (${server.kind}), seed ${seed}`);
    await fuzzBoth(server);
    if (server.clientDir !== null && values.variant === undefined) await fuzzAcrossWrap(server);
  }
}

async function fuzzBoth(server: PostgresServer): Promise<void> {
  for (const variant of ['xmin', 'xmax'] as const) {
    if (values.variant !== undefined && values.variant !== variant) continue;
    const startedMs = performance.now();
    const totals = await fuzzRows({
      ...{ server, seed, variant, isOver },
      runs: variant === 'xmax' ? Math.min(runs, weakRuns) : runs,
      onEpisode: ({ backups: { incremental }, wrong }) =>
        process.stderr.write(`${variant}: ${incremental} incrementals, ${wrong.length} wrong\n`),
      onWrong: wrong =>
        variant === 'xmin' &&
        say(
          `WRONG, episode ${wrong.episode}, backup ${wrong.rounds.at(-1)!.number}:\n  ${wrong.what.join('\n  ')}`,
        ),
    });
    report(totals, { variant, seconds: (performance.now() - startedMs) / 1000 });
    const [first] = totals.wrong;
    if (variant === 'xmin') record(server, totals);
    if (variant === 'xmin' && first) {
      await makeSmall(server, first);
      process.exitCode = 1;
    }
    if (variant === 'xmax' && !first) process.exitCode = 1;
  }
}

function record(server: PostgresServer, { backups, events, wrong, segments }: FuzzTotals): void {
  if (backups.incremental < recordedRuns) return;
  const name = `PostgreSQL ${server.major}`;
  const counts = Object.fromEntries(eventKinds.map(kind => [kind, events.get(kind)?.done ?? 0]));
  const found = {
    environment: environment(),
    seconds: seconds(),
    seed,
    backups,
    segments,
    wrong: wrong.length,
  };
  say(writeResults('fuzz-rows', { ...readResults('fuzz-rows'), [name]: { ...found, events: counts } }));
  const done = Object.values(counts).reduce((sum, count) => sum + count, 0);
  recordResult({
    figure: `incremental copies of random changes that differ from a whole copy at the same pin, ${name}`,
    ci: '12',
    release: '5,000',
    reached: backups.incremental,
    wrong: wrong.length,
    what: `${done.toLocaleString('en-US')} events of ${eventKinds.length} kinds; ${backups.full} full copies, ${backups.refused} refused since definitions changed after the pin`,
    command: `npm run bench:fuzz-rows -- --server ${values.server} --runs ${backups.incremental}`,
    seed: String(seed),
    seconds: seconds(),
  });
}

/** Each guard in turn, taken out: the same seeds until a backup is wrong. */
async function seekGuards(): Promise<void> {
  const wanted = guardMutants.filter(({ name, notByFuzz }) =>
    values.without ? values.without.includes(name) : notByFuzz === undefined,
  );
  const unknown = values.without?.find(name => !wanted.some(guard => guard.name === name));
  if (unknown !== undefined) throw new Error(`Cannot take out ${unknown}: there is no such guard`);
  const found: Record<string, First> = {};
  for (const { name } of wanted) {
    const file = join(tmpdir(), `stillpoint-fuzz-${process.pid}.json`);
    const args = ['--first', file, '--server', values.server, '--seed', values.seed, '--runs', values.runs];
    const code = await runProgramWithMutant(name, [
      'test/rows/fuzz-main.js',
      ...args,
      '--minutes',
      values.minutes,
    ]);
    if (code !== 0) throw new Error(`Cannot seek what ${name} does: the run ended with ${code}`);
    const first: First = JSON.parse(readFileSync(file, 'utf8'));
    rmSync(file);
    found[name] = first;
    const verdict =
      first.what === undefined ? `BAD  not found in ${first.after}` : `ok   in backup ${first.after}`;
    say(
      `${verdict.padEnd(26)} ${name.padEnd(44)} ${first.what?.slice(0, 90) ?? ''}; after ${first.kinds?.join(', ')}`,
    );
  }
  const missed = Object.values(found).filter(({ what }) => what === undefined).length;
  if (missed > 0) process.exitCode = 1;
  if (values.without === undefined) recordGuards(found, missed);
}

function recordGuards(found: Readonly<Record<string, First>>, missed: number): void {
  const results = readResults('fuzz-rows');
  say(writeResults('fuzz-rows', { ...results, guards: { seed, server: values.server, found } }));
  const all = Object.values(found);
  recordResult({
    figure: 'guards of the copy of rows, taken out, that random changes must show: not found',
    ci: '1',
    release: 'all',
    reached: all.length,
    wrong: missed,
    what: `the latest in backup ${Math.max(...all.map(one => one.after))}; ${all.filter(one => one.after <= 20).length} within 20`,
    command: `npm run bench:fuzz-rows -- --guards --server ${values.server} --runs ${values.runs}`,
    seed: String(seed),
    seconds: seconds(),
  });
}

async function seekFirst(server: PostgresServer, file: string): Promise<void> {
  const totals = await fuzzRows({ server, seed, runs, variant: 'xmin', untilWrong: true, isOver });
  const [wrong] = totals.wrong;
  const first: First = {
    after: totals.backups.incremental,
    ...(wrong && { what: wrong.what[0] ?? '', kinds: kindsSince(wrong.rounds) }),
  };
  writeFileSync(file, JSON.stringify(first));
}

/** One episode more, in which the 32-bit transaction ids begin again. */
async function fuzzAcrossWrap(server: PostgresServer): Promise<void> {
  await using other = await startServer({ kind: server.kind, settings: fuzzSettings });
  await moveNearWrap(other, 250);
  const before = await nextId(other);
  const { wrong, backups } = await fuzzRows({
    server: other,
    seed,
    runs: roundsPerEpisode - 1,
    variant: 'xmin',
  });
  say(
    `Transaction ids ${before} to ${await nextId(other)}, across 2^32: ${wrong.length} wrong of ${backups.incremental} incrementals`,
  );
  for (const { what } of wrong) say(`  ${what.join('\n  ')}`);
  if (wrong.length > 0) process.exitCode = 1;
}

function report(totals: FuzzTotals, run: { readonly variant: Variant; readonly seconds: number }): void {
  const { backups, segments, wrong, events } = totals;
  if (run.variant === 'xmax') {
    say(
      `With the base's xmax for its xmin: ${wrong.length} wrong of ${backups.incremental} incrementals (more than 0 wanted), ${run.seconds.toFixed(0)} s`,
    );
    return;
  }
  for (const kind of eventKinds) {
    const counts = events.get(kind);
    const more = counts
      ? [
          counts.refused > 0 ? `, ${counts.refused} refused by the server` : '',
          counts['nothing to do'] > 0 ? `, ${counts['nothing to do']} with nothing to do` : '',
        ].join('')
      : '';
    say(`  ${String(counts?.done ?? 0).padStart(5)}  ${kind}${more}`);
  }
  const share = (part: number): string => `${((100 * part) / Math.max(segments.all, 1)).toFixed(1)} %`;
  say(
    `${backups.full} full backups, ${backups.incremental} incremental, ${backups.abandoned} let go after the pin, ${backups.refused} refused because definitions changed after the pin`,
  );
  say(
    `incrementals: ${segments.all} segments, ${share(segments.read)} read at the pin, ${share(segments.withDeltas)} with deltas, up to ${segments.deltasMax} on one`,
  );
  say(`${wrong.length} wrong of ${backups.incremental} incrementals, ${run.seconds.toFixed(0)} s`);
}

/** Whether the last of these backups comes out wrong; the others may do as they like. */
async function fails(
  on: PostgresServer,
  wrong: Pick<WrongBackup, 'episode'>,
  rounds: readonly Round[],
): Promise<string[]> {
  let found: readonly string[] = [];
  await runEpisode({
    server: on,
    seed,
    number: wrong.episode,
    variant: 'xmin',
    rounds,
    stopAtWrong: true,
    onBackup: (_round, outcome) => {
      found = outcome.wrong ?? [];
    },
  });
  return [...found];
}

async function makeSmall(on: PostgresServer, wrong: WrongBackup): Promise<void> {
  const untilMs = performance.now() + 1000 * Number(values['minimise-seconds']);
  const isOver = (): boolean => performance.now() > untilMs;
  const small = await minimise(
    wrong.rounds,
    async rounds => (await fails(on, wrong, rounds)).length > 0,
    isOver,
  );
  const command = [
    `npm run bench:fuzz-rows -- --server ${values.server} --seed ${seed} --episode ${wrong.episode}`,
    `--backups ${formatNumbers(small.map(round => round.number))}`,
    `--keep ${formatNumbers(eventsOf(small).map(event => event.id)) || 'none'}`,
  ].join(' ');
  say(`Replay with: ${command}`);
  describe(small);
}

function describe(rounds: readonly Round[]): void {
  for (const round of rounds) {
    say(
      `backup ${round.number}: pre-copy ${round.precopy}, base ${round.base}, cache ${round.cache}, beside ${JSON.stringify(round.beside)}${round.isAbandoned ? ', let go' : ''}`,
    );
    for (const [phase, events] of Object.entries(round.events))
      for (const event of events) say(`  ${phase}: ${describeEvent(event)}`);
  }
}

async function replay(server: PostgresServer, episode: number): Promise<void> {
  const backups = values.backups === undefined ? undefined : parseNumbers(values.backups);
  const all = roundsOf(seed, episode, backups ? Math.max(...backups) + 1 : roundsPerEpisode);
  const rounds = all.filter(round => backups?.has(round.number) ?? true);
  const keep =
    values.keep === undefined ? eventsOf(rounds).map(event => event.id) : parseNumbers(values.keep);
  const kept = keepEvents(rounds, new Set(keep));
  describe(kept);
  const found = await fails(server, { episode }, kept);
  say(found.length > 0 ? `WRONG:\n  ${found.join('\n  ')}` : 'nothing wrong');
  process.exitCode = found.length > 0 ? 1 : 0;
}
