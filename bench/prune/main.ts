import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  beginPrune,
  createStore,
  forgetSnapshots,
  openLocalBackend,
  openStore,
  type Reclaimed,
  type SnapshotId,
  type Store,
  systemSeams,
  verifyStore,
} from '../../store/index.ts';
import { environment, writeResults } from '../results.ts';
import { commitTree, type Known, Tree, type TreePlan } from './tree.ts';

/**
 * A store of many small files and snapshots, most of which are forgotten; then a prune, alone and beside a backup. How long
 * each takes, that neither waits for the other, and how much larger the store is than a fresh one of what is left. Ends
 * with 0 only when the two ran beside each other and the store is within 5 % of the fresh one.
 */
const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '100000' },
    snapshots: { type: 'string', default: '60' },
    keep: { type: 'string', default: '10' },
    changed: { type: 'string', default: '1000' },
    bytes: { type: 'string', default: '4000' },
    /** How long the backup takes, as one that reads a disk. */
    seconds: { type: 'string', default: '60' },
    write: { type: 'boolean', default: false },
    role: { type: 'string' },
    store: { type: 'string' },
    states: { type: 'string' },
  },
});
const plan: TreePlan = {
  files: Number(values.files),
  changedPerState: Number(values.changed),
  bytesMax: Number(values.bytes),
};
const passphrase = 'bench';
const clock = systemSeams.clock;
const excessMax = 0.05;

async function open(folder: string): Promise<Store> {
  return openStore(await openLocalBackend(folder), { passphrase, seams: systemSeams });
}

if (values.role === 'backup') await backupRole(values.store!);
else if (values.role === 'prune') await pruneRole(values.store!);
else await measure();

interface Told {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly [name: string]: unknown;
}

/** One backup of the state after the last snapshot, in its own time; prints what became of it. */
async function backupRole(folder: string): Promise<void> {
  const tree = treeAt(Number(values.states));
  await using store = await open(folder);
  const pauseMs = (Number(values.seconds) * 1000) / 100;
  process.stdout.write('ready\n');
  const startedMs = clock.nowMs();
  const each = Math.ceil(plan.files / 100);
  const pace = async (file: number): Promise<void> => {
    if (file % each === 0) await clock.sleep(pauseMs);
  };
  const id = await commitTree(store, tree, { known: new Map(), pace });
  tell({ startedMs, endedMs: clock.nowMs(), id });
}

async function pruneRole(folder: string): Promise<void> {
  await using store = await open(folder);
  const startedMs = clock.nowMs();
  const others: string[] = [];
  await using session = await beginPrune(store, {
    host: 'bench',
    onWait: ({ purpose }) => void others.push(purpose),
  });
  const begunMs = clock.nowMs();
  const reclaimed = await session.reclaim();
  tell({ startedMs, begunMs, endedMs: clock.nowMs(), others, reclaimed });
}

function tell(what: Told): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

function treeAt(states: number): Tree {
  const tree = new Tree(plan);
  for (let state = 0; state < states; state++) tree.advance();
  return tree;
}

