import type { Clock } from '../../store/index.ts';
import { forwardAbort, within } from '../waiting.ts';
import { bad, type Finding, failed } from './finding.ts';

/** One question about the set-up. It answers with what it found, and throws only for what it did not foresee. */
export interface Check {
  readonly name: string;
  run(signal: AbortSignal): Promise<readonly Finding[]>;
}

/** Longer than any check takes where all is well, a login that hangs included. */
const limitMsDefault = 20_000;

/**
 * Runs the checks one after the other. One that crashes, or does not answer, is a finding and not the end; two that say
 * the same are told once.
 */
export async function runChecks(
  checks: readonly Check[],
  options: { readonly clock: Clock; readonly signal: AbortSignal; readonly limitMs?: number | undefined },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) {
    options.signal.throwIfAborted();
    for (const finding of await runCheck(check, options)) {
      if (!findings.some(one => one.found === finding.found)) findings.push(finding);
    }
  }
  return findings;
}

async function runCheck(
  check: Check,
  { clock, signal, limitMs = limitMsDefault }: Parameters<typeof runChecks>[1],
): Promise<readonly Finding[]> {
  const ending = new AbortController();
  const release = forwardAbort(signal, ending);
  const late = Symbol('late');
  try {
    return await within(check.run(ending.signal), { ms: limitMs, clock, late: () => late });
  } catch (error) {
    signal.throwIfAborted();
    if (error !== late) return [failed(check.name, error)];
    const found = `${check.name}: no answer in ${limitMs / 1000} s`;
    const remedy = 'Look for a mount, a server or a command that hangs.';
    return [bad(check.name, { found, remedy })];
  } finally {
    ending.abort();
    release();
  }
}
