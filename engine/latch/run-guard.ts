import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { engineError } from '../errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from '../process-identity.ts';
import { instanceHash } from './record.ts';
import { makeFolder, stateUnwritable } from './state-folder.ts';

/** One run an instance on this host. Dispose to let the next one in; the end of the process does the same. */
export interface RunGuard extends AsyncDisposable {
  readonly file: string;
  release(): Promise<void>;
}

export interface RunOptions {
  readonly stateDir: string;
  readonly instance: string;
}

/** Takes the place of the one run of this instance on this host; RUN_ACTIVE when another process lives in it. */
export async function beginRun({ stateDir, instance }: RunOptions): Promise<RunGuard> {
  const file = guardPath({ stateDir, instance });
  const identity = await ownIdentity();
  const mine = `${file}.${process.pid}-${sequence++}`;
  try {
    await makeFolder(path.dirname(file));
    await writeFile(mine, JSON.stringify(identity), { mode: 0o600 });
  } catch (cause) {
    throw stateUnwritable(file, cause);
  }
  try {
    while (!(await linked(mine, file))) {
      const stale = await readStale(file);
      if (stale.holder) throw active(instance, stale.holder);
      if (stale.text !== undefined) await takeOver({ mine, file, text: stale.text });
    }
  } finally {
    await unlink(mine);
  }
  let isReleased = false;
  const release = async () => {
    if (isReleased) return;
    isReleased = true;
    await unlink(file).catch(ifMissing);
  };
  return { file, release, [Symbol.asyncDispose]: release };
}

/** The process that runs a backup of this instance on this host now; undefined when none does. */
export async function activeRun(options: RunOptions): Promise<ProcessIdentity | undefined> {
  return (await readStale(guardPath(options))).holder;
}

let sequence = 0;

function guardPath({ stateDir, instance }: RunOptions): string {
  return path.join(stateDir, 'runs', instanceHash(instance));
}

/** A hard link is made whole or not at all, unlike a file that is opened and then written. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw stateUnwritable(to, error);
  }
}

/** Who holds a guard and lives; else what a dead run left in it, if anything. */
async function readStale(file: string): Promise<{ holder?: ProcessIdentity; text?: string }> {
  const text = await readFile(file, 'utf8').catch(ifMissing);
  if (text === undefined) return {};
  const holder = parse(text);
  return holder && (await isAlive(holder)) ? { holder } : { text };
}

/**
 * Removes what a dead run left. Only one at a time may, and it looks again first: else the second of two that saw the
 * same dead run would remove the guard of the first. A turn that a death left is removed.
 */
async function takeOver(stale: {
  readonly mine: string;
  readonly file: string;
  readonly text: string;
}): Promise<void> {
  const turn = `${stale.file}.turn`;
  if (!(await linked(stale.mine, turn))) {
    const before = await readStale(turn);
    if (before.text !== undefined) await unlink(turn).catch(ifMissing);
    else await setImmediate();
    return;
  }
  try {
    if ((await readStale(stale.file)).text === stale.text) await unlink(stale.file);
  } finally {
    await unlink(turn).catch(ifMissing);
  }
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(text) as Partial<ProcessIdentity> | null;
    return typeof value?.pid === 'number' ? (value as ProcessIdentity) : undefined;
  } catch {
    return undefined; // not ours: treated as left over
  }
}

function active(instance: string, holder: ProcessIdentity): Error {
  return engineError('RUN_ACTIVE', `Cannot back up ${instance}: process ${holder.pid} is backing it up`, {
    remedy: `Wait until it ends, or end it (kill ${holder.pid}): it unlocks first.`,
    context: { pid: holder.pid },
  });
}

function ifMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
