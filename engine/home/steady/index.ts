export { findSteady, type SteadyRows } from './find.ts';
export { type Askers, startAskers } from './job.ts';
export type { Judge } from './judge.ts';
export { halvesOf } from './raw-times.ts';
