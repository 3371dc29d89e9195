import {
  type ApplicationState,
  type InstanceState,
  type LockState,
  printableText,
  type RunState,
} from '../../engine/index.ts';
import { oneLine } from './output.ts';
import { counted, localTime } from './quantities.ts';

/** What status found. */
export interface Status {
  readonly instances: readonly InstanceState[];
  readonly running: readonly RunState[];
  readonly locks: readonly LockState[];
  readonly application: ApplicationState | null;
  readonly warnings: readonly string[];
}

/** Status for people, a line a fact. */
export function statusText(
  { instances, running, locks, application, warnings }: Status,
  { isStoreRead }: { readonly isStoreRead: boolean },
): string {
  return [
    ...(instances.length === 0 && isStoreRead ? ['No snapshots.'] : instances.flatMap(describeInstance)),
    ...running.map(describeRun),
    ...locks.map(describeLock),
    ...(application ? [describeApplication(application)] : []),
    ...warnings.map(text => `warning      ${oneLine(text)}`),
  ].join('\n');
}

function describeInstance({ newest, newestProven, ageMs, overdue, ...state }: InstanceState): string[] {
  const instance = printableText(state.instance);
  const late = overdue ? 'OVERDUE      ' : 'newest pair  ';
  if (!newestProven || ageMs === null) {
    return [`${late}${instance}: no proven pair${newest ? `, only ${named(newest)}` : ''}`];
  }
  const line = `${late}${instance}: ${named(newestProven)}, ${age(ageMs)} ago`;
  if (!newest || newest.id === newestProven.id) return [line];
  return [line, `${' '.repeat(13)}${instance}: newer, and no proof of a pair: ${named(newest)}`];
}

function named({ id, timeMs, fence, home }: NonNullable<InstanceState['newest']>): string {
  const lacks = home?.unreadable.length ?? 0;
  const marks = [fence.kind, ...(lacks > 0 ? [`lacks ${counted(lacks, 'unreadable source')}`] : [])];
  return `${id.slice(0, 8)} of ${localTime(timeMs)} (${marks.join(', ')})`;
}

function describeRun({ instance, pid, sinceMs, phase }: RunState): string {
  const where = phase === null ? '' : `, in phase ${phase}`;
  return `running      ${printableText(instance)}: process ${pid} since ${localTime(sinceMs)}${where}`;
}

function describeLock({ instance, location, pid, since, isRunning }: LockState): string {
  const whose = isRunning
    ? `by process ${pid}`
    : `by process ${pid}, which is dead: \`stillpoint unlock\` releases it`;
  return `locked       ${printableText(instance)}: ${printableText(location)} since ${localTime(Date.parse(since))} ${whose}`;
}

function describeApplication({ location, version, isServing, lockedBy, problem }: ApplicationState): string {
  const holders = { run: 'a backup that runs', 'dead-run': 'a dead backup', other: 'somebody else' };
  const state = isServing
    ? `${version ?? ''} serves people`.trim()
    : lockedBy
      ? `is locked by ${holders[lockedBy]}`
      : (problem ?? 'is not locked by this program, and cannot be asked more');
  return `application  ${location} ${state}`.replace(/ {2}$/, '');
}

/** 42 min, 3 h 12 min, 2 d 4 h. */
function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
