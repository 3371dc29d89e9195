export type { OwnerRule } from './metadata.ts';
export { type RestoredHome, type RestoreHomeOptions, restoreHome } from './restore.ts';
export { spaceOf } from './space.ts';
export { targetError } from './target.ts';
