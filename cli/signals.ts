import { setMaxListeners } from 'node:events';
import { engineError } from '../engine/index.ts';

const remedy =
  'No application is left locked, and nothing half-done is taken for whole; the same command begins again.';

/** Turns SIGINT, SIGTERM and SIGHUP into one abort, so that every path out unlocks first. */
export function listenForSignals(): {
  readonly signal: AbortSignal;
  /** Aborted by the first that comes from now on. */
  next(): AbortSignal;
  close(): void;
} {
  const controller = new AbortController();
  let following = new AbortController();
  // Whatever runs listens to this one signal; the default of 10 is meant for emitters that gather listeners.
  setMaxListeners(100, controller.signal);
  const end = (reason: Error) => {
    controller.abort(reason);
    following.abort(reason);
    following = new AbortController();
  };
  const interrupt = () => end(engineError('INTERRUPTED', 'Interrupted before the end', { remedy }));
  const terminate = () => end(engineError('TERMINATED', 'Terminated before the end', { remedy }));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', terminate);
  process.on('SIGHUP', terminate);
  return {
    signal: controller.signal,
    next: () => following.signal,
    close() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', terminate);
      process.off('SIGHUP', terminate);
    },
  };
}
