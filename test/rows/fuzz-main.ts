// npm run bench:fuzz-rows [-- --server debian --runs 2000 --seed 31 --minutes 30]: incremental backups of random changes, each
// compared row for row with a full copy at its own pin; then the same seeds with the base's xmax in place of its xmin, which
// must be caught. A wrong one is made small and can be replayed. With --guards each guard of test/mutants/guards.ts is taken
// out, and sought by the same seeds; with --without NAME that one.
import { parseArgs } from 'node:util';
import { environment, readResults, writeResults } from '../../bench/results.ts';
import type { Variant } from '../../bench/rows/chain.ts';
import { fuzzSettings } from '../../bench/rows/episode.ts';
import { eventKinds } from '../../bench/rows/events.ts';
import { type FuzzTotals, fuzzRows, roundsPerEpisode } from '../../bench/rows/fuzz.ts';
import { moveNearWrap, nextId } from '../../bench/rows/wrap.ts';
import { type PostgresServer, startServer } from '../../bench/servers/index.ts';
import { recordResult } from '../faults/results.ts';
import { makeSmall, replay } from './replay.ts';
import { seekFirst, seekGuards } from './seek-guards.ts';

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

if (values.guards || values.without !== undefined)
  endAs(await seekGuards({ ...values, without: values.without, say }));
else {
  await using server = await startServer({
    kind: values.server === 'debian' ? 'debian' : 'embedded',
    settings: fuzzSettings,
  });
  await fuzzOn(server);
}

async function fuzzOn(server: PostgresServer): Promise<void> {
  const { backups, keep, first } = values;
  if (first !== undefined) return seekFirst(first, { server, seed, runs, isOver });
  if (values.episode !== undefined)
    return endAs(await replay({ server, seed, episode: Number(values.episode) }, { backups, keep, say }));
  say(`PostgreSQL ${server.version} (${server.kind}), seed ${seed}`);
  await fuzzBoth(server);
  if (server.clientDir !== null && values.variant === undefined) await fuzzAcrossWrap(server);
}

function endAs({ isRight }: { readonly isRight: boolean }): void {
  if (!isRight) process.exitCode = 1;
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
      const secondsMax = Number(values['minimise-seconds']);
      for (const line of await makeSmall(first, { server, seed, secondsMax })) say(line);
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
