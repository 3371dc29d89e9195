export { isAlive, sentinelOf } from '../../bench/rig/index.ts';
