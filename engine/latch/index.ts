export type { FenceRecord } from './fence.ts';
export { type LatchOptions, type LatchPhase, type LatchToken, withLatch } from './latch.ts';
export type { ProcessIdentity } from './process-identity.ts';
export type { LatchRecord } from './record.ts';
export { type Released, type ReleaseOptions, releaseLatches } from './release.ts';
export { activeRun, beginRun, type RunGuard, type RunOptions } from './run-guard.ts';
export type { LatchWindow } from './window.ts';
