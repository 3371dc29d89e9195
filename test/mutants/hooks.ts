// What node:module's register loads, in a thread of its own.
import type { InitializeHook, LoadHook } from 'node:module';
import type { Mutated } from './mutant.ts';

let texts: Mutated = {};

export const initialize: InitializeHook<Mutated> = data => {
  texts = data;
};

export const load: LoadHook = async (url, context, next) => {
  const source = texts[url];
  return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
};
