import { access } from 'node:fs/promises';
import type { Clock } from '../../store/index.ts';
import { endLeftovers } from '../command/index.ts';
import { commandRuns } from '../hooks.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from '../process-identity.ts';
import {
  type FoundRecord,
  isViewed,
  listViewRecords,
  noteWork,
  type RecordPlace,
  readWork,
  removeViewRecord,
} from './record.ts';

export interface LeftViews {
  /** Where a view was that is gone now. */
  readonly dropped: readonly string[];
  /** Views that may still be there; their records stay. */
  readonly left: readonly LeftView[];
}

export interface LeftView {
  /** Its record. */
  readonly file: string;
  readonly mount: string;
  /** What its commands said. */
  readonly problem: string;
}

export interface DropOptions extends RecordPlace {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Drops the views that dead runs of an instance left, with the commands that were configured when they were made. For
 * `unlock`, and before every run. Where a command fails the record stays for the next one.
 */
export async function dropLeftViews(options: DropOptions): Promise<LeftViews> {
  const dropped: string[] = [];
  const left: LeftView[] = [];
  for (const found of await listViewRecords(options)) {
    const { file, record } = found;
    if (await isViewed(record)) continue;
    const work = await readWork(file);
    if (!work && record.program.boot === (await ownIdentity()).boot) {
      await removeViewRecord(file); // it came no further than its record
      continue;
    }
    if (work?.leader) await endCommand(work.leader, options);
    // The note may be a command behind: a run can be killed between the start of one and its note.
    await endLeftovers({
      moments: ['freeze-take'],
      variable: 'STILLPOINT_MOUNT',
      value: record.mount,
      graceMs,
      clock: options.clock,
    });
    const problem = await drop(found, options);
    if (problem === undefined) dropped.push(record.mount);
    else left.push({ file, mount: record.mount, problem });
  }
  return { dropped, left };
}

/** Of views that could not be dropped, those that nothing has dropped since; a sentence each. */
export async function stillLeft(views: readonly LeftView[]): Promise<string[]> {
  const sentences: string[] = [];
  for (const { file, mount } of views) {
    const isThere = await access(file).then(
      () => true,
      () => false, // a later view at the same place was dropped
    );
    if (isThere)
      sentences.push(
        `A view of the home that an earlier run left at ${mount} is perhaps still there; when it is gone, remove ${file}`,
      );
  }
  return sentences;
}

async function drop(
  { file, record }: FoundRecord,
  { clock, signal }: DropOptions,
): Promise<string | undefined> {
  const env = { STILLPOINT_MOUNT: record.mount };
  const onStarted = (pid: number) => noteWork(file, pid);
  const failures = await commandRuns({ place: record.place, env, clock }).each('freeze-drop', record.drop, {
    signal,
    onStarted,
  });
  if (failures.length > 0) return failures.map(({ message }) => message).join('; ');
  await removeViewRecord(file);
  return undefined;
}

const pauseMs = 50;
const graceMs = 5_000;

/** What a dead run left at work would go on making the view while it is dropped. */
async function endCommand(leader: ProcessIdentity, { clock, signal }: DropOptions): Promise<void> {
  if (!(await isAlive(leader))) return;
  signalGroup(leader, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < graceMs && (await isAlive(leader)); waitedMs += pauseMs) {
    await clock.sleep(pauseMs, signal);
  }
  signalGroup(leader, 'SIGKILL'); // also what its leader left behind
  await clock.sleep(pauseMs, signal);
}

function signalGroup({ pid }: ProcessIdentity, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // it has ended
  }
}
