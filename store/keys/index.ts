export { addSlot, type NewSlot } from './add.ts';
export { type CreateKeysOptions, createKeys } from './create.ts';
export type { DomainLabel, DomainSecrets } from './hierarchy.ts';
export type { Kdf } from './kdf.ts';
export type { OpenKeys } from './layout.ts';
export { type KeyHost, type KeySlot, type KeysReport, reportKeys, slotId } from './report.ts';
export type { Epoch, HostRecord, KeyRing, RingKey } from './ring.ts';
export { unlockKeys } from './unlock.ts';
