import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createStore, openLocalBackend, openStore, type ParityOptions, systemSeams } from '../store/index.ts';
import { environment, writeResults } from './results.ts';

/**
 * What parity costs: `npm run bench:parity`. Sessions that put the same new bytes into new stores in a scratch folder, with
 * parity and without in turn, half of them bytes that compress to a third and half that do not. Processor time is that of this
 * process; medians of pairs are told, and what parity takes of the packs.
 */
const { values } = parseArgs({
  options: {
    mebibytes: { type: 'string', default: '256' },
    pairs: { type: 'string', default: '7' },
    results: { type: 'boolean', default: false },
  },
});
const chunkBytes = 1024 * 1024;
const passphrase = 'bench';
const kdf = { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 } as const;
const parity: ParityOptions = {
  onFailure: error => {
    throw error;
  },
};

/** The first so many chunks compress, the rest do not; each is new. */
function chunkOf(position: number, chunks: number): Uint8Array {
  const bytes = new Uint8Array(systemSeams.randomness.bytes(chunkBytes));
  if (position < chunks / 2) for (let i = 0; i < bytes.length; i++) bytes[i]! &= i % 3 === 0 ? 0xff : 0x03;
  return bytes;
}

interface Run {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly packedBytes: number;
  readonly parityBytes: number;
}

async function run(withParity: boolean): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-parity-'));
  try {
    const backend = await openLocalBackend(folder, { create: true });
    await createStore(backend, { passphrase, seams: systemSeams, kdf });
    const chunks = Number(values.mebibytes);
    const options = { passphrase, seams: systemSeams, ...(withParity && { parity }) };
    await using store = await openStore(backend, options);
    await using session = await store.beginBackup({ host: 'bench' });
    let cpuUs = 0;
    let wallMs = 0;
    const timed = async <T>(act: () => Promise<T>): Promise<T> => {
      const cpu = process.cpuUsage();
      const fromMs = performance.now();
      const result = await act();
      const { user, system } = process.cpuUsage(cpu);
      cpuUs += user + system;
      wallMs += performance.now() - fromMs;
      return result;
    };
    let root = await session.put(new Uint8Array([1]), 'data');
    for (let i = 0; i < chunks; i++) {
      const chunk = chunkOf(i, chunks);
      root = await timed(() => session.put(chunk, 'data'));
    }
    await timed(() => session.commit({ roots: [{ id: root, kind: 'data' }], body: null }));
    const { packedBytes } = session.written;
    let parityBytes = 0;
    for await (const { bytes } of backend.list('parity/')) parityBytes += bytes;
    return { cpuMs: cpuUs / 1000, wallMs, packedBytes, parityBytes };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

const runs: { readonly without: Run; readonly with: Run }[] = [];
await run(true); // what is compiled at first use is not what is measured
for (let i = 0; i < Number(values.pairs); i++) {
  const isFirst = i % 2 === 0;
  const first = await run(isFirst);
  const second = await run(!isFirst);
  runs.push(isFirst ? { without: second, with: first } : { without: first, with: second });
}
const measured = {
  spaceShare: median(runs.map(pair => pair.with.parityBytes / pair.with.packedBytes)),
  cpuShare: median(runs.map(pair => pair.with.cpuMs / pair.without.cpuMs - 1)),
  wallShare: median(runs.map(pair => pair.with.wallMs / pair.without.wallMs - 1)),
  cpuMsPerPack16MiB: {
    without: median(runs.map(pair => (pair.without.cpuMs * 2 ** 24) / pair.without.packedBytes)),
    with: median(runs.map(pair => (pair.with.cpuMs * 2 ** 24) / pair.with.packedBytes)),
  },
};
console.log(JSON.stringify(measured, null, 2));
if (values.results) console.log(writeResults('parity', { ...environment(), ...values, measured, runs }));
