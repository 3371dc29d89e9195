// Plays schedules in a thread of its own, with a mutant if one is named.
import { parentPort, workerData } from 'node:worker_threads';
import { mutants } from '../mutants/all.ts';
import { loadWith } from '../mutants/mutant.ts';
import type { PlayedPiece, ThreadOrders } from './play.ts';
import { remembering } from './remember.ts';

const { mutant, pieces, taken, isUntilLoss } = workerData as ThreadOrders;
const found = mutants.find(({ name }) => name === mutant);
if (mutant !== undefined && found === undefined) throw new Error(`Cannot play: there is no mutant ${mutant}`);
loadWith({ name: mutant ?? 'none', patches: [...(found?.patches ?? []), ...remembering] });
// Only now: what is imported from here on is the mutant's.
const { Story } = await import('./story.js' as './story.ts');
const { scheduleOf } = await import('./plan.js' as './plan.ts');
const { emptyTally, addTo } = await import('./tally.js' as './tally.ts');

const story = await Story.prepare();
let hasLoss = false;
while (!hasLoss) {
  const piece = pieces[Atomics.add(taken, 0, 1)];
  if (piece === undefined) break;
  let tally = emptyTally();
  for (let i = 0; i < piece.schedules && !hasLoss; i++) {
    const seed = piece.firstSeed + i;
    tally = addTo(tally, await story.play(scheduleOf(seed)), seed);
    hasLoss = isUntilLoss === true && tally.losses.length > 0;
  }
  const message: PlayedPiece = { piece, tally };
  parentPort!.postMessage(message);
}
