import { writeFileSync } from 'node:fs';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../../store/index.ts';
import type { Command } from '../command/index.ts';
import type { CommandPlace } from '../hooks.ts';
import { instanceHash } from '../latch/record.ts';
import { makeFolder, stateUnreadable, stateUnwritable } from '../latch/state-folder.ts';
import { identityOfChild, isAlive, type ProcessIdentity } from '../process-identity.ts';

/**
 * What is on the disk while a view of the home may be there. Written before the first command that makes it, removed when
 * the commands that drop it have done so. They are those that were configured when it was made.
 */
export interface ViewRecord {
  readonly version: 1;
  readonly run: string;
  readonly place: CommandPlace;
  readonly mount: string;
  readonly drop: readonly Command[];
  readonly program: ProcessIdentity;
  readonly host: string;
  /** RFC 3339; for people. */
  readonly writtenAt: string;
}

export interface RecordPlace {
  readonly stateDir: string;
  readonly instance: string;
}

const recordsFolder = ({ stateDir }: Pick<RecordPlace, 'stateDir'>): string => path.join(stateDir, 'views');

/** One file a run. */
export function viewRecordPath(place: RecordPlace, run: string): string {
  return path.join(recordsFolder(place), `${instanceHash(place.instance)}-${run}.json`);
}

/** On return the record is on the medium. CONFIG_INVALID when it cannot be kept: then no view must be made. */
export async function writeViewRecord(file: string, record: ViewRecord): Promise<void> {
  try {
    await makeFolder(path.dirname(file));
    await writeDurably(file, Buffer.from(`${JSON.stringify(record, null, 2)}\n`), { overwrite: 'replace' });
  } catch (cause) {
    throw stateUnwritable(file, cause);
  }
}

const workPath = (file: string): string => `${file}.work`;

/**
 * Notes beside the record that a command is at work, and which: there may be something to drop from now on, and whoever
 * comes after the death of this process must end the command first. It outlives this process and not the machine, after
 * whose death all is dropped in any case.
 */
export function noteWork(file: string, pid?: number): void {
  try {
    writeFileSync(
      workPath(file),
      JSON.stringify((pid === undefined ? undefined : identityOfChild(pid)) ?? {}),
      { mode: 0o600 },
    );
  } catch {
    // only a hint, and no run must fail by it
  }
}

/**
 * Undefined when no command was ever at work, so that in the same boot there is nothing to drop; else the one that was
 * noted last, if it is known.
 */
export async function readWork(
  file: string,
): Promise<{ readonly leader: ProcessIdentity | undefined } | undefined> {
  const text = await readFile(workPath(file), 'utf8').catch(ifMissing);
  if (text === undefined) return undefined;
  try {
    const leader = JSON.parse(text) as Partial<ProcessIdentity>;
    return { leader: typeof leader.pid === 'number' ? (leader as ProcessIdentity) : undefined };
  } catch {
    return { leader: undefined }; // cut off
  }
}

/** For a view that is known to be gone. Never fails: a record that stays makes the next run drop once more. */
export async function removeViewRecord(file: string): Promise<void> {
  for (const each of [workPath(file), file]) await unlink(each).catch(() => undefined);
}

export interface FoundRecord {
  readonly file: string;
  readonly record: ViewRecord;
}

/** The records of an instance, oldest first. They name commands: what other users may write is left alone. */
export async function listViewRecords(place: RecordPlace): Promise<FoundRecord[]> {
  const folder = recordsFolder(place);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw stateUnreadable(folder, error);
  });
  const found: FoundRecord[] = [];
  for (const name of names) {
    if (!name.startsWith(`${instanceHash(place.instance)}-`) || !name.endsWith('.json')) continue;
    const file = path.join(folder, name);
    const record = await readViewRecord(file);
    if (record) found.push({ file, record });
  }
  return found.sort((a, b) => (a.record.writtenAt < b.record.writtenAt ? -1 : 1));
}

async function readViewRecord(file: string): Promise<ViewRecord | undefined> {
  const text = await readFile(file, 'utf8').catch(ifMissing);
  if (text === undefined) return undefined;
  const { uid, mode } = await stat(file);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return undefined;
  try {
    const record = JSON.parse(text) as Partial<ViewRecord> | null;
    return record?.version === 1 && Array.isArray(record.drop) ? (record as ViewRecord) : undefined;
  } catch {
    return undefined; // renamed into place only when whole: a foreign file
  }
}

/** Runs of this very process that may have a view: a long-lived process has records of earlier ones, too. */
export const viewedHere = new Set<string>();

/** Whether the run's program still works on it. */
export async function isViewed({ program, run }: ViewRecord): Promise<boolean> {
  if (!(await isAlive(program))) return false;
  return program.pid !== process.pid || viewedHere.has(run);
}

function ifMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
