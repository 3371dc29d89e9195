export type { ProcessIdentity } from '../process-identity.ts';
export type { FenceRecord } from './fence.ts';
export { checkForecast, type Expected, type Forecast, forecast } from './forecast.ts';
export { withLatch } from './latch.ts';
export type { LatchOptions, LatchPhase, LatchToken, Patience } from './options.ts';
export { isHeld, type LatchRecord, listRecords, readRecord } from './record.ts';
export { type Released, type ReleaseOptions, releaseLatches, type UnresolvedLatch } from './release.ts';
export {
  type ActiveRun,
  activeRun,
  beginRun,
  listRuns,
  type RunGuard,
  type RunNote,
  type RunOptions,
  type WatchedRun,
  watchRun,
} from './run-guard.ts';
export type { LatchWindow } from './window.ts';
