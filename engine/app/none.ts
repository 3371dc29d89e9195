import type { UnlatchedApplication } from './app.ts';

/** For instances that nothing needs to hold, and for atomic volume snapshots: the manifest says fence `none`. */
export function noApplication(): UnlatchedApplication {
  return {
    type: 'none',
    fence: 'none',
    location: '',
    describe: async () => ({ type: 'none', version: '', displayName: '', identity: '' }),
    close: async () => undefined,
  };
}
