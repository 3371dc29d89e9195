import { loadLibc, lostWithoutLibc } from './libc.ts';

/** Which of a home's properties this machine can keep. */
export interface HomeSupport {
  /** True when everything is kept: attributes, nanoseconds, holes, FIFOs and devices. */
  readonly complete: boolean;
  readonly implementation: string;
  /** What is lost, each a sentence without its full stop. */
  readonly lost: readonly string[];
}

/** For `doctor`. */
export async function describeHomeSupport(): Promise<HomeSupport> {
  const loaded = await loadLibc();
  if (loaded.libc) return { complete: true, implementation: `koffi ${loaded.version}`, lost: [] };
  return { complete: false, implementation: `none (${loaded.reason})`, lost: lostWithoutLibc };
}
