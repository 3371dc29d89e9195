import type { Check } from '../../engine/doctor/check.ts';
import type { Finding } from '../../engine/index.ts';

/** What a check found. */
export function findingsOf(check: Check): Promise<readonly Finding[]> {
  return check.run(new AbortController().signal);
}

/** Its states, in order. */
export async function statesOf(check: Check): Promise<Finding['state'][]> {
  return (await findingsOf(check)).map(({ state }) => state);
}
