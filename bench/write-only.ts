import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, writeResults } from './results.ts';
import { type Rig, startRig } from './rig/index.ts';
import { type RunFigures, readAttempts, runWriteOnly } from './write-only/runs.ts';

/**
 * What a host costs and can do that may write and not read: ten backups beside a twin with the passphrase, one with its
 * cache deleted, every command that reads, and deletes on folders that forbid them. Ends with 0 only when all is as it should be.
 */
const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '5000' },
    rows: { type: 'string', default: '100000' },
    backups: { type: 'string', default: '10' },
    results: { type: 'boolean', default: false },
  },
});

const settleMs = 5_000;

await using rig = await startRig({
  server: 'embedded',
  repositories: 12,
  files: Number(values.files),
  rows: Number(values.rows),
  log: 'off',
});
const run = (args: readonly string[], env: Readonly<Record<string, string>>) => rig.program(args, { env });
const line = (name: string, { changedFiles, changedSegments, newChunks, newBytes }: RunFigures): void =>
  console.log(
    `  ${name}: ${changedFiles} files read, ${changedSegments} segments; ${newChunks} chunks stored, ${newBytes} bytes`,
  );
const backups = Number(values.backups);
const shown = await runWriteOnly({
  ...{ rig, run, backups, settleMs },
  onRun(name, host, twin) {
    console.log(name);
    line('write-only host', host);
    line('with the passphrase', twin);
  },
});
line('with its cache deleted', shown.withoutCache);
line('and once more', shown.after);
console.log(`chunks that lie in the store twice: ${shown.storedTwice}`);
const attempts = await readAttempts({ rig, run, keyFile: shown.keyFile });
for (const { command, code } of attempts) console.log(`  stillpoint ${command}: ends with ${code}`);
const verified = await rig.program(['verify', '--read-data']);
console.log(`verify --read-data with the passphrase: ends with ${verified.code}`);
const append = await onAppendOnlyFolders(rig, shown.keyFile);
console.log(append.told);

const later = shown.runs.slice(1);
const isIncremental = later.every(({ host, twin }) => host.changedFiles === twin.changedFiles);
const passed =
  isIncremental &&
  shown.storedTwice === 0 &&
  attempts.every(({ code }) => code === 12) &&
  verified.code === 0 &&
  append.passed;
console.log(passed ? 'passed' : 'FAILED');
if (values.results)
  console.log(
    writeResults('write-only', {
      ...environment(),
      ...values,
      ...shown,
      keyFile: undefined,
      attempts,
      append,
    }),
  );
process.exitCode = passed ? 0 : 1;

/** Folders of the local file system that take new names and give none back: a backup goes on, a delete does not. */
async function onAppendOnlyFolders(
  { store, program }: Rig,
  keyFile: string,
): Promise<{ readonly passed: boolean; readonly told: string }> {
  for (let folder = 0; folder < 256; folder++)
    mkdirSync(join(store, 'packs', folder.toString(16).padStart(2, '0')), { recursive: true });
  for (const folder of ['gc', 'intents', 'damage', 'ledger', 'holds', 'forgotten'])
    mkdirSync(join(store, folder), { recursive: true });
  const folders = readdirSync(store, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name));
  const attribute = (mark: '+a' | '-a') =>
    execFileSync('chattr', [mark, store, ...folders], { stdio: 'pipe' });
  try {
    attribute('+a');
  } catch {
    return {
      passed: true,
      told: 'append-only folders: not to be had here (chattr +a needs root and ext4 or xfs)',
    };
  }
  try {
    const env = { STILLPOINT_KEY_FILE: keyFile };
    const { code } = await program(['backup', '--json'], { env });
    const removed = tryToDelete(join(store, 'manifests'));
    return {
      passed: code === 0 && removed === 0,
      told: `on append-only folders: backup ends with ${code}, and of all manifests ${removed} can be deleted`,
    };
  } finally {
    attribute('-a');
  }
}

function tryToDelete(folder: string): number {
  let removed = 0;
  for (const name of readdirSync(folder))
    try {
      execFileSync('rm', ['-f', join(folder, name)], { stdio: 'pipe' });
      removed += 1;
    } catch {
      // as it should be
    }
  return removed;
}
