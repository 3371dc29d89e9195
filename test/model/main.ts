// npm run model [-- --states 1000000] [-- --trace]: every interleaving of the store's protocol, and what each rule is for.
//
// What is under gc/ is read in one step: its names are never freed, and who reads it goes by names. Which of several copies is
// kept is left open, as it hangs on random names, and so is who counts as dead. Not there: damage records and repairs, packs of
// hosts without the passphrase, what is not durable yet, many small parts, a medium that is full, parents that a session names
// (which spares a backup, not a snapshot); and chunks, packs and generations are few. The simulation (npm run simulate) has the real code instead.
import { parseArgs } from 'node:util';
import { largeWorlds, worlds } from './configurations.ts';
import { explore } from './explore.ts';
import { meet, mutants } from './mutants.ts';

const { values } = parseArgs({
  options: { states: { type: 'string', default: '1000000' }, trace: { type: 'boolean', default: false } },
});
const statesMax = Number(values.states);
let total = 0;
let hasFailed = false;

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
  hasFailed = true;
  console.log(`VIOLATION: ${violation.what}\n  ${violation.trace.join('\n  ')}`);
}
console.log(`${total} states, ${hasFailed ? 'a snapshot is lost' : 'none in which anything is lost'}\n`);

line(['without the rule', 'states', 'trace', '', '', ' what happens']);
for (const mutant of mutants) {
  const { states, isAsExpected, found } = meet(mutant);
  hasFailed ||= !isAsExpected;
  const what = found?.what ?? `nothing: ${mutant.harmless ?? 'NOT CAUGHT'}`;
  line([mutant.without.join(' + '), states, found?.trace.length ?? '', '', '', ` ${what}`]);
  if (values.trace && found) console.log(`  ${found.trace.join('\n  ')}`);
}
const caught = mutants.filter(({ harmless }) => harmless === undefined).length;
console.log(
  `${mutants.length} mutants: ${caught} lose something, ${mutants.length - caught} are covered by another rule`,
);
if (hasFailed) process.exitCode = 1;
