export { type CreateKeysOptions, createKeys } from './create.ts';
export type { DomainLabel, DomainSecrets } from './hierarchy.ts';
export type { Kdf } from './kdf.ts';
export type { OpenKeys } from './layout.ts';
export type { Epoch, HostRecord, KeyRing, RingKey } from './ring.ts';
export { unlockKeys } from './unlock.ts';
