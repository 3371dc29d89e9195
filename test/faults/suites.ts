import { clockSuite } from './clock.ts';
import { errorsSuite } from './errors.ts';
import { flipsSuite } from './flips.ts';
import { killSuite } from './kill.ts';
import { powerSuite } from './power.ts';
import { replaySuite } from './replay.ts';
import { stopSuite } from './stop.ts';
import type { Suite } from './suite.ts';

export const suites: readonly Suite[] = [
  killSuite,
  errorsSuite,
  powerSuite,
  replaySuite,
  flipsSuite,
  clockSuite,
  stopSuite,
];
