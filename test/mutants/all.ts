import { guardMutants } from './guards.ts';
import { knownMutants } from './known.ts';
import type { Mutant } from './mutant.ts';
import { protocolMutants } from './protocol.ts';

export const mutants: readonly Mutant[] = [...protocolMutants, ...knownMutants, ...guardMutants];
