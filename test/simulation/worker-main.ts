// Plays schedules in a thread of its own, with a mutant if one is named.
import { parentPort, workerData } from 'node:worker_threads';
import { mutants } from '../mutants/all.ts';
import { loadWith } from '../mutants/mutant.ts';
import type { Orders, Tally } from './play.ts';

const { mutant, firstSeed, schedules, isUntilLoss } = workerData as Orders;
const found = mutants.find(({ name }) => name === mutant);
if (mutant !== undefined && found === undefined) throw new Error(`Cannot play: there is no mutant ${mutant}`);
if (found !== undefined) loadWith(found);
// Only now: what is imported from here on is the mutant's.
const { Story } = await import('./story.js' as './story.ts');
const { scheduleOf } = await import('./plan.js' as './plan.ts');
const { emptyTally, addTo } = await import('./tally.js' as './tally.ts');

const story = await Story.prepare();
let tally: Tally = emptyTally();
for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
  const played = await story.play(scheduleOf(seed));
  tally = addTo(tally, played, seed);
  if (isUntilLoss && tally.losses.length > 0) break;
  if (tally.schedules % 500 === 0) parentPort!.postMessage({ kind: 'progress', tally });
}
parentPort!.postMessage({ kind: 'done', tally });
