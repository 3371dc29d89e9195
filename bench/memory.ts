import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Store, verifyStore } from '../store/index.ts';
import { buildStore, openSynthetic } from './memory/synthetic-store.ts';
import { environment, writeResults } from './results.ts';

/**
 * How much memory an act needs over a store of so many million chunks: `npm run bench:memory -- verify --chunks 5`. The store
 * is made in one process and the act runs in another, whose peak is told, in all and for each million chunks.
 */
const acts: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  open: store => store.resolve('0000').catch(() => undefined),
  async verify(store) {
    const { isOk, chunksChecked, scrub } = await verifyStore(store, { noteAs: 'bench' });
    return { isOk, chunksChecked, packs: scrub.all.packs };
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Millions. */
    chunks: { type: 'string', default: '5' },
    folder: { type: 'string' },
    /** Which half this process is; absent: the one that starts both. */
    part: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const [name = 'verify'] = positionals;
const act = acts[name];
if (!act) throw new TypeError(`No act ${name}: there are ${Object.keys(acts).join(', ')}`);
const millions = Number(values.chunks);
const chunks = Math.round(millions * 1e6);

switch (values.part) {
  case 'build':
    await buildStore({ folder: values.folder!, chunks });
    break;
  case 'act':
    await runAct(act);
    break;
  default:
    startBoth();
}

async function runAct(run: (store: Store) => Promise<unknown>): Promise<void> {
  await using store = await openSynthetic({ folder: values.folder!, chunks });
  const result = await run(store);
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(JSON.stringify({ result, peakRssBytes }));
}

function startBoth(): void {
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'stillpoint-memory-'));
  const part = (which: string): string => {
    const args = [
      fileURLToPath(import.meta.url),
      name,
      '--chunks',
      values.chunks,
      '--folder',
      join(folder, 'store'),
    ];
    const { status, stdout } = spawnSync(process.execPath, [...args, '--part', which], {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`The part ${which} ended with ${status}`);
    return stdout;
  };
  try {
    part('build');
    const { result, peakRssBytes } = JSON.parse(part('act')) as { result: unknown; peakRssBytes: number };
    const measured = {
      act: name,
      chunks,
      peakRssBytes,
      bytesPerMillionChunks: Math.round(peakRssBytes / millions),
    };
    process.stdout.write(`${JSON.stringify({ ...measured, result }, null, 2)}\n`);
    if (values.write) writeResults(`memory-${name}`, { environment: environment(), ...measured, result });
  } finally {
    if (!values.folder) rmSync(folder, { recursive: true, force: true });
  }
}
