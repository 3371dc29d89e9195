import { parseArgs } from 'node:util';
import { startMariadb } from '../servers/index.ts';
import { fuzzMariadb } from './fuzz.ts';

/** The fuzz of MariaDB backups: `--seed N --runs N`, seeds from there on until `--runs` are done; then each guard is taken out. */
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '500' } },
});
const perSeed = 50;
await using server = await startMariadb();
const say = (text: string): void => console.log(text);
const counts: Record<string, number> = {};
let seed = Number(values.seed);
const sums = { backups: 0, kept: 0, segments: 0, wrong: 0 };
while (sums.backups < Number(values.runs)) {
  const found = await fuzzMariadb({
    server,
    seed,
    runs: Math.min(perSeed, Number(values.runs) - sums.backups),
  });
  for (const [name, count] of Object.entries(found.counts)) counts[name] = (counts[name] ?? 0) + count;
  for (const one of found.wrong) say(`WRONG, seed ${seed}, ${one}`);
  sums.backups += found.backups + found.wrong.length;
  sums.kept += found.kept;
  sums.segments += found.segments;
  sums.wrong += found.wrong.length;
  process.stderr.write(`seed ${seed}: ${sums.backups} backups, ${sums.wrong} wrong\n`);
  seed += 1;
}
for (const name of Object.keys(counts).sort()) say(`${name}: ${counts[name]}`);
say(
  `seeds ${values.seed} to ${seed - 1}: ${sums.backups} incremental backups, ${sums.kept} of ${sums.segments} ranges reused, ${sums.wrong} wrong`,
);
if (sums.wrong > 0) process.exitCode = 1;
for (const guard of ['countsOnly', 'anyDefinition', 'withoutTableLocks'] as const) {
  let caught: string | undefined;
  for (let at = 1000; at < 1010 && caught === undefined; at += 1)
    caught = (await fuzzMariadb({ server, seed: at, runs: perSeed, guards: { [guard]: true } })).wrong[0];
  say(`${guard}: ${caught === undefined ? 'NOT FOUND' : `found, ${caught}`}`);
  if (caught === undefined) process.exitCode = 1;
}
