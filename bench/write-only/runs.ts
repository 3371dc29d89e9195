import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadIndex } from '../../store/chunk-index/load.ts';
import { openLocalBackend, openStore, systemSeams } from '../../store/index.ts';
import { insideOf } from '../../store/store.ts';
import type { Ended, Rig } from '../rig/index.ts';

export interface WriteOnlyOptions {
  readonly rig: Rig;
  readonly backups: number;
  /** Past the margin within which a file that was just written is not trusted. */
  readonly settleMs: number;
  /** Runs the program with more of an environment. */
  readonly run: (args: readonly string[], env: Readonly<Record<string, string>>) => Promise<Ended>;
  readonly onRun?: (name: string, host: RunFigures, twin: RunFigures) => void;
}

/** What one backup read and stored. */
export interface RunFigures {
  readonly changedFiles: number;
  readonly changedSegments: number;
  readonly newChunks: number;
  readonly newBytes: number;
}

export interface WriteOnlyResult {
  readonly keyFile: string;
  /** Of the write-only host, and of a twin that holds the passphrase of a store of its own, for the same changes. */
  readonly runs: readonly { readonly host: RunFigures; readonly twin: RunFigures }[];
  /** The run after the cache was deleted. */
  readonly withoutCache: RunFigures;
  /** The run after that. */
  readonly after: RunFigures;
  /** Chunks that lie in the store more than once. */
  readonly storedTwice: number;
}

/**
 * A host that may write only backs up again and again, and beside it a twin with the passphrase does the same into a
 * store of its own. Then the host's cache is deleted once.
 */
export async function runWriteOnly(options: WriteOnlyOptions): Promise<WriteOnlyResult> {
  const { rig, backups, onRun } = options;
  const keyFile = join(rig.folder, 'host.key');
  const twinStore = join(rig.folder, 'twin');
  await must(options, ['keys', 'add', '--write-only', '--name', 'forge', '-o', keyFile]);
  await must(options, ['init', '--store', twinStore]);
  rig.instance.setLog('off');
  const cache = join(rig.folder, 'host-cache');
  const asHost = () => backUp(options, [], { STILLPOINT_KEY_FILE: keyFile, STILLPOINT_CACHE_DIR: cache });
  const asTwin = () => backUp(options, ['--store', twinStore], {});
  const runs: { host: RunFigures; twin: RunFigures }[] = [];
  for (let number = 1; number <= backups; number++) {
    if (number > 1) await change(rig, number);
    await settled(options);
    const both = { host: await asHost(), twin: await asTwin() };
    runs.push(both);
    onRun?.(`backup ${number}`, both.host, both.twin);
  }
  rmSync(cache, { recursive: true });
  const withoutCache = await asHost();
  const after = await asHost();
  return { keyFile, runs, withoutCache, after, storedTwice: await chunksStoredTwice(rig) };
}

/** One file new, one longer, and one row changed. */
async function change(rig: Rig, number: number): Promise<void> {
  const folder = join(rig.instance.home, 'shared', 'write-only');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `new-${number}`), `made before backup ${number}\n`.repeat(100));
  appendFileSync(join(folder, 'grown'), `grown before backup ${number}\n`.repeat(100));
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: rig.instance.databaseUrl });
  await client.connect();
  try {
    await client.query(
      'UPDATE public.project SET name = left(name, 20) || $1 WHERE id = (SELECT min(id) FROM public.project)',
      [` ${number}`],
    );
  } finally {
    await client.end();
  }
}

async function backUp(
  options: WriteOnlyOptions,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RunFigures> {
  const summary = (await must(options, ['backup', '--json', ...args], env)).json.at(-1);
  const { home, database, stored } = summary as Record<string, Record<string, number>>;
  return {
    changedFiles: home!['changed']!,
    changedSegments: database!['changedSegments']!,
    newChunks: stored!['newChunks']!,
    newBytes: stored!['newBytes']!,
  };
}

async function must(
  { run }: WriteOnlyOptions,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const ended = await run(args, env);
  if (ended.code === 0) return ended;
  throw new Error(`stillpoint ${args.join(' ')} ended with ${ended.code}: ${ended.stderr || ended.stdout}`);
}

function settled({ settleMs }: WriteOnlyOptions): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, settleMs));
}

/** By the index, as who holds the passphrase reads it. */
async function chunksStoredTwice(rig: Rig): Promise<number> {
  const passphrase = readFileSync(join(rig.folder, 'passphrase'), 'utf8').trim();
  await using store = await openStore(await openLocalBackend(rig.store), { passphrase, seams: systemSeams });
  const { index } = await loadIndex(insideOf(store).context);
  let twice = 0;
  for (let number = 0; number < index.numbersEnd; number++) {
    const key = index.keyOf(number);
    if (key !== undefined && index.places(key).length > 1) twice += 1;
  }
  return twice;
}

/** Commands that need reading, with what each ends with where only the host's key is. */
export async function readAttempts({
  rig,
  run,
  keyFile,
}: Pick<WriteOnlyOptions, 'rig' | 'run'> & { readonly keyFile: string }): Promise<
  readonly { readonly command: string; readonly code: number | null }[]
> {
  const [snapshot = ''] = readdirSync(join(rig.store, 'manifests'));
  const target = rig.target('refused');
  const attempts: readonly string[][] = [
    ['show', snapshot],
    ['ls', snapshot],
    ['cat', snapshot, 'shared/bitbucket.properties'],
    ['diff', snapshot, snapshot],
    ['restore', snapshot, '--home', target.home, '--database', target.databaseArgument],
    ['verify'],
    ['verify', '--read-data'],
    ['prune'],
    ['forget', snapshot],
    ['hold', snapshot],
    ['keys', 'list'],
    ['keys', 'remove', '--host', 'forge'],
  ];
  const ended: { command: string; code: number | null }[] = [];
  for (const attempt of attempts) {
    const { code } = await run(attempt, { STILLPOINT_KEY_FILE: keyFile });
    ended.push({ command: attempt.filter(word => word.length < 40).join(' '), code });
  }
  return ended;
}
