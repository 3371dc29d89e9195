import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crew } from './crew.ts';
import { type Outcome, runOnce, type World } from './run.ts';
import { makeTemplate } from './store.ts';

export interface Playing {
  readonly firstSeed: number;
  readonly runs: number;
  /** So many runs at once, each with processes and a folder of its own: most of a run's time is waiting. */
  readonly lanes: number;
  /** The processes have this bug; then the first run that goes wrong is the last. */
  readonly mutant?: string | undefined;
  /** No run begins later. */
  readonly secondsMax?: number | undefined;
  readonly onOutcome?: ((outcome: Outcome, all: readonly Outcome[]) => void) | undefined;
}

/** What the runs came to, in the order of their seeds. */
export async function playRuns(playing: Playing): Promise<readonly Outcome[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'stillpoint-beside-'));
  const template = join(scratch, 'template');
  const crews = Array.from({ length: playing.lanes }, () => new Crew(template, playing));
  try {
    const base = { ...(await makeTemplate(template)), template, scratch };
    const seeds = seedsOf(playing);
    const outcomes: Outcome[] = [];
    const lanes = crews.map(crew => playLane({ ...base, crew }, { seeds, outcomes, playing }));
    const ends = await Promise.allSettled(lanes);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return outcomes.sort((a, b) => a.seed - b.seed);
  } finally {
    for (const crew of crews) crew.end();
    rmSync(scratch, { recursive: true, maxRetries: 3 });
  }
}

function* seedsOf({ firstSeed, runs, secondsMax = Number.POSITIVE_INFINITY }: Playing): Generator<number> {
  const startMs = performance.now();
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    if (performance.now() - startMs > secondsMax * 1000) return;
    yield seed;
  }
}

async function playLane(
  world: World,
  {
    seeds,
    outcomes,
    playing: { mutant, onOutcome },
  }: { readonly seeds: Generator<number>; readonly outcomes: Outcome[]; readonly playing: Playing },
): Promise<void> {
  for (;;) {
    // Not for…of, which would end the generator for the others, too.
    const { value: seed, done } = seeds.next();
    if (done) return;
    const outcome = await runOnce(world, seed);
    outcomes.push(outcome);
    onOutcome?.(outcome, outcomes);
    if (mutant !== undefined && outcome.failures.length > 0) seeds.return(undefined);
  }
}
