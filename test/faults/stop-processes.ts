import type { SuiteOptions, Tally } from './suite.ts';

export async function processStops(_tally: Tally, _options: SuiteOptions): Promise<string> {
  return '';
}
