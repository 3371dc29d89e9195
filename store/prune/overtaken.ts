import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';

/** STORE_LOCKED: what is missing, or not as it was, is what another prune took away that did not see this one. */
export function overtaken({ backend }: StoreContext, cause: Error): Error {
  return storeError('STORE_LOCKED', `Cannot prune ${backend.location}: another prune is at work`, {
    remedy: 'Run prune again when it has ended.',
    cause,
  });
}
