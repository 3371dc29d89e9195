import {
  type ApplicationState,
  askApplication,
  engineError,
  type InstanceState,
  judgeInstance,
  type LockState,
  listSnapshots,
  readLocalState,
  type Snapshot,
} from '../../engine/index.ts';
import { type Ledger, readLedger } from '../../store/index.ts';
import type { ConfigFile } from '../config/schema.ts';
import { parseDuration } from '../config/units.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore } from '../open-store.ts';
import { utcTime } from '../render/quantities.ts';
import { type Status, statusText } from '../render/status.ts';
import { instanceOf, lockSettings } from '../settings/backup.ts';
import { stateDir } from '../settings/folders.ts';

interface StatusOptions {
  readonly maxAge?: string;
  readonly instance?: string;
}

/** What is locked, running and overdue. Locks nothing, waits for nobody, writes nothing. */
export const status: Command<StatusOptions> = async (context, options) => {
  const maxAgeMs = options.maxAge === undefined ? undefined : maxAgeOf(options.maxAge);
  const values = context.config()?.values;
  const warnings: string[] = [];
  const local = await localState(context, warnings);
  const application = await applicationState(context, { values, locks: local.locks, warnings });
  const stored = await instanceStates(context, { values, maxAgeMs, instance: options.instance });
  const found: Status = {
    ...{ instances: stored.instances, ...local, application },
    warnings: [...warnings, ...stored.warnings, ...stored.instances.flatMap(one => one.warnings)],
  };
  const read = { isStoreRead: stored.error === undefined };
  context.output.result(
    toJson(found, read),
    statusText(found, { isStoreRead: read.isStoreRead && !stored.isUnknown }),
  );
  if (stored.error !== undefined) throw stored.error;
  // Nothing at all is too old, too.
  const isNone = maxAgeMs !== undefined && found.instances.length === 0;
  // For a monitor a lock that a dead run left is worse than an old snapshot: people are locked out.
  if (maxAgeMs !== undefined && found.locks.some(lock => !lock.isRunning)) throw leftLocked(found.locks);
  if (isNone || found.instances.some(one => one.overdue)) return exitCodes.tooOld;
  return stored.isDamaged ? exitCodes.damaged : exitCodes.done;
};

function leftLocked(locks: readonly LockState[]): Error {
  const where = locks.filter(lock => !lock.isRunning).map(({ location }) => location);
  return engineError('APP_STILL_LOCKED', `A dead run left ${where.join(', ')} locked, as far as is known`, {
    remedy: 'Release it: `stillpoint unlock`.',
  });
}

function maxAgeOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw engineError('USAGE', `Cannot tell what is too old: --max-age ${text} is no duration`, {
    remedy: 'Write it as 90m, 26h or 7d (m is minutes).',
  });
}

async function localState(
  context: Context,
  warnings: string[],
): Promise<Awaited<ReturnType<typeof readLocalState>>> {
  const folder = stateDir(context.env);
  try {
    return await readLocalState(folder);
  } catch (error) {
    warnings.push(`What runs and what is locked is not known: ${(error as Error).message}`);
    return { running: [], locks: [] };
  }
}

async function applicationState(
  context: Context,
  found: {
    readonly values: ConfigFile | undefined;
    readonly locks: readonly LockState[];
    readonly warnings: string[];
  },
): Promise<ApplicationState | null> {
  if (!found.values?.home && !found.values?.database) return null;
  try {
    const { app } = lockSettings(context);
    await using _connections = { [Symbol.asyncDispose]: () => app.close() };
    if (app.fence === 'none') return null;
    const { signal } = context;
    return await askApplication(app, { locks: found.locks, clock: context.seams.clock, signal });
  } catch (error) {
    if (context.signal.aborted) throw error;
    found.warnings.push((error as Error).message);
    return null;
  }
}

interface Stored {
  readonly instances: readonly InstanceState[];
  readonly warnings: readonly string[];
  readonly isDamaged: boolean;
  /** The key at hand does not tell what is there. */
  readonly isUnknown?: true;
  /** Why the store could not be read. */
  readonly error?: unknown;
}

