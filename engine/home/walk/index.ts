export { type ClockWatch, lookAt, watchClock } from './clocks.ts';
export type { Found, WalkOptions, Where } from './events.ts';
export { FileSystems, type Tools } from './met-file-systems.ts';
export { walk } from './walk.ts';
