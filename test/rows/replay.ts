import { roundsOf, runEpisode } from '../../bench/rows/episode.ts';
import { describeEvent, type Round } from '../../bench/rows/events.ts';
import { roundsPerEpisode, type WrongBackup } from '../../bench/rows/fuzz.ts';
import { eventsOf, formatNumbers, keepEvents, minimise, parseNumbers } from '../../bench/rows/minimise.ts';
import type { PostgresServer } from '../../bench/servers/index.ts';

interface Episode {
  readonly server: PostgresServer;
  readonly seed: number;
  readonly episode: number;
}

/** What is wrong with the last of these backups; the others may do as they like. */
async function lastWrong(
  { server, seed, episode }: Episode,
  rounds: readonly Round[],
): Promise<readonly string[]> {
  let found: readonly string[] = [];
  await runEpisode({
    ...{ server, seed, rounds, number: episode, variant: 'xmin', stopAtWrong: true },
    onBackup: (_round, outcome) => {
      found = outcome.wrong ?? [];
    },
  });
  return found;
}

/** Leaves out of a wrong backup's events what it does not take; in lines, the first of which replays what is left. */
export async function makeSmall(
  wrong: WrongBackup,
  { secondsMax, ...where }: Omit<Episode, 'episode'> & { readonly secondsMax: number },
): Promise<string[]> {
  const { episode } = wrong;
  const { server, seed } = where;
  const untilMs = performance.now() + 1000 * secondsMax;
  const small = await minimise(
    wrong.rounds,
    async rounds => (await lastWrong({ ...where, episode }, rounds)).length > 0,
    () => performance.now() > untilMs,
  );
  const command = [
    `npm run bench:fuzz-rows -- --server ${server.kind} --seed ${seed} --episode ${episode}`,
    `--backups ${formatNumbers(small.map(round => round.number))}`,
    `--keep ${formatNumbers(eventsOf(small).map(event => event.id)) || 'none'}`,
  ].join(' ');
  return [`Replay with: ${command}`, ...described(small)];
}

function described(rounds: readonly Round[]): string[] {
  return rounds.flatMap(round => [
    `backup ${round.number}: pre-copy ${round.precopy}, base ${round.base}, cache ${round.cache}, beside ${JSON.stringify(round.beside)}${round.isAbandoned ? ', let go' : ''}`,
    ...Object.entries(round.events).flatMap(([phase, events]) =>
      events.map(event => `  ${phase}: ${describeEvent(event)}`),
    ),
  ]);
}

/** An episode again, or what is kept of it. */
export async function replay(
  where: Episode,
  options: {
    readonly backups: string | undefined;
    readonly keep: string | undefined;
    readonly say: (text: string) => void;
  },
): Promise<{ readonly isRight: boolean }> {
  const { say } = options;
  const backups = options.backups === undefined ? undefined : parseNumbers(options.backups);
  const count = backups ? Math.max(...backups) + 1 : roundsPerEpisode;
  const rounds = roundsOf(where.seed, where.episode, count).filter(
    round => backups?.has(round.number) ?? true,
  );
  const keep =
    options.keep === undefined ? eventsOf(rounds).map(event => event.id) : parseNumbers(options.keep);
  const kept = keepEvents(rounds, new Set(keep));
  for (const line of described(kept)) say(line);
  const found = await lastWrong(where, kept);
  say(found.length > 0 ? `WRONG:\n  ${found.join('\n  ')}` : 'nothing wrong');
  return { isRight: found.length === 0 };
}
