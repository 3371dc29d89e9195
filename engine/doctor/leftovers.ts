import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, StillpointError } from '../../store/index.ts';
import { type Application, isLockable } from '../app/index.ts';
import { listRuns, releaseLatches } from '../latch/index.ts';
import { isAlive, type ProcessIdentity } from '../process-identity.ts';
import { readLocalState } from '../status.ts';
import { isViewed, listViewRecords } from '../view/record.ts';
import type { Check } from './check.ts';
import { bad, type Finding, failed, good, mended, warn } from './finding.ts';

const name = 'leftovers';
/** No record takes so long to write. */
const staleMs = 60 * 60_000;

export interface LeftoverOptions {
  readonly stateDir: string;
  readonly instance: string | null;
  /** For a lock that is to be released; closed here. */
  readonly openApp: (() => Application) | null;
  readonly clock: Clock;
  readonly isMending: boolean;
}

/** What dead runs left in the state folder: locks, and files that they did not come to remove. */
export function checkLeftovers(options: LeftoverOptions): Check {
  return {
    name,
    async run(signal) {
      const findings = [
        ...(await lookForLocks(options, signal)),
        ...(await lookForViews(options)),
        ...(await lookForFiles(options)),
      ];
      return findings.length > 0 ? findings : [good(name, 'no dead run left anything')];
    },
  };
}

async function lookForLocks(options: LeftoverOptions, signal: AbortSignal): Promise<Finding[]> {
  const { locks } = await readLocalState(options.stateDir);
  const findings: Finding[] = [];
  const dead = locks.filter(lock => !lock.isRunning);
  const isMendable = (lock: (typeof dead)[number]) => options.isMending && lock.instance === options.instance;
  for (const lock of dead.filter(one => !isMendable(one))) {
    const found = `process ${lock.pid}, which is dead, left a record of a lock of ${lock.location} (${lock.instance}, ${lock.since})`;
    const remedy = 'Release it with `stillpoint unlock`; the next backup does so, too.';
    findings.push(bad(name, { found, remedy })); // people may be locked out
  }
  if (dead.some(isMendable)) findings.push(await release(options, signal));
  return findings;
}

async function release(
  { stateDir, instance, openApp, clock }: LeftoverOptions,
  signal: AbortSignal,
): Promise<Finding> {
  let app: Application | undefined;
  try {
    app = openApp?.();
    if (instance === null || !app || !isLockable(app)) {
      const found = 'a lock of a dead run is left, and no application is configured that could be unlocked';
      return bad(name, { found, remedy: 'Run it with the configuration that the run had.' });
    }
    const { unlocked, lapsed, unresolved } = await releaseLatches({ stateDir, instance, app, clock, signal });
    if (unresolved.length === 0)
      return mended(name, `released locks of dead runs: ${unlocked} held, ${lapsed} lapsed`);
    const found = `${unresolved.length} lock records of dead runs could not be resolved`;
    return bad(name, { found, remedy: 'Run `stillpoint unlock`: it says what to do about each.' });
  } catch (error) {
    if (signal.aborted || !(error instanceof StillpointError)) throw error;
    return failed(name, error);
  } finally {
    await app?.close();
  }
}

/** A view takes room on its volume until it is dropped; the commands that do it are the administrator's, so a run does it. */
async function lookForViews({ stateDir, instance }: LeftoverOptions): Promise<Finding[]> {
  if (instance === null) return [];
  const findings: Finding[] = [];
  for (const { record } of await listViewRecords({ stateDir, instance })) {
    if (await isViewed(record)) continue;
    const found = `process ${record.program.pid}, which is dead, left a view of the home at ${record.mount} (${record.writtenAt})`;
    findings.push(
      warn(name, { found, remedy: 'The next backup drops it; until then it takes room on its volume.' }),
    );
  }
  return findings;
}

async function lookForFiles({ stateDir, clock, isMending }: LeftoverOptions): Promise<Finding[]> {
  const files = await staleFiles(stateDir, clock);
  if (files.length === 0) return [];
  const what = `${files.length} temporary ${files.length === 1 ? 'file' : 'files'} of dead processes in ${stateDir}`;
  if (!isMending) {
    return [
      warn(name, {
        found: `${what}: ${files.slice(0, 3).join(', ')}`,
        remedy: 'Run `stillpoint doctor --mend`.',
      }),
    ];
  }
  for (const file of files) await unlink(join(stateDir, file));
  return [mended(name, `removed ${what}`)];
}

/** Half-written records that nobody touches any more, and places that were taken by a process which is dead. */
async function staleFiles(stateDir: string, clock: Clock): Promise<string[]> {
  const found: string[] = [];
  const isBusy = (await listRuns(stateDir)).length > 0;
  for (const folder of ['latches', 'runs', 'views']) {
    const names = await readdir(join(stateDir, folder)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const file of names.map(one => join(folder, one)).sort()) {
      const path = join(stateDir, file);
      if (/\/\.tmp-[^/]*$/.test(file)) {
        const facts = await stat(path).catch(() => undefined);
        if (!isBusy && facts && facts.mtimeMs < clock.nowMs() - staleMs) found.push(file);
      } else if (/^runs\/[0-9a-f]{32}\.(\d+-\d+|turn)$/.test(file) && (await isOfDead(path)))
        found.push(file);
    }
  }
  return found;
}

async function isOfDead(path: string): Promise<boolean> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as Partial<ProcessIdentity>;
    return typeof holder.pid === 'number' && !(await isAlive(holder as ProcessIdentity));
  } catch {
    return false; // being written, or gone
  }
}
