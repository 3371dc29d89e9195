import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Instance } from '../../bench/instance/index.ts';
import { assertEqualHomes, type CompareOptions } from './home-equal.ts';

/** Left out of every backup of this application, as far as the stand-in makes them. */
const excluded = [
  ...['caches', 'export', 'plugins/.osgi-cache', 'shared/plugins/.bundled', 'shared/search/data', 'tmp'],
  ...['.lock', 'shared/.lock'],
];
/** Written at any time: its end may come after the capture. */
const log = 'log/atlassian-bitbucket.log';

/** Fails unless a restored home equals that of a quiet instance in all that a backup takes. */
export async function assertEqualsOriginal(
  instance: Instance,
  home: string,
  { ignore = [], rootTimes = true }: Pick<CompareOptions, 'ignore' | 'rootTimes'> = {},
): Promise<void> {
  await assertEqualHomes(instance.home, home, { ignore: [...excluded, log, ...ignore], rootTimes });
  const [whole, restored] = [instance.home, home].map(root => readFileSync(join(root, log), 'utf8'));
  assert.ok(restored && whole?.startsWith(restored), 'the log is there up to the capture');
}
