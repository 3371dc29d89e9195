import { loadedLibc } from './libc.ts';

/**
 * Ends this process without what native libraries do at the end of one: koffi syncs the standard output and error then, and
 * where the medium that they go to fails to, it waits for itself for good. For a listener of `exit`, the last one. Does nothing
 * where koffi was not loaded here, or where Node was given options of its own, such as for a profile that it writes then.
 */
export function endProcess(code: number): void {
  const { NODE_OPTIONS, NODE_V8_COVERAGE } = process.env;
  if (process.execArgv.length === 0 && !NODE_OPTIONS && !NODE_V8_COVERAGE) loadedLibc()?.exit(code);
}
