import type { SuiteOptions, Tally } from './suite.ts';

export async function processKills(
  _tally: Tally,
  _options: SuiteOptions,
): Promise<{ readonly skipped: string | undefined; readonly remark: string }> {
  return { skipped: undefined, remark: '' };
}
