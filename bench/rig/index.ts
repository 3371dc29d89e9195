export { isAlive, sentinelOf } from './processes.ts';
export type { Ended, Running } from './program.ts';
export { programs, runHere, startProgram } from './program.ts';
export type { RestoreTarget, Rig, RigOptions } from './rig.ts';
export { startRig } from './rig.ts';
