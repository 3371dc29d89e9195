import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SnapshotId, StillpointError, syncFolderOf, writeDurably } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { targetError } from '../home/index.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from '../process-identity.ts';

/** Stands in a restored folder until the restore is whole, so that nobody takes half a home for a whole one. */
export const restoreMarkerName = '.stillpoint-restore-unfinished';

/** What a restore makes of a folder: only the same one may begin again there. */
export interface RestoreMark {
  readonly snapshot: SnapshotId;
  /** Which part of it, in one line of text; all of it unless given. */
  readonly selection?: string | undefined;
  /** How it is restored: options of the command and their values, for people and for comparing. */
  readonly options?: Readonly<Record<string, string>> | undefined;
  /** The database that is whole. */
  readonly wholeDatabase?: string | undefined;
  /** Further folders of the restore that are whole. */
  readonly wholeFolders?: readonly string[] | undefined;
}

/** What an earlier run of the same restore left: what was whole when only the marks were left to be taken off. */
export type EarlierRun = Pick<RestoreMark, 'wholeDatabase' | 'wholeFolders'>;

/**
 * Makes the target ready: an empty or absent folder (`lost+found` counts as empty), or what an earlier run of the same
 * restore left, which is cleared but for its marker. Anything else is TARGET_NOT_EMPTY.
 */
export async function prepareHomeTarget(
  target: string,
  { snapshot, selection = '', options }: RestoreMark,
): Promise<EarlierRun | undefined> {
  const found = await findMarker(target);
  if (!found) {
    await checkEmpty(target, []);
    return undefined;
  }
  const [unfinished = '', wholeDatabase, restorer = '', part = '', folders = '', begunWith = ''] =
    found.text.split('\n');
  await refuseWhileAlive(target, restorer);
  if (unfinished !== snapshot || part !== selection) throw holdsAnother(target, { unfinished, snapshot });
  refuseOtherOptions(target, { begunWith, options });
  const earlier: EarlierRun = {
    wholeDatabase: wholeDatabase || undefined,
    wholeFolders: folders === '' ? [] : (JSON.parse(folders) as string[]),
  };
  await takeOver(target, found, { snapshot, selection, options, ...earlier });
  for (const name of await readdir(target)) {
    // A marker that somebody else has moved away may be this run's own, about to be given back.
    if (name !== 'lost+found' && !name.startsWith(restoreMarkerName))
      await rm(join(target, name), { recursive: true, force: true }).catch((error: unknown) => {
        throw unwritable(target, error); // folders may lie too deep for a path
      });
  }
  return earlier;
}

interface FoundMarker {
  readonly name: string;
  readonly text: string;
}

