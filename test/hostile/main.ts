import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type CaseKind, fuzzHostile } from '../../bench/hostile/fuzz.ts';
import { recordResult } from '../faults/results.ts';

/**
 * Random hostile stores, homes and databases, all validly sealed: whatever reads, restores, verifies or prunes them must
 * work within its target or end with a code. A finding is made again with --from N --cases 1 and the same seed.
 */
const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    codes: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => console.log(text);
const hangMs = 30_000;

/** Case and a count that moves while the main thread does: what hangs it cannot tell of itself. */
const seen = new Int32Array(new SharedArrayBuffer(8));
const watchdog = new Worker(
  `const { workerData: { seen, hangMs } } = require('node:worker_threads');
   let last = -1;
   setInterval(() => {
     if (seen[0] === last) { process.stderr.write('HANG in case ' + seen[0] + '\\n'); process.kill(process.pid, 'SIGKILL'); }
     last = seen[0];
   }, hangMs);`,
  { eval: true, workerData: { seen, hangMs } },
);
watchdog.unref();

const startedMs = performance.now();
let peakBytes = 0;
const totals = await fuzzHostile({
  seed: Number(values.seed),
  from: Number(values.from),
  cases: Number(values.cases),
  stepMsMax: 5_000,
  only: values.only as CaseKind | undefined,
  onCase: caseNumber => {
    seen[0] = caseNumber;
    if (caseNumber % 100 === 0) peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
    if (caseNumber % 5_000 === 0) process.stderr.write(`case ${caseNumber}\n`);
  },
  onFinding: ({ kind, caseNumber, step, what }) => say(`FOUND ${kind} ${caseNumber}, ${step}: ${what}`),
});
const seconds = (performance.now() - startedMs) / 1000;
if (values.codes)
  for (const [name, times] of [...totals.ended].sort()) say(`${String(times).padStart(8)}  ${name}`);
say(
  `${totals.cases} cases in ${seconds.toFixed(0)} s (seed ${values.seed}): ${totals.findings.length} findings, ${totals.escapes} escapes, ` +
    `${totals.slow} over 5 s, slowest step ${totals.slowestMs.toFixed(0)} ms, peak RSS ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
);
await watchdog.terminate();
/** Fewer are no figure, and those of one kind neither. */
const recordedCases = 1_000;
if (totals.cases >= recordedCases && values.only === undefined)
  recordResult({
    figure: 'hostile homes, databases and stores, validly sealed: escapes, hangs, ends without a code',
    ci: '300',
    release: '100,000',
    reached: totals.cases,
    wrong: totals.findings.length,
    what: `${totals.escapes} escapes, ${totals.slow} steps over 5 s, the slowest ${totals.slowestMs.toFixed(0)} ms, peak RSS ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
    command: `npm run fuzz:hostile -- --cases ${values.cases}`,
    seed: values.seed,
    seconds,
  });
process.exitCode = totals.findings.length > 0 ? 1 : 0;
