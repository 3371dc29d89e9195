import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { commands } from '../cli/program/commands/index.ts';
import { environment, writeResults } from './results.ts';

/**
 * What the help of each command takes beside a Node that does nothing: both in turn, so that what else the machine does
 * meets both. Writes bench/results/help.json. Ends with 0 only when no median is past 2.5 times that of Node.
 */
const fullPairs = 15;
const ratioMax = 2.5;
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: String(fullPairs) },
    // Of the file; without one, only a run of the full size is kept.
    name: { type: 'string' },
  },
});
const pairs = Number(values.pairs);
const env = environment();
if (Number(env['loadBefore']) > 0.5)
  console.log(`The machine is not calm (load ${String(env['loadBefore'])}): these figures are noise.`);
const startedMs = performance.now();
const main = fileURLToPath(new URL('../program/main.js', import.meta.url));

interface Measured {
  readonly args: string;
  readonly nodeMs: number;
  readonly helpMs: number;
  readonly ratio: number;
  /** Of the ratios, from the least to the greatest. */
  readonly ratios: readonly number[];
}

const measured = [['--help'], ['--version'], ...commands.map(({ name }) => [name, '--help'])].map(measure);
for (const { args, nodeMs, helpMs, ratio } of measured)
  console.log(`${args.padEnd(20)} ${helpMs} ms, node ${nodeMs} ms: ${ratio}`);
const worst = Math.max(...measured.map(({ ratio }) => ratio));
console.log(`worst ratio ${worst}, of ${pairs} pairs each; at most ${ratioMax} is wanted`);
if (values.name !== undefined || pairs >= fullPairs) {
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    writeResults(values.name ?? 'help', { environment: env, seconds, pairs, ratioMax, worst, measured }),
  );
}
process.exitCode = worst <= ratioMax ? 0 : 1;

function measure(args: readonly string[]): Measured {
  const [node, help, ratios]: [number[], number[], number[]] = [[], [], []];
  for (let pair = 0; pair < pairs; pair++) {
    const nodeMs = time(['-e', '0']);
    const helpMs = time([main, ...args]);
    node.push(nodeMs);
    help.push(helpMs);
    ratios.push(rounded(helpMs / nodeMs));
  }
  ratios.sort((a, b) => a - b);
  return {
    args: args.join(' '),
    nodeMs: rounded(median(node)),
    helpMs: rounded(median(help)),
    ratio: median(ratios),
    ratios,
  };
}

function time(args: readonly string[]): number {
  const startedMs = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
