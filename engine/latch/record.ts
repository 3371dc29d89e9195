import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { ProcessIdentity } from './process-identity.ts';

/**
 * What is on the disk while an application may be locked by this program. Written before the lock call without a
 * token (the intention), again with it, removed only when the lock is known to be gone. Holds no password.
 */
export interface LatchRecord {
  readonly version: 1;
  readonly run: string;
  readonly instance: string;
  readonly application: { readonly type: 'bitbucket'; readonly location: string; readonly user: string };
  readonly program: ProcessIdentity;
  readonly host: string;
  /** RFC 3339; for people. */
  readonly lockRequestedAt: string;
  readonly token: string | null;
}

/** The folder of records; one file a run, so that a late sentinel of one run never touches the record of another. */
export function recordsFolder(stateDir: string): string {
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

/** On return the record is on the medium, its folder entry included; a reader sees the old or the new one, whole. */
export async function writeRecord(file: string, record: LatchRecord): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(record, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await syncFolder(folder);
}

/** undefined when there is none, or when it is not a record of this version. */
export async function readRecord(file: string): Promise<LatchRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  return parseRecord(text);
}

export async function removeRecord(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (!isMissing(error)) throw error; // the sentinel may have been faster
  });
}

/** Every record in the state directory, with its file; what a crash left half written is removed. */
export async function listRecords(stateDir: string): Promise<{ file: string; record: LatchRecord }[]> {
  const folder = recordsFolder(stateDir);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const found: { file: string; record: LatchRecord }[] = [];
  for (const name of names.sort()) {
    const file = path.join(folder, name);
    if (!name.endsWith('.json')) continue;
    const record = await readRecord(file);
    if (record) found.push({ file, record });
  }
  return found;
}

/** Removes a record that is certain to be moot, with what was being written beside it. */
export async function forgetRecord(file: string): Promise<void> {
  await rm(file, { force: true });
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

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
