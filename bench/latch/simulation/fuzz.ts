import { atEveryTwo, atRandom, describeWrong, type Judged } from './everywhere.ts';
import { budgetsDefault, everyFault } from './faults.ts';

/** Random schedules in virtual time; prints how they ended, and each that was wrong with the way to see it again. */
export async function fuzz({
  count,
  seed,
}: {
  readonly count: number;
  readonly seed: number;
}): Promise<void> {
  const replay = ({ schedule }: Judged) =>
    `replay: npm run bench:latch -- --random 1 --seed ${schedule.seed}`;
  const what = `random schedules of one to three faults (seeds ${seed} to ${seed + count - 1})`;
  await tell(atRandom(count, { seed }), { what, replay });
}

/** Every two of the faults that take something away, the second at every wait that follows the first. */
export async function fuzzTwo(): Promise<void> {
  const faults = everyFault(budgetsDefault).filter(
    fault =>
      fault.kind === 'restart' ||
      (fault.kind === 'outage' && fault.reaches) ||
      ((fault.kind === 'kill' || fault.kind === 'stop') && fault.who !== 'both'),
  );
  await tell(everyTwo(), { what: `schedules of two faults of ${faults.length} kinds`, replay: () => '' });

  async function* everyTwo(): AsyncGenerator<Judged> {
    for (const first of faults) for (const second of faults) yield* atEveryTwo([first, second]);
  }
}

async function tell(
  runs: AsyncIterable<Judged>,
  { what, replay }: { readonly what: string; readonly replay: (run: Judged) => string },
): Promise<void> {
  const startedMs = performance.now();
  const ends = new Map<string, number>();
  let [count, wrong] = [0, 0];
  for await (const run of runs) {
    const { end } = run.facts;
    const how = end?.code ?? end?.result ?? 'killed';
    ends.set(how, (ends.get(how) ?? 0) + 1);
    count += 1;
    if (run.wrong.length === 0) continue;
    wrong += 1;
    console.log(`WRONG ${describeWrong(run)}\n    ${replay(run)}`);
  }
  for (const [how, times] of [...ends].sort((a, b) => b[1] - a[1]))
    console.log(`${String(times).padStart(7)}  ${how}`);
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${count} ${what}: ${wrong} wrong, ${seconds.toFixed(0)} s, ${(count / seconds).toFixed(0)} a second`,
  );
  process.exitCode = wrong === 0 ? 0 : 1;
}
