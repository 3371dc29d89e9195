// One of the processes among which `npm run faults` divides a suite.
import { suites } from './suites.ts';
import { progress } from './tally.ts';
import type { Message, Order } from './workers.ts';

const order = JSON.parse(process.argv[2]!) as Order;
const suite = suites.find(({ name }) => name === order.suite)!;
/** Who began it is gone: nobody wants to know any more. */
const giveUp = (): never => process.exit(1);
process.once('disconnect', giveUp);
const tell = (message: Message): Promise<void> =>
  new Promise(resolve => process.send!(message, undefined, {}, () => resolve()));
const timer = setInterval(() => void tell({ kind: 'progress', ...progress() }), 2000);
const tallies = await suite.run({
  seed: order.seed,
  stride: order.stride,
  pointsMax: order.pointsMax ?? Number.POSITIVE_INFINITY,
  endMs: performance.now() + order.milliseconds,
});
clearInterval(timer);
await tell({ kind: 'done', counted: tallies.map(tally => tally.counted()) });
process.off('disconnect', giveUp);
process.disconnect();