async function instanceStates(
  context: Context,
  wish: {
    readonly values: ConfigFile | undefined;
    readonly instance: string | undefined;
    readonly maxAgeMs: number | undefined;
  },
): Promise<Stored> {
  const warnings: string[] = [];
  let snapshots: readonly Snapshot[];
  let ledger: Ledger | undefined;
  try {
    await using store = await openConfiguredStore(context);
    if (store.host !== undefined && wish.maxAgeMs === undefined) {
      const text = `What ${store.location} holds is not known here: the key of ${store.host} may write only`;
      return { instances: [], warnings: [text], isDamaged: false, isUnknown: true };
    }
    const onDamage = (_id: string, { message }: Error) => void warnings.push(message);
    snapshots = await listSnapshots(store, { instance: wish.instance, onDamage });
    if (store.host === undefined) ledger = await readLedger(store, { signal: context.signal });
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { instances: [], warnings: [], isDamaged: false, error };
  }
  const isDamaged = ({ id }: Snapshot): boolean => ledger?.wasDamaged(id) === true;
  return {
    instances: judge(snapshots, { ...wish, context, isDamaged }),
    warnings,
    isDamaged: warnings.length > 0 || snapshots.some(isDamaged),
  };
}

/** The limit is for the instance that was named, else for the configured one, else for each. */
function judge(
  snapshots: readonly Snapshot[],
  wish: {
    readonly values: ConfigFile | undefined;
    readonly instance: string | undefined;
    readonly maxAgeMs: number | undefined;
    readonly context: Context;
    readonly isDamaged: (snapshot: Snapshot) => boolean;
  },
): InstanceState[] {
  const { values, maxAgeMs, isDamaged } = wish;
  const configured = values && (values.home || values.database) ? instanceOf(values) : undefined;
  const judged = wish.instance ?? configured;
  const names = new Set(snapshots.map(snapshot => snapshot.instance));
  if (judged !== undefined) names.add(judged);
  const nowMs = wish.context.seams.clock.nowMs();
  return [...names].sort().map(name =>
    judgeInstance(
      name,
      snapshots.filter(snapshot => snapshot.instance === name),
      {
        ...{ nowMs, isDamaged },
        maxAgeMs: judged === undefined || judged === name ? maxAgeMs : undefined,
        isUnlatched: values && name === configured ? (values.app?.type ?? 'none') === 'none' : undefined,
      },
    ),
  );
}

function toJson(found: Status, { isStoreRead }: { readonly isStoreRead: boolean }): Record<string, unknown> {
  const { instances, running, locks, application, warnings } = found;
  const isServed = application?.isServing !== false || application.lockedBy === 'run';
  const ok =
    isStoreRead &&
    isServed &&
    warnings.length === 0 &&
    !instances.some(one => one.overdue) &&
    locks.every(lock => lock.isRunning);
  return {
    messageType: 'summary',
    instances: instances.map(one => ({
      instance: one.instance,
      newest: one.newest && snapshotJson(one.newest),
      newestProven: one.newestProven && snapshotJson(one.newestProven),
      ageMs: one.ageMs,
      overdue: one.overdue,
    })),
    running: running.map(({ sinceMs, ...run }) => ({ ...run, since: utcTime(sinceMs) })),
    locks: locks.map(({ isRunning, hasToken, ...lock }) => ({
      ...lock,
      running: isRunning,
      token: hasToken,
    })),
    application: application && applicationJson(application),
    warnings,
    ok,
  };
}

function snapshotJson({ id, timeMs, fence, home }: Snapshot): Record<string, unknown> {
  return { id, time: utcTime(timeMs), fence: fence.kind, unreadable: home?.unreadable.length ?? 0 };
}

function applicationJson({ isServing, ...rest }: ApplicationState): Record<string, unknown> {
  return { ...rest, serving: isServing };
}
