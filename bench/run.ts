import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chartOf } from './compare/chart.ts';
import { judge, type WorkloadResult } from './compare/result.ts';
import { tableOf } from './compare/table.ts';
import { filePeers } from './peers/index.ts';
import { environment, readResults, writeResults } from './results.ts';
import { workloads } from './workloads/index.ts';

/**
 * Measures ours beside others on the same data, in turn, and checks what each restored: `npm run bench -- small-files
 * packs`. Writes `bench/results/bench-WORKLOAD.json` and `.svg`, and with --readme, alone or not, the table in README.md from
 * all that are kept there. Nothing is written with --quick, which only shows that all of it works.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
  },
});

const fullRounds = 5;
const { quick } = values;
const unknown = positionals.filter(name => !workloads.some(workload => workload.name === name));
if (unknown.length > 0) {
  console.error(`No such workload: ${unknown.join(', ')}. There are:`);
  for (const { name, about } of workloads) console.error(`  ${name}: ${about}`);
  process.exit(2);
}
const chosen =
  positionals.length > 0 || values.readme
    ? workloads.filter(({ name }) => positionals.includes(name))
    : workloads;
const rounds = Number(values.rounds ?? (quick ? 1 : fullRounds));
const env = environment();
const versions = Object.fromEntries(filePeers().map(({ name, version }) => [name, version ?? 'not there']));
if (!quick && Number(env['loadBefore']) > 0.5)
  console.log(`The machine is not calm (load ${String(env['loadBefore'])}): ratios hold, times do not.`);

let missed = 0;
for (const workload of chosen) {
  console.log(`${workload.name}: ${workload.about}${quick ? ' (little of it)' : ''}`);
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  try {
    const say = (line: string) => console.log(line);
    const result = await workload.run({ folder, rounds, quick, seed: Number(values.seed), say });
    if (!quick) {
      console.log(`${tableOf([result])}\n`);
      missed += result.steps.flatMap(judge).filter(({ isMet }) => !isMet).length;
      const path = writeResults(`bench-${workload.name}`, { environment: env, versions, result });
      writeFileSync(path.replace(/\.json$/, '.svg'), chartOf(result));
      console.log(`${path}, ${(result.seconds / 60).toFixed(1)} minutes`);
    }
  } finally {
    remove();
    process.off('exit', remove);
  }
}
if (values.readme) writeTable();
if (!quick && chosen.length > 0) console.log(missed === 0 ? 'every target met' : `${missed} targets missed`);

/** Between the markers of the README: what is kept of every workload. */
function writeTable(): void {
  const kept = workloads.flatMap(({ name }) => {
    const { result } = readResults(`bench-${name}`) as { readonly result?: WorkloadResult };
    return result ? [result] : [];
  });
  const readme = fileURLToPath(new URL('../../README.md', import.meta.url));
  const [begin, end] = ['<!-- bench: begin -->', '<!-- bench: end -->'];
  const text = readFileSync(readme, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no markers ${begin} and ${end}`);
  writeFileSync(readme, `${text.slice(0, from + begin.length)}\n\n${tableOf(kept)}\n\n${text.slice(to)}`);
}