/** The marker, or what a run that was killed while it took one over has called it. */
async function findMarker(target: string): Promise<FoundMarker | undefined> {
  const names = [restoreMarkerName];
  for (const name of names) {
    try {
      return { name, text: await readFile(join(target, name), 'utf8') };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
    if (names.length === 1)
      names.push(...(await namesIn(target)).filter(one => one.startsWith(`${restoreMarkerName}.`)));
  }
  return undefined;
}

async function namesIn(target: string): Promise<string[]> {
  try {
    return await readdir(target);
  } catch {
    return []; // absent, or no folder: whoever needs it says so
  }
}

/** Two in one process move markers to different names, too. */
let takeovers = 0;

/**
 * Puts this run in the place of a dead one, before anything is cleared: of two that try, one gets it. Whoever moves the
 * old marker away and finds in it what it had read may write the new one.
 */
async function takeOver(target: string, found: FoundMarker, mark: RestoreMark): Promise<void> {
  const marker = join(target, restoreMarkerName);
  const { pid, started } = await ownIdentity();
  takeovers += 1;
  const aside = join(target, `${restoreMarkerName}.${pid}-${started}-${takeovers}`);
  const lost = () =>
    engineError('RUN_ACTIVE', `Cannot restore into ${target}: another run has just begun it again`, {
      remedy: 'Wait until it ends, or end it and run this again.',
    });
  try {
    await rename(join(target, found.name), aside);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? lost() : unwritable(target, error);
  }
  if ((await readFile(aside, 'utf8')) !== found.text) {
    // it is that of a run which was quicker: it gets it back, unless it has written another
    await link(aside, marker).catch(() => undefined);
    await rm(aside, { force: true });
    throw lost();
  }
  const lines = await linesOf(mark);
  const outcome = await writeDurably(marker, lines, { overwrite: 'never', mode: 0o600 }).catch(
    (error: unknown) => {
      throw unwritable(target, error); // what is aside is found by the next run
    },
  );
  await rm(aside, { force: true });
  if (outcome === 'exists') throw lost();
}

function holdsAnother(
  target: string,
  { unfinished, snapshot }: { readonly unfinished: string; readonly snapshot: SnapshotId },
): Error {
  if (unfinished === '') {
    // the run that made it ended before it wrote a line: nothing else of it is here
    return engineError('TARGET_NOT_EMPTY', `Cannot restore into ${target}: a restore had just begun there`, {
      remedy: `If none is running, remove ${join(target, restoreMarkerName)} and run this again.`,
    });
  }
  const what = unfinished === snapshot ? 'another part of this snapshot' : unfinished;
  return engineError(
    'TARGET_NOT_EMPTY',
    `Cannot restore into ${target}: it holds an unfinished restore of ${what}`,
    {
      remedy:
        unfinished === snapshot
          ? 'Give the paths that it was begun with to finish it, or name an empty folder.'
          : `Restore ${unfinished.slice(0, 8)} there to finish it, or name an empty folder.`,
    },
  );
}

/** What is whole already would stay as the first run made it. A marker of before this was noted tells nothing. */
function refuseOtherOptions(
  target: string,
  { begunWith, options = {} }: { readonly begunWith: string; readonly options: RestoreMark['options'] },
): void {
  if (begunWith === '') return;
  const before = JSON.parse(begunWith) as Readonly<Record<string, string>>;
  const differing = [...new Set([...Object.keys(before), ...Object.keys(options)])]
    .filter(name => before[name] !== options[name])
    .map(name => `${name} was ${before[name] ?? 'not given'}, and is ${options[name] ?? 'not given'}`);
  if (differing.length === 0) return;
  throw engineError(
    'TARGET_NOT_EMPTY',
    `Cannot restore into ${target}: it holds an unfinished restore with other options: ${differing.join('; ')}`,
    { remedy: 'Give them as before to finish it, or name an empty folder.' },
  );
}

/** Two runs that restore into one folder would destroy each other's work. */
async function refuseWhileAlive(target: string, restorer: string): Promise<void> {
  if (restorer === '') return;
  const identity = JSON.parse(restorer) as ProcessIdentity;
  if (identity.pid === process.pid || !(await isAlive(identity))) return;
  throw engineError(
    'RUN_ACTIVE',
    `Cannot restore into ${target}: process ${identity.pid} is restoring into it`,
    {
      remedy: 'Wait until it ends, or end it and run this again.',
    },
  );
}

async function checkEmpty(target: string, allowed: readonly string[]): Promise<void> {
  let names: string[];
  try {
    names = await readdir(target);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    const found = code === 'ENOTDIR' ? 'it is no folder, or lies below a file' : message;
    throw engineError('TARGET_NOT_EMPTY', `Cannot restore into ${target}: ${found}`, {
      remedy: 'Name an empty or absent folder.',
      cause: error,
    });
  }
  const found = names.find(name => name !== 'lost+found' && !allowed.includes(name));
  if (found === undefined) return;
  throw engineError('TARGET_NOT_EMPTY', `Cannot restore into ${target}: it holds ${found}`, {
    remedy: 'Name an empty or absent folder.',
  });
}

/**
 * Takes an empty or absent folder for a restore: of two runs that found it empty at the same time one gets it, the other
 * TARGET_NOT_EMPTY.
 */
export async function takeHomeTarget(target: string, mark: RestoreMark): Promise<void> {
  const marker = join(target, restoreMarkerName);
  const lines = await linesOf(mark);
  makeTarget(target);
  let fd: number;
  try {
    fd = openSync(marker, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(target, error);
    throw engineError('TARGET_NOT_EMPTY', `Cannot restore into ${target}: another restore has begun there`, {
      remedy: 'Name an empty or absent folder.',
    });
  }
  try {
    writeSync(fd, lines);
    fsyncSync(fd);
  } catch (error) {
    await rm(marker, { force: true }); // nothing else is there yet
    throw unwritable(target, error);
  } finally {
    closeSync(fd);
  }
  await syncFolderOf(marker);
  try {
    await checkEmpty(target, [restoreMarkerName]); // one that was quicker may have come to its end
  } catch (error) {
    await rm(marker, { force: true });
    throw error;
  }
}

/** Marks a folder again that an earlier run had marked, or says what is whole by now. The folder must exist. */
export async function markUnfinished(target: string, mark: RestoreMark): Promise<void> {
  const lines = await linesOf(mark);
  try {
    await writeDurably(join(target, restoreMarkerName), lines, { overwrite: 'replace', mode: 0o600 });
  } catch (error) {
    throw unwritable(target, error);
  }
}

/** A recursive mkdir says ENOENT of a file system that is read-only: a plain one tells. */
function makeTarget(target: string): void {
  try {
    try {
      mkdirSync(target, { recursive: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      mkdirSync(target);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(target, error);
    throw engineError('TARGET_FAILED', `Cannot restore into ${target}: a link that leads nowhere is there`, {
      remedy: 'Name a folder, or make the one that the link leads to.',
      cause: error,
    });
  }
}

/** What the target's file system said, as an error of the target: it is no store, whoever wrote there. */
function unwritable(target: string, error: unknown): Error {
  const fault = error instanceof StillpointError ? error.cause : error;
  return targetError(`into ${target}`, fault ?? error);
}

async function linesOf(mark: RestoreMark): Promise<Uint8Array> {
  const { snapshot, wholeDatabase = '', selection = '', wholeFolders = [], options } = mark;
  const begunWith = options === undefined ? '' : JSON.stringify(options);
  const restorer = JSON.stringify(await ownIdentity());
  return Buffer.from(
    `${[snapshot, wholeDatabase, restorer, selection, JSON.stringify(wholeFolders), begunWith].join('\n')}\n`,
  );
}

/** The restore is whole. */
export async function removeMarker(target: string): Promise<void> {
  for (const name of await namesIn(target))
    if (name.startsWith(restoreMarkerName)) await rm(join(target, name), { force: true });
}
