export type { EntryFileSystem, EntryKind, HomeEntry } from './entries/entry.ts';
export { decodeHomeEntry } from './entries/entry.ts';
export type { Selected } from './entries/select.ts';
export { openHome } from './home.ts';
export { type BytePath, bytePath, bytePathOfText, bytesOf, shown } from './paths.ts';
export type { OwnerRule, RestoredHome, RestoreHomeOptions } from './restore/index.ts';
export { restoreHome, spaceOf, targetError } from './restore/index.ts';
export { expandDataStores } from './roots.ts';
export type { IsSame, Look, State } from './rows/index.ts';
export { isSame } from './rows/index.ts';
export { bitbucketExcludes, compileExcludes } from './rules/exclude.ts';
export type { FileSystemFacts, FileSystemProbe } from './system/filesystem.ts';
export type { OwnerNames } from './system/owners.ts';
export type { ReadSeam } from './system/read.ts';
export type { StatSeam, Stats } from './system/stat.ts';
export type { HomeSupport } from './system/support.ts';
export { describeHomeSupport } from './system/support.ts';
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
