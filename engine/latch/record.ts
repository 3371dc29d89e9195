import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readdir, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../../store/index.ts';
import type { LockableApplication } from '../app/index.ts';
import { isAlive, type ProcessIdentity } from '../process-identity.ts';
import { makeFolder, stateUnreadable, stateUnwritable } from './state-folder.ts';

/**
 * What is on the disk while an application may be locked by this program. Written before the lock call without a
 * token (the intention) unless it is ours to choose, again with it, removed only when the lock is known to be gone.
 * Holds no password.
 */
export interface LatchRecord {
  readonly version: 1;
  readonly run: string;
  readonly instance: string;
  readonly application: {
    readonly type: LockableApplication['type'];
    readonly location: string;
    readonly user?: string;
  };
  readonly program: ProcessIdentity;
  readonly host: string;
  /** RFC 3339; for people. */
  readonly lockRequestedAt: string;
  readonly token: string | null;
}

/** One file a run, so that a late sentinel of one run never touches the record of another. */
function recordsFolder(stateDir: string): string {
  return path.join(stateDir, 'latches');
}

export function recordPath(
  stateDir: string,
  { instance, run }: Pick<LatchRecord, 'instance' | 'run'>,
): string {
  return path.join(recordsFolder(stateDir), `${instanceHash(instance)}-${run}.json`);
}

/** A file name for an instance, whose own name may hold anything. */
export function instanceHash(instance: string): string {
  return createHash('sha256').update(instance).digest('hex').slice(0, 32);
}

/** On return the record is on the medium, its folder included; a reader sees the old or the new one, whole. */
export async function writeRecord(file: string, record: LatchRecord): Promise<void> {
  try {
    await makeFolder(path.dirname(file));
    await writeDurably(file, Buffer.from(textOf(record)), { overwrite: 'replace' });
  } catch (cause) {
    throw stateUnwritable(file, cause);
  }
  await unlink(notedPath(file)).catch(() => undefined); // it says nothing more
}

/**
 * Puts a token beside the record at once, for whoever looks after the death of this process; `writeRecord`, which takes
 * as long as the disk does, makes it outlive a power cut as well, and says what is wrong.
 */
export function noteToken(file: string, record: LatchRecord): void {
  try {
    writeFileSync(notedPath(file), textOf(record), { mode: 0o600 });
  } catch {
    // told by writeRecord
  }
}

const notedPath = (file: string): string => `${file}.noted`;
const textOf = (record: LatchRecord): string => `${JSON.stringify(record, null, 2)}\n`;

/** undefined when there is none, or when it is not a record of this version. */
export async function readRecord(file: string): Promise<LatchRecord | undefined> {
  return (await readOne(notedPath(file))) ?? (await readOne(file)); // a note is newer, and gone once the record has it
}

async function readOne(file: string): Promise<LatchRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  return parseRecord(text);
}

/** For a lock that is known to be gone. Never fails: a record that stays sends the next run to find out the same. */
export async function removeRecord(file: string): Promise<void> {
  for (const each of [notedPath(file), file]) await unlink(each).catch(() => undefined);
}

/** The records of an instance, oldest first. */
export async function listRecords({
  stateDir,
  instance,
}: {
  readonly stateDir: string;
  readonly instance: string;
}): Promise<{ file: string; record: LatchRecord }[]> {
  const folder = recordsFolder(stateDir);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw stateUnreadable(folder, error);
  }
  const found: { file: string; record: LatchRecord }[] = [];
  for (const name of names.sort()) {
    const file = path.join(folder, name);
    if (!name.startsWith(`${instanceHash(instance)}-`) || !name.endsWith('.json')) continue;
    const record = await readRecord(file);
    if (record) found.push({ file, record });
  }
  return found.sort((a, b) => (a.record.lockRequestedAt < b.record.lockRequestedAt ? -1 : 1));
}

/**
 * Runs of this very process that may hold a lock: a long-lived process has records of earlier runs, too, whose
 * program it is, but which it does not hold any more.
 */
export const heldHere = new Set<string>();

/** Whether the run's program still works on it; its sentinel may go on without it. */
export async function isHeld(record: LatchRecord): Promise<boolean> {
  if (!(await isAlive(record.program))) return false;
  return record.program.pid !== process.pid || heldHere.has(record.run);
}

/**
 * Removes the records of dead runs that never knew a token: a lock of a later run proves that theirs are gone. Never
 * fails, since it comes when everything is decided.
 */
export async function forgetIntentions(owner: RecordOwner): Promise<void> {
  for (const { file, record } of await intentions(owner)) {
    if (!(await isHeld(record))) await removeRecord(file);
  }
}

/** Whether an earlier run died, or gave up, without knowing what became of its lock call. */
export async function hasIntention(owner: RecordOwner): Promise<boolean> {
  return (await intentions(owner)).length > 0;
}

interface RecordOwner {
  readonly stateDir: string;
  readonly instance: string;
  readonly app: { readonly location: string };
}

async function intentions(owner: RecordOwner): Promise<{ file: string; record: LatchRecord }[]> {
  const records = await listRecords(owner).catch(() => []); // a folder that cannot be read answers nothing
  return records.filter(
    ({ record }) => record.token === null && record.application.location === owner.app.location,
  );
}

function parseRecord(text: string): LatchRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // renamed into place only when whole: a foreign file
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const record = value as Partial<LatchRecord>;
  return record.version === 1 && typeof record.run === 'string' && typeof record.instance === 'string'
    ? (record as LatchRecord)
    : undefined;
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
