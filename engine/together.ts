import { setMaxListeners } from 'node:events';

/** Every connection and child process of a task may listen; more than this would be a leak. */
const listenersMax = 100;

/**
 * Runs tasks side by side and waits for every one, also after one has failed: nothing is still reading when the caller
 * cleans up. The first failure aborts the others through their signal and is the one thrown.
 */
export async function together<const T extends readonly ((signal: AbortSignal) => Promise<unknown>)[]>(
  tasks: T,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }> {
  const controller = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal;
  setMaxListeners(listenersMax, signal);
  let first: { error: unknown } | undefined;
  const results = await Promise.all(
    tasks.map(async task => {
      try {
        return await task(signal);
      } catch (error) {
        first ??= { error };
        controller.abort(error);
        return undefined;
      }
    }),
  );
  if (first) throw first.error;
  return results as { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> };
}
