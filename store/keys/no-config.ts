import type { Backend, CallOptions } from '../backend/backend.ts';
import { configName } from '../config.ts';
import { isStoreError, type StillpointError, type StoreErrorCode, storeError } from '../errors.ts';

/** What an init that died leaves is none of these, so they are of a store. */
const storeFolders = ['packs', 'manifests', 'index'];

/**
 * Why there is no config: there is no store, STORE_MISSING; or the store lost it, STORE_DAMAGED. It says which store the keys
 * are of, which stands nowhere else, so nobody can make it anew; and it never changes, so that any copy serves.
 */
export async function noConfig(
  backend: Backend,
  call: CallOptions,
  cause: StillpointError<StoreErrorCode>,
): Promise<Error> {
  const there: string[] = [];
  for (const folder of ['keys', ...storeFolders])
    if (await hasAny(backend, `${folder}/`, call)) there.push(`${folder}/`);
  if (there.every(name => name === 'keys/'))
    return storeError('STORE_MISSING', `Cannot open a store in ${backend.location}: there is none`, {
      remedy:
        'Check the place, and that its disk is mounted; only a first store is made, with `stillpoint init`.',
      cause,
    });
  return storeError(
    'STORE_DAMAGED',
    `Cannot open the store in ${backend.location}: its file config is gone, and ${there.join(', ')} are there`,
    {
      remedy:
        'Put the file `config` back from any copy of this store, however old: it never changes, and cannot be made anew. Nothing else is damaged by that. Make no new store in this place.',
      context: { object: configName, there },
      cause,
    },
  );
}

async function hasAny(backend: Backend, prefix: string, call: CallOptions): Promise<boolean> {
  try {
    for await (const _object of backend.list(prefix, call)) return true;
  } catch (error) {
    if (!isStoreError(error)) throw error;
  }
  return false;
}
