export type { ProcessIdentity } from '../process-identity.ts';
export type { FenceRecord } from './fence.ts';
export { checkForecast, type Expected, type Forecast, forecast } from './forecast.ts';
export { withLatch } from './latch.ts';
export type { LatchOptions, LatchPhase, LatchToken, Patience } from './options.ts';
export type { LatchRecord } from './record.ts';
export { type Released, type ReleaseOptions, releaseLatches, type UnresolvedLatch } from './release.ts';
export { activeRun, beginRun, type RunGuard, type RunOptions } from './run-guard.ts';
export type { LatchWindow } from './window.ts';
