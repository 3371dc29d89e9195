export type { EntryFileSystem, EntryKind, HomeEntry, OwnerNames } from './entry.ts';
export { decodeHomeEntry } from './entry.ts';
export { bitbucketExcludes, compileExcludes } from './exclude.ts';
export type { FileSystemFacts, FileSystemProbe } from './filesystem.ts';
export { openHome } from './home.ts';
export type { OwnerRule } from './metadata.ts';
export { type BytePath, bytePath, bytePathOfText, bytesOf, shown } from './paths.ts';
export type { ReadSeam } from './read.ts';
export { expandDataStores } from './roots.ts';
export type { Selected } from './select.ts';
export { spaceOf } from './space.ts';
export type { StatSeam, Stats } from './stat.ts';
export type { IsSame, Look, State } from './states.ts';
export { isSame } from './states.ts';
export type { HomeSupport } from './support.ts';
export { describeHomeSupport } from './support.ts';
export { targetError } from './target.ts';
export type {
  Home,
  HomeBase,
  HomeCapture,
  HomeEstimate,
  HomeOptions,
  HomeProgress,
  HomeResult,
  HomeRoot,
  HomeScan,
  HomeSettings,
  HomeSkipped,
  HomeView,
  RememberedRows,
} from './types.ts';
export type { RestoredHome, RestoreHomeOptions } from './write.ts';
export { restoreHome } from './write.ts';
