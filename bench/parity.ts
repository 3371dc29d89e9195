import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { placeFor } from './compare/place.ts';
import { median } from './compare/result.ts';
import { rollDice } from './instance/random.ts';
import { stillpoint } from './peers/stillpoint.ts';
import { environment, writeResults } from './results.ts';
import { folderBytes } from './rows/dump.ts';

/**
 * What parity costs: `npm run bench:parity`. The program backs a folder of new files up for the first time, with parity and
 * without in turn, which is where it costs most: all is new. Half of the files compress to about a third, half do not. Told are
 * the medians over the pairs of what parity adds to the time, to the processor time and to the size of the store.
 */
const { values } = parseArgs({
  options: {
    mebibytes: { type: 'string', default: '512' },
    pairs: { type: 'string', default: '5' },
    results: { type: 'boolean', default: false },
  },
});

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly storeBytes: number;
}

type Setting = 'on' | 'off';

const fileBytes = 1024 * 1024;
const bytesAll = Number(values.mebibytes) * fileBytes;
const disk = mkdtempSync(join(tmpdir(), 'stillpoint-parity-'));
// In memory where it fits: what a disk takes is no part of the difference.
const folder = placeFor(disk, 2 * bytesAll);
try {
  makeFiles(join(folder, 'home'));
  const pairs: { readonly on: Run; readonly off: Run }[] = [];
  await backUp('on'); // what is read for the first time is not what is measured
  for (let i = 0; i < Number(values.pairs); i++) {
    const first: Setting = i % 2 === 0 ? 'on' : 'off';
    const before = await backUp(first);
    const after = await backUp(first === 'on' ? 'off' : 'on');
    pairs.push(first === 'on' ? { on: before, off: after } : { on: after, off: before });
    console.log(`pair ${i + 1}: ${JSON.stringify(pairs.at(-1))}`);
  }
  const added = (pick: (run: Run) => number) => median(pairs.map(({ on, off }) => pick(on) / pick(off) - 1));
  const measured = {
    timeShare: added(run => run.seconds),
    cpuShare: added(run => run.cpuSeconds),
    spaceShare: added(run => run.storeBytes),
  };
  console.log(JSON.stringify(measured, null, 2));
  if (values.results) console.log(writeResults('parity', { ...environment(), ...values, measured, pairs }));
} finally {
  for (const place of [folder, disk]) rmSync(place, { recursive: true, force: true });
}

async function backUp(parity: Setting): Promise<Run> {
  const scratch = join(folder, 'round');
  mkdirSync(scratch);
  const store = await stillpoint({ settings: `parity: ${parity}` }).open(scratch);
  const { seconds, cpuSeconds } = await store.backUp(join(folder, 'home'));
  const storeBytes = folderBytes(store.folder);
  rmSync(scratch, { recursive: true });
  return { seconds, cpuSeconds: cpuSeconds ?? Number.NaN, storeBytes };
}

function makeFiles(home: string): void {
  const dice = rollDice(1);
  mkdirSync(home);
  for (let i = 0; i < bytesAll / fileBytes; i++) {
    const bytes = dice.bytes(fileBytes);
    // Base-8 digits: three bits of eight.
    if (i % 2 === 0) for (let at = 0; at < bytes.length; at++) bytes[at] = 48 + (bytes[at]! & 7);
    writeFileSync(join(home, `${i}`), bytes);
  }
}
