// npm run model [-- --states 1000000] [-- --trace]: every interleaving of the store's protocol, and what each rule is for.
//
// What is under gc/ is read in one step: its names are never freed, and who reads it goes by names. Which of several copies is
// kept is left open, as it hangs on random names, and so is who counts as dead. Not there: damage records and repairs, packs of
// hosts without the passphrase, what is not durable yet, many small parts, a medium that is full, parents that a session names
// (which spares a backup, not a snapshot); and chunks, packs and generations are few. The simulation (npm run simulate) has the real code instead.
import { parseArgs } from 'node:util';
import { recordResult } from '../faults/results.ts';
import { largeWorlds, worlds } from './configurations.ts';
import { explore } from './explore.ts';
import { meet, mutants } from './mutants.ts';

const { values } = parseArgs({
  options: { states: { type: 'string', default: '1000000' }, trace: { type: 'boolean', default: false } },
});
const statesMax = Number(values.states);
const startMs = performance.now();
let total = 0;
let violations = 0;
let unexpected = 0;

const line = (cells: readonly (string | number)[]): void => {
  const widths = [64, 11, 11, 6, 8];
  console.log(
    cells
      .map((cell, i) => (i === 0 ? `${cell}`.padEnd(widths[0]!) : `${cell}`.padStart(widths[i] ?? 0)))
      .join(' '),
  );
};

line(['the protocol as it is', 'states', 'steps', 'depth', 'seconds']);
for (const world of [...Object.values(worlds), ...largeWorlds]) {
  const startMs = performance.now();
  const { states, steps, depth, isWhole, cut, violation } = explore(world, { statesMax });
  total += states;
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  line([world.name, states, steps, depth, seconds, isWhole && cut === 0 ? ' all' : ' so far']);
  if (violation === undefined) continue;
  violations += 1;
  console.log(`VIOLATION: ${violation.what}\n  ${violation.trace.join('\n  ')}`);
}
console.log(`${total} states, ${violations > 0 ? 'a snapshot is lost' : 'none in which anything is lost'}\n`);

line(['without the rule', 'states', 'trace', '', '', ' what happens']);
for (const mutant of mutants) {
  const { states, isAsExpected, found } = meet(mutant);
  if (!isAsExpected) unexpected += 1;
  const what = found?.what ?? `nothing: ${mutant.harmless ?? 'NOT CAUGHT'}`;
  line([mutant.without.join(' + '), states, found?.trace.length ?? '', '', '', ` ${what}`]);
  if (values.trace && found) console.log(`  ${found.trace.join('\n  ')}`);
}
const caught = mutants.filter(({ harmless }) => harmless === undefined).length;
console.log(
  `${mutants.length} mutants: ${caught} lose something, ${mutants.length - caught} are covered by another rule`,
);
if (violations + unexpected > 0) process.exitCode = 1;
/** Fewer are no figure. */
const recordedStates = 1_000_000;
if (total >= recordedStates)
  recordResult({
    figure: 'states of the model of backup, prune, forget and read',
    ci: '151,944',
    release: '5,000,000',
    reached: total,
    wrong: violations + unexpected,
    what: `${Object.keys(worlds).length} small worlds to their end, ${largeWorlds.length} larger ones to ${statesMax} each; of ${mutants.length} mutants ${caught} lose something and ${mutants.length - caught} are covered by another rule`,
    command: `npm run model -- --states ${statesMax}`,
    seed: '-',
    seconds: (performance.now() - startMs) / 1000,
  });
