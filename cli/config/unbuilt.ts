import { engineError } from '../../engine/index.ts';
import type { ConfigFile } from './schema.ts';

/** What the configuration may name and this version cannot do yet. CONFIG_INVALID. */
export function refuseUnbuilt(values: ConfigFile, file: string): void {
  const { store } = values;
  if (store?.includes('://')) {
    throw engineError('CONFIG_INVALID', `Cannot use configuration ${file}: store is ${noSecret(store)}`, {
      remedy: storesInFolders,
    });
  }
}

export const storesInFolders =
  'This version has stores in folders only: give the path of one, of a mounted medium for instance.';

function noSecret(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//…@').replace(/\?.*/s, '?…');
}
