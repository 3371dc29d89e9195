import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { engineError } from '../engine/index.ts';
import {
  type Backend,
  openLocalBackend,
  openStore,
  openStoreAsHost,
  type ParityOptions,
  type Store,
} from '../store/index.ts';
import { refuseUnbuilt, storesInFolders } from './config/unbuilt.ts';
import type { Context } from './context.ts';
import { readKeyFile, readPassphrase, refusePasswordInArgument } from './settings/secrets.ts';

/** Where the store is: --store, $STILLPOINT_STORE, then the configuration. */
export function storePlace(context: Context): string {
  const { env, cwd } = context;
  if (context.storeOption === '') {
    throw engineError('USAGE', 'Cannot tell which store is meant: --store is empty', {
      remedy: 'Give the path of a store.',
    });
  }
  if (context.storeOption) {
    refusePasswordInArgument(context.storeOption, '--store');
    return absolute(context.storeOption, cwd);
  }
  if (env['STILLPOINT_STORE']) return absolute(env['STILLPOINT_STORE'], cwd);
  const configured = context.config()?.values.store;
  if (configured) return configured;
  throw engineError('USAGE', 'Cannot tell which store is meant: none was given', {
    remedy: 'Give --store, set STILLPOINT_STORE, or write `store:` into the configuration.',
  });
}

export async function openBackend(context: Context, options: { create?: boolean } = {}): Promise<Backend> {
  const place = storePlace(context);
  if (place.includes('://')) {
    const config = context.config();
    if (config?.values.store === place) refuseUnbuilt(config.values, config.file);
    throw engineError('USAGE', 'Cannot open the store: it is no folder', { remedy: storesInFolders });
  }
  return openLocalBackend(place, options);
}

/** Opens the store with the passphrase, or with the key file of a write-only host. STORE_MISSING, STORE_NEWER, STORE_WRONG_PASSPHRASE, STORE_DAMAGED. */
export async function openConfiguredStore(context: Context): Promise<Store> {
  const backend = await openBackend(context);
  const { seams } = context;
  const parity = parityOf(context);
  const sealingThreads = { max: Math.min(4, Math.max(1, availableParallelism() - 1)) };
  const key = readKeyFile(context);
  if (key !== undefined) return openStoreAsHost(backend, { ...key, seams, parity, sealingThreads });
  const passphrase = await readPassphrase(context);
  return openStore(backend, { passphrase, seams, parity, sealingThreads });
}

function parityOf(context: Context): ParityOptions | undefined {
  if (context.config()?.values.parity === 'off') return undefined;
  return {
    onFailure: error =>
      context.output.warning(
        `Some packs stay without parity, and are whole: ${error instanceof Error ? error.message : String(error)}`,
      ),
  };
}

function absolute(place: string, cwd: string): string {
  return place.includes('://') ? place : resolve(cwd, place);
}
