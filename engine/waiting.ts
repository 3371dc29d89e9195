import type { Clock } from '../store/index.ts';

/** A promise that is settled from outside. Nobody need wait for it. */
export interface Pending<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function pending<T>(): Pending<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => undefined); // nobody need wait for it
  return { promise, resolve, reject };
}

/** The work's outcome, or the error of `late` when ms pass first. The work itself is not ended. */
export async function within<T>(
  work: Promise<T>,
  options: { readonly ms: number; readonly clock: Clock; readonly late: () => unknown },
): Promise<T> {
  const timer = new AbortController();
  const late = pending<never>();
  options.clock.sleep(options.ms, timer.signal).then(
    () => late.reject(options.late()),
    () => undefined, // in time
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    timer.abort();
  }
}

/** Rejects with the reason when the signal aborts; never resolves. */
export function abortOf(signal: AbortSignal): Promise<never> {
  const aborted = pending<never>();
  if (signal.aborted) aborted.reject(signal.reason);
  signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
  return aborted.promise;
}

/** Passes an abort on, until the function that it returns is called. */
export function forwardAbort(from: AbortSignal | undefined, to: AbortController): () => void {
  if (!from) return () => undefined;
  const pass = () => to.abort(from.reason);
  if (from.aborted) pass();
  from.addEventListener('abort', pass, { once: true });
  return () => from.removeEventListener('abort', pass);
}

/** Waits for the end of work whose outcome is known or does not matter, at most ms. */
export async function settle(
  work: Promise<unknown>,
  options: { readonly ms: number; readonly clock: Clock },
): Promise<void> {
  const ended = work.then(
    () => undefined,
    () => undefined, // told elsewhere
  );
  await within(ended, { ...options, late: () => undefined }).catch(() => undefined); // it takes longer
}
