import type { Ledger, LedgerAct } from '../store/index.ts';

/** In the detail of a repair's act in the ledger: names of damaged objects of which it found that nothing is lost with them. */
export const knownDamageField = 5;

/** Names of damaged objects that a repair has called harmless, and has noted. */
export function knownDamage(ledger: Ledger): ReadonlySet<string> {
  return new Set(ledger.acts.flatMap(namesIn));
}

function namesIn({ act, detail }: LedgerAct): string[] {
  const names = act === 'repaired' && detail instanceof Map ? detail.get(knownDamageField) : undefined;
  return Array.isArray(names) ? names.filter(name => typeof name === 'string') : [];
}
