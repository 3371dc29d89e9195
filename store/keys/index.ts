export { type CreateKeysOptions, createKeys } from './create.ts';
export type { DomainLabel, DomainSecrets } from './hierarchy.ts';
export { defaultKdf, type Kdf } from './kdf.ts';
export type { OpenKeys, RingKey } from './layout.ts';
export type { Epoch, HostRecord, KeyRing } from './ring.ts';
export { inspectKeys, type KeyProblem, unlockKeys } from './unlock.ts';
