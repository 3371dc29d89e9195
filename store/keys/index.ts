export type { DomainLabel, DomainSecrets } from './hierarchy.ts';
export { defaultKdf, type Kdf } from './kdf.ts';
export { createKeys, type OpenKeys, unlockKeys } from './keys.ts';
export type { Epoch, HostRecord, KeyRing } from './ring.ts';
