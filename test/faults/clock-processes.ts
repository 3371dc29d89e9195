import type { SuiteOptions, Tally } from './suite.ts';

export async function processClocks(_tally: Tally, _options: SuiteOptions): Promise<string> {
  return '';
}
