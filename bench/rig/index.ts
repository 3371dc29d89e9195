export type { Ended } from './program.ts';
export { programs, runProgram } from './program.ts';
export type { RestoreTarget, Rig, RigOptions } from './rig.ts';
export { startRig } from './rig.ts';
