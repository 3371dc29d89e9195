import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Store, verifyStore } from '../store/index.ts';
import { buildZeros, pruneZeros } from './memory/prune-store.ts';
import { buildStore, openSynthetic } from './memory/synthetic-store.ts';
import { environment, writeResults } from './results.ts';

/**
 * How much memory an act needs over a store of so many million chunks: `npm run bench:memory -- verify --chunks 5`, or
 * `-- prune --chunks 1,5 --mib-max 700`. The store is made in one process and the act runs in another, whose peak is told, in
 * all and for each million chunks; with several sizes, for each million more. Ends with 1 above --mib-max.
 */
interface Act {
  build(store: { readonly folder: string; readonly chunks: number }): Promise<void>;
  run(store: { readonly folder: string; readonly chunks: number }): Promise<unknown>;
}

const acts: Readonly<Record<string, Act>> = {
  open: reading(store => store.resolve('0000').catch(() => undefined)),
  verify: reading(async store => {
    const { isOk, chunksChecked, scrub } = await verifyStore(store, { noteAs: 'bench' });
    return { isOk, chunksChecked, packs: scrub.all.packs };
  }),
  prune: { build: buildZeros, run: pruneZeros },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Millions; several with commas. */
    chunks: { type: 'string', default: '5' },
    'mib-max': { type: 'string' },
    folder: { type: 'string' },
    /** Which half this process is; absent: the one that starts both. */
    part: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const [name = 'verify'] = positionals;
const act = acts[name];
if (!act) throw new TypeError(`No act ${name}: there are ${Object.keys(acts).join(', ')}`);

if (values.part === undefined) measureAll();
else {
  const store = { folder: values.folder!, chunks: Number(values.chunks) * 1e6 };
  if (values.part === 'build') await act.build(store);
  else {
    const result = await act.run(store);
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    process.stdout.write(JSON.stringify({ result, peakRssBytes }));
  }
}

function reading(run: (store: Store) => Promise<unknown>): Act {
  return {
    build: buildStore,
    async run(synthetic) {
      await using store = await openSynthetic(synthetic);
      return run(store);
    },
  };
}

function measureAll(): void {
  const measured = values.chunks.split(',').map(Number).map(measure);
  const [first, last] = [measured[0]!, measured.at(-1)!];
  const more = last.chunks - first.chunks;
  const summary = {
    act: name,
    ...last,
    ...(more > 0 && {
      smaller: measured.slice(0, -1),
      bytesPerMillionMore: Math.round(((last.peakRssBytes - first.peakRssBytes) / more) * 1e6),
    }),
  };
  process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  if (values.write) writeResults(`memory-${name}`, { environment: environment(), ...summary });
  const mibMax = Number(values['mib-max'] ?? Number.POSITIVE_INFINITY);
  if (measured.some(({ peakRssBytes }) => peakRssBytes > mibMax * 2 ** 20)) process.exitCode = 1;
}

interface Measured {
  readonly chunks: number;
  readonly peakRssBytes: number;
  readonly bytesPerMillionChunks: number;
  readonly result: unknown;
}

function measure(millions: number): Measured {
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'stillpoint-memory-'));
  const part = (which: string): string => {
    const size = ['--chunks', String(millions), '--folder', join(folder, 'store')];
    const args = [fileURLToPath(import.meta.url), name, ...size, '--part', which];
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const { status, stdout } = spawnSync(process.execPath, args, { stdio: [...stdio], encoding: 'utf8' });
    if (status !== 0) throw new Error(`The part ${which} ended with ${status}`);
    return stdout;
  };
  try {
    part('build');
    const { result, peakRssBytes } = JSON.parse(part('act')) as { result: unknown; peakRssBytes: number };
    const bytesPerMillionChunks = Math.round(peakRssBytes / millions);
    return { chunks: millions * 1e6, peakRssBytes, bytesPerMillionChunks, result };
  } finally {
    if (!values.folder) rmSync(folder, { recursive: true, force: true });
  }
}
