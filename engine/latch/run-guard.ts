import { writeFileSync } from 'node:fs';
import { link, open, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { SnapshotId } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from '../process-identity.ts';
import { type Phase, phases } from '../progress.ts';
import { instanceHash } from './record.ts';
import { makeFolder, stateUnreadable, stateUnwritable } from './state-folder.ts';

/** One run an instance on this host. Dispose to let the next one in; the end of the process does the same. */
export interface RunGuard extends AsyncDisposable {
  readonly file: string;
  /** Notes where the run is, for whoever asks from outside. Costs a write to memory, and never fails a run. */
  note(phase: Phase): void;
  /** Notes that there is a snapshot now. */
  noteCommitted(snapshot: SnapshotId): void;
  release(): Promise<void>;
}

export interface RunOptions {
  readonly stateDir: string;
  readonly instance: string;
}

/** A run that lives on this host. */
export interface ActiveRun {
  readonly instance: string;
  readonly holder: ProcessIdentity;
  /** When it began, by the clock of the state directory's file system. */
  readonly sinceMs: number;
  readonly note: RunNote;
}

/** Where a run was when it last said so; null: it did not. */
export interface RunNote {
  readonly phase: Phase | null;
  readonly snapshot: SnapshotId | null;
}

/** Takes the place of the one run of this instance on this host; RUN_ACTIVE when another process lives in it. */
export async function beginRun({ stateDir, instance }: RunOptions): Promise<RunGuard> {
  const file = guardPath({ stateDir, instance });
  const identity = await ownIdentity();
  const mine = `${file}.${process.pid}-${sequence++}`;
  try {
    await makeFolder(path.dirname(file));
    await writeFile(mine, JSON.stringify({ ...identity, instance }), { mode: 0o600 });
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
    // The run has done what it was for; once its process has ended, what stays is a dead run's, and the next one takes it over.
    for (const left of [notePath(file), file]) await unlink(left).catch(() => undefined);
  };
  const note = (text: string) => {
    try {
      // In place: whoever has it open sees what was said last, even once the run has removed it.
      writeFileSync(notePath(file), `${text}\n`, { mode: 0o600 });
    } catch {
      // a hint, and no run must fail by it
    }
  };
  note('open');
  return {
    file,
    note,
    noteCommitted: snapshot => note(`committed ${snapshot}`),
    release,
    [Symbol.asyncDispose]: release,
  };
}

/** The process that runs a backup of this instance on this host now; undefined when none does. */
export async function activeRun(options: RunOptions): Promise<ProcessIdentity | undefined> {
  return (await readStale(guardPath(options))).holder;
}

/** All runs that live on this host and keep their state in this folder. */
export async function listRuns(stateDir: string): Promise<ActiveRun[]> {
  const folder = path.join(stateDir, 'runs');
  const names = (await readdir(folder).catch(ifMissing)) ?? [];
  const runs: ActiveRun[] = [];
  for (const name of names.filter(one => /^[0-9a-f]{32}$/.test(one)).sort()) {
    const run = await readRun(path.join(folder, name));
    if (run) runs.push(run);
  }
  return runs;
}

/** A run that is followed to its end: what it notes last can still be read when it has gone. Dispose to let go of it. */
export interface WatchedRun extends ActiveRun, AsyncDisposable {
  readNote(): Promise<RunNote>;
}

/** The run of an instance on this host; undefined when none lives. */
export async function watchRun(options: RunOptions): Promise<WatchedRun | undefined> {
  const file = guardPath(options);
  const run = await readRun(file);
  if (!run) return undefined;
  const notes = await open(notePath(file), 'r').catch(() => undefined); // of an older version: it says nothing
  const readNote = async () => {
    const { buffer, bytesRead } = (await notes?.read(Buffer.alloc(200), 0, 200, 0)) ?? noBytes;
    return parseNote(buffer.toString('utf8', 0, bytesRead));
  };
  return { ...run, readNote, [Symbol.asyncDispose]: async () => notes?.close() };
}

const noBytes = { buffer: Buffer.alloc(0), bytesRead: 0 };

async function readRun(file: string): Promise<ActiveRun | undefined> {
  const { holder } = await readStale(file);
  const facts = holder && (await stat(file).catch(ifMissing));
  if (!holder || !facts) return undefined;
  const note = parseNote(await readFile(notePath(file), 'utf8').catch(() => ''));
  return { instance: holder.instance ?? '', holder, sinceMs: facts.mtimeMs, note };
}

let sequence = 0;

function guardPath({ stateDir, instance }: RunOptions): string {
  return path.join(stateDir, 'runs', instanceHash(instance));
}

const notePath = (file: string): string => `${file}.note`;

function parseNote(text: string): RunNote {
  const [said = '', snapshot] = text.trim().split(' ');
  if (said === 'committed' && snapshot) return { phase: 'commit', snapshot: snapshot as SnapshotId };
  return { phase: phases.find(phase => phase === said) ?? null, snapshot: null };
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
async function readStale(file: string): Promise<{ holder?: Holder; text?: string }> {
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

/** Earlier versions did not write the instance. */
type Holder = ProcessIdentity & { readonly instance?: string };

function parse(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    return typeof value?.pid === 'number' ? (value as Holder) : undefined;
  } catch {
    return undefined; // not ours: treated as left over
  }
}

function active(instance: string, holder: ProcessIdentity): Error {
  return engineError('RUN_ACTIVE', `Cannot back up ${instance}: process ${holder.pid} is backing it up`, {
    remedy: 'Wait until it ends, or end it with `stillpoint cancel`: it unlocks first.',
    context: { pid: holder.pid },
  });
}

function ifMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw stateUnreadable((error as NodeJS.ErrnoException).path ?? 'the state folder', error);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
