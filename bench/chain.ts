import { readdirSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { removeRestored, restoreAside, runChain } from './chain/index.ts';
import { type Rig, startRig } from './rig/index.ts';

/**
 * A chain of backups with random changes, forgetting and pruning in between: every snapshot that is left restores to
 * exactly what was backed up, and the last of the chain about as fast as a fresh full backup. Ends with 0 only when all
 * of them do.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    server: { type: 'string', default: 'embedded' },
    seed: { type: 'string', default: '1' },
    files: { type: 'string', default: '1500' },
    rows: { type: 'string', default: '20000' },
  },
});
const ratioMax = 1.5;
const say = (line: string) => console.log(line);

await using rig = await startRig({
  server: values.server === 'debian' ? 'debian' : 'embedded',
  repositories: 6,
  files: Number(values.files),
  rows: Number(values.rows),
  seed: Number(values.seed),
});
say(`PostgreSQL ${rig.server.version}, seed ${values.seed}, ${values.runs} backups`);
const result = await runChain(rig, { runs: Number(values.runs), seed: Number(values.seed), onStep: say });
const freshStore = `${rig.folder}/fresh-store`;
const speed = await measureRestore(rig, result.remaining.at(-1)!);
const left = await pruneToOne(rig, result.remaining.at(-1)!);

const changes = [...result.changes]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, times]) => `${name} ${times}`);
say(`changes: ${changes.join(', ')}`);
say(
  `${values.runs} backups (seed ${values.seed}), ${result.forgotten} forgotten, ${result.prunes} prunes that freed ` +
    `${(result.freedBytes / 2 ** 20).toFixed(1)} MiB; ${result.remaining.length} snapshots left, ` +
    `${result.remaining.length - result.different.size} of them restore exactly`,
);
say(
  `restore: the last of the chain ${speed.chainMs} ms, a fresh full backup of the same ${speed.freshMs} ms, ` +
    `ratio ${(speed.chainMs / speed.freshMs).toFixed(2)} (wanted: at most ${ratioMax})`,
);
say(
  `pruned to that one snapshot, the store has ${mib(left.chainBytes)} of packs, the fresh one ${mib(left.freshBytes)}`,
);
process.exitCode = result.different.size === 0 && speed.chainMs <= ratioMax * speed.freshMs ? 0 : 1;

/** Medians of restores that take turns: of the chain's last snapshot, and of a full backup of the same in a new store. */
async function measureRestore(from: Rig, last: string): Promise<{ chainMs: number; freshMs: number }> {
  const store = freshStore;
  await from.summary(['init', '--store', store, '--json']);
  const { snapshot } = await from.summary(['backup', '--store', store, '--json']);
  const [chainMs, freshMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round += 1) {
    chainMs.push(await timeRestore(from, { id: last, store: from.store }));
    freshMs.push(await timeRestore(from, { id: String(snapshot), store }));
  }
  return { chainMs: median(chainMs), freshMs: median(freshMs) };
}

async function timeRestore(from: Rig, { id, store }: { id: string; store: string }): Promise<number> {
  const { summary } = await restoreAside(from, id, { store });
  await removeRestored(from, id);
  return Number(summary['durationMs']);
}

/** What a chain leaves behind when all but one of its snapshots are gone. */
async function pruneToOne(from: Rig, last: string): Promise<{ chainBytes: number; freshBytes: number }> {
  for (const id of result.remaining) {
    await from.summary(['hold', id, '--release', '--json']);
    if (id !== last) await from.summary(['forget', id, '--json']);
  }
  await from.summary(['prune', '--json']);
  return { chainBytes: packBytes(from.store), freshBytes: packBytes(freshStore) };
}

function packBytes(store: string): number {
  return readdirSync(`${store}/packs`, { recursive: true, encoding: 'utf8' })
    .map(name => statSync(`${store}/packs/${name}`))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

function median(all: readonly number[]): number {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;
}
