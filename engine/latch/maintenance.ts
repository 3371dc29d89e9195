import { hostname } from 'node:os';
import type { ApplicationFacts, LockableApplication } from '../app/index.ts';
import { ownIdentity } from '../process-identity.ts';
import { abortOf, forwardAbort, settle } from '../waiting.ts';
import { type FenceRecord, lapsed } from './fence.ts';
import type { LatchOptions, LatchPhase } from './options.ts';
import { giveBack, type Hold, takeLock } from './outcome.ts';
import { describe, prepare } from './prepare.ts';
import {
  forgetIntentions,
  heldHere,
  type LatchRecord,
  recordPath,
  removeRecord,
  writeRecord,
} from './record.ts';
import type { Rest } from './rest.ts';
import { restOf } from './rest-of.ts';
import { isComplete, latchedRecord, momentNow, type Times } from './times.ts';
import { capture, type LatchWindow } from './window.ts';

/** After a failure, once unlocked: how long a body that ignores its signal is waited for. */
const settleMs = 2_000;
/** A day; a timer of Node ends at once when it is told to wait for more than 24 of them. */
const maxHoldMaxMs = 24 * 3_600_000;

type Options = LatchOptions & { readonly app: LockableApplication };
type Body<T> = (window: LatchWindow) => Promise<T>;

/** withLatch for an application that can be locked. */
export async function withMaintenance<T>(
  given: Options,
  body: Body<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const options = { ...given, maxHoldMs: Math.min(given.maxHoldMs, maxHoldMaxMs) };
  const { app, clock, instance, stateDir } = options;
  const application = await describe(options);
  const run = `${clock.nowMs().toString(36)}-${process.pid}`;
  const file = recordPath(stateDir, { instance, run });
  const record: LatchRecord = {
    version: 1,
    run,
    instance,
    application: {
      type: app.type,
      location: app.location,
      ...(app.type === 'bitbucket' ? { user: app.access.user } : {}),
    },
    program: await ownIdentity(),
    host: hostname(),
    lockRequestedAt: new Date(clock.nowMs()).toISOString(),
    token: await app.newToken(),
  };
  heldHere.add(run);
  try {
    await writeRecord(file, record);
    const sentinel = await prepare({ options, record, file });
    const intent = { token: record.token, timeoutMs: options.maxHoldMs };
    return await hold({ options, sentinel, file, intent, application }, body);
  } finally {
    heldHere.delete(run);
  }
}

/** From the lock call to the proof that the lock is gone. */
async function hold<T>(
  held: Hold & { readonly options: Options; readonly application: ApplicationFacts },
  body: Body<T>,
): Promise<{ result: T; fence: FenceRecord }> {
  const { options, sentinel, file, application } = held;
  const { app, clock } = options;
  const times: Times = { lockRequested: momentNow(clock) };
  const token = await takeLock(held);
  times.locked = momentNow(clock);

  const stop = new AbortController();
  const offs = [forwardAbort(options.signal, stop), forwardAbort(sentinel.lost, stop)];
  const rest = restOf(app, {
    ...options,
    token,
    onCancelToken: (cancelToken, command) =>
      options.onToken?.({ kind: 'cancel', token: cancelToken, command, page: app.location }),
    onCommand: options.onCommand,
  });
  const working = work({ held, token, times, stop, rest }, body);
  let failure: { readonly error: unknown } | undefined;
  let result: { readonly value: T } | undefined;
  try {
    result = { value: await Promise.race([working, abortOf(stop.signal)]) };
  } catch (error) {
    failure = { error: stop.signal.aborted ? stop.signal.reason : error };
    void announceUnlock(options);
  }
  for (const off of offs) off();
  if (failure) stop.abort(failure.error); // what still runs ends here; the first reason stays
  const how = await giveBack(held, { token, cause: failure?.error, cancel: rest.cancel });
  times.unlocked = momentNow(clock);
  const ended = rest.end();
  await sentinel.release();
  await removeRecord(file);
  await forgetIntentions(options);
  if (failure) {
    await settle(working, { ms: settleMs, clock });
    await ended;
    throw failure.error;
  }
  if (options.signal?.aborted) throw options.signal.reason;
  if (how === 'lapsed' || !result || !isComplete(times)) {
    throw lapsed('when it was unlocked, it was not locked by this run any more');
  }
  const facts = { kind: app.fence, application, taskId: rest.taskId };
  return { result: result.value, fence: latchedRecord(times, facts) };
}

/** What happens while it is locked. Ends early by `stop`, and never unlocks. */
async function work<T>(
  job: {
    readonly held: Hold & { readonly options: Options };
    readonly token: string;
    readonly times: Times;
    readonly stop: AbortController;
    readonly rest: Rest;
  },
  body: Body<T>,
): Promise<T> {
  const { held, token, times, stop, rest } = job;
  const { options, sentinel } = held;
  const { app, clock, maxHoldMs } = options;
  const { signal } = stop;
  const leftMs = () => maxHoldMs - (clock.monotonicMs() - times.lockRequested.monotonicMs);
  signal.throwIfAborted();
  sentinel.persisted().catch((error: unknown) => stop.abort(error)); // people do not wait for a disk
  const command = app.manual.unlock(token);
  options.onToken?.({ kind: 'unlock', token, command, page: app.location });
  await options.onPhase?.('drain');
  await rest.begin(signal);
  await rest.drain({ signal, timeoutMs: Math.min(options.drainTimeoutMs, leftMs()) });
  times.drained = momentNow(clock);
  const result = await capture(rest, {
    clock,
    signal,
    leftMs: leftMs(),
    stop: reason => stop.abort(reason),
    body: async window => {
      await options.onPhase?.('capture');
      return body(window);
    },
    onCaptured: async () => {
      times.captured = momentNow(clock);
      await options.onPhase?.('fence');
    },
  });
  await options.onPhase?.('unlock');
  signal.throwIfAborted();
  await rest.finish();
  return result;
}

/** For a run that failed: nothing waits for it, and what it throws changes nothing. */
async function announceUnlock({ onPhase }: Options): Promise<void> {
  const phase: LatchPhase = 'unlock';
  try {
    await onPhase?.(phase);
  } catch {
    // the failure that is under way is the one to tell
  }
}
