import { parseArgs } from 'node:util';
import { type PostgresServer, startServer } from '../servers/index.ts';
import type { Variant } from './chain.ts';
import { fuzzSettings, roundsOf, runEpisode } from './episode.ts';
import { describeEvent, eventKinds, type Round } from './events.ts';
import { type FuzzTotals, fuzzRows, roundsPerEpisode, type WrongBackup } from './fuzz.ts';
import { eventsOf, formatNumbers, keepEvents, minimise, parseNumbers } from './minimise.ts';
import { moveNearWrap, nextId } from './wrap.ts';

/**
 * Incremental backups of random changes, each compared row for row with a full copy at its own pin; then the same seeds
 * with the base's xmax in place of its xmin, which must be caught. A wrong one is made small and can be replayed.
 */
const { values } = parseArgs({
  options: {
    server: { type: 'string', default: 'embedded' },
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    // Where a wrong one is replayed.
    episode: { type: 'string' },
    backups: { type: 'string' },
    keep: { type: 'string' },
    variant: { type: 'string' },
    'minimise-seconds': { type: 'string', default: '120' },
  },
});
const seed = Number(values.seed);
const say = (text: string): void => console.log(text);

await using server = await startServer({
  kind: values.server === 'debian' ? 'debian' : 'embedded',
  settings: fuzzSettings,
});
say(`PostgreSQL ${server.version} (${server.kind}), seed ${seed}`);

if (values.episode !== undefined) await replay(Number(values.episode));
else {
  await fuzzBoth();
  if (server.clientDir !== null && values.variant === undefined) await fuzzAcrossWrap();
}

async function fuzzBoth(): Promise<void> {
  for (const variant of ['xmin', 'xmax'] as const) {
    if (values.variant !== undefined && values.variant !== variant) continue;
    const startedMs = performance.now();
    const totals = await fuzzRows({
      server,
      seed,
      runs: Number(values.runs),
      variant,
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
    if (variant === 'xmin' && first) {
      await makeSmall(server, first);
      process.exitCode = 1;
    }
    if (variant === 'xmax' && !first) process.exitCode = 1;
  }
}

/** One episode more, in which the 32-bit transaction ids begin again. */
async function fuzzAcrossWrap(): Promise<void> {
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

async function replay(episode: number): Promise<void> {
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