async function measure(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'bench-prune-'));
  try {
    process.exitCode = (await measureIn(scratch)) ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function measureIn(scratch: string): Promise<boolean> {
  const env = environment();
  const snapshots = Number(values.snapshots);
  const keep = Number(values.keep);
  const grown = join(scratch, 'grown');
  const isKept = (state: number): boolean => (snapshots - state) % Math.floor(snapshots / keep) === 0;
  const ids = await grow(grown, { snapshots, isWanted: () => true });
  const grownBytes = bytesOf(grown);
  say(`${snapshots} snapshots of ${plan.files} files: ${mib(grownBytes)}`);
  {
    await using store = await open(grown);
    const going = ids.filter((_, at) => !isKept(at + 1));
    await forgetSnapshots(store, going, { reason: 'bench' });
    say(`${going.length} forgotten`);
  }
  const copy = (name: string): string => {
    const folder = join(scratch, name);
    cpSync(grown, folder, { recursive: true });
    return folder;
  };
  const states = String(snapshots);
  const pruneAlone = await run('prune', copy('prune-alone'), { states });
  rmSync(join(scratch, 'prune-alone'), { recursive: true });
  const backupAlone = await run('backup', copy('backup-alone'), { states });
  rmSync(join(scratch, 'backup-alone'), { recursive: true });
  const both = await runBoth(grown, states);
  const after = bytesOf(grown);
  const fresh = join(scratch, 'fresh');
  await grow(fresh, { snapshots: snapshots + 1, isWanted: state => state > snapshots || isKept(state) });
  const freshBytes = bytesOf(fresh);
  const excess = after / freshBytes - 1;
  const { damage } = await verifyWhole(grown);
  const isBeside = both.prune.startedMs > both.backup.startedMs && both.prune.endedMs < both.backup.endedMs;
  const results = {
    environment: env,
    plan: { ...plan, snapshots, keep },
    grownBytes,
    pruneAloneMs: lasted(pruneAlone),
    pruneBesideMs: lasted(both.prune),
    pruneLookedForLifeMs: Number(both.prune['begunMs']) - both.prune.startedMs,
    backupAloneMs: lasted(backupAlone),
    backupBesideMs: lasted(both.backup),
    isBeside,
    reclaimed: both.prune['reclaimed'] as Reclaimed,
    afterBytes: after,
    freshBytes,
    excess,
    damage: damage.length,
  };
  report(results);
  if (values.write) say(writeResults('prune', results));
  return isBeside && excess <= excessMax && damage.length === 0;
}

function report(results: Record<string, unknown>): void {
  const seconds = (name: string) => `${(Number(results[name]) / 1000).toFixed(1)} s`;
  say(
    `prune: alone ${seconds('pruneAloneMs')}, beside a backup ${seconds('pruneBesideMs')}, of which ${seconds('pruneLookedForLifeMs')} to see that the backup lives`,
  );
  say(`backup: alone ${seconds('backupAloneMs')}, beside a prune ${seconds('backupBesideMs')}`);
  say(
    `the prune ${results['isBeside'] ? 'began and ended while the backup ran' : 'did NOT run beside the backup'}`,
  );
  const { freedBytes, pending } = results['reclaimed'] as Reclaimed;
  say(`freed ${mib(freedBytes)}; waits: ${JSON.stringify(pending)}`);
  say(
    `store ${mib(Number(results['afterBytes']))}, a fresh one ${mib(Number(results['freshBytes']))}: ${(100 * Number(results['excess'])).toFixed(1)} % more; damage ${results['damage']}`,
  );
}

/** A store with the snapshots of some states. */
async function grow(
  folder: string,
  { snapshots, isWanted }: { readonly snapshots: number; readonly isWanted: (state: number) => boolean },
): Promise<SnapshotId[]> {
  const backend = await openLocalBackend(folder, { create: true });
  await using store = await createStore(backend, { passphrase, seams: systemSeams });
  const tree = new Tree(plan);
  const known: Known = new Map();
  const ids: SnapshotId[] = [];
  // The backup beside the prune is of the state after the last snapshot; states count from 1.
  for (let state = 1; state <= snapshots; state++) {
    if (isWanted(state)) ids.push(await commitTree(store, tree, { known }));
    tree.advance();
  }
  return ids;
}

async function verifyWhole(folder: string) {
  await using store = await open(folder);
  return verifyStore(store, { readData: 1 });
}

async function runBoth(
  folder: string,
  states: string,
): Promise<{ readonly backup: Told; readonly prune: Told }> {
  let prune: Promise<Told> | undefined;
  const backup = await run('backup', folder, {
    states,
    onReady: () => {
      // A moment later, so that the backup's session is the older one.
      prune = clock.sleep(2_000).then(() => run('prune', folder, { states }));
    },
  });
  return { backup, prune: await prune! };
}

/** This program again, in another role. */
function run(
  role: string,
  folder: string,
  { states, onReady }: { readonly states: string; readonly onReady?: () => void },
): Promise<Told> {
  const { files, changed, bytes, seconds } = values;
  const options = { role, store: folder, states, files, changed, bytes, seconds };
  const argv = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    let isReady = false;
    child.stdout.on('data', chunk => {
      text += chunk;
      if (!isReady && text.startsWith('ready\n')) {
        isReady = true;
        onReady?.();
      }
    });
    child.on('error', reject);
    child.on('close', code => {
      if (code === 0) resolve(JSON.parse(text.replace('ready\n', '')) as Told);
      else reject(new Error(`${role} ended with ${code}`));
    });
  });
}

function lasted({ startedMs, endedMs }: Told): number {
  return endedMs - startedMs;
}

/** What every file of a folder takes, without what is set aside for a full disk. */
function bytesOf(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && !entry.name.startsWith('.'))
      sum += statSync(join(entry.parentPath, entry.name)).size;
  return sum;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
