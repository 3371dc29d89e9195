export type { EntryFileSystem, EntryKind, HomeEntry, HomeRoot } from './entries/entry.ts';
export { decodeHomeEntry } from './entries/entry.ts';
export type { Selected } from './entries/select.ts';
export { openHome } from './home.ts';
export { type BytePath, bytePath, bytePathOfText, bytesOf, shown } from './paths.ts';
export type { OwnerRule, RestoredHome, RestoreHomeOptions } from './restore/index.ts';
export { restoreHome, spaceOf, targetError } from './restore/index.ts';
export { expandDataStores } from './roots.ts';
export type { HomeBase, IsSame, Look, RememberedRows, State } from './rows/index.ts';
export { isSame } from './rows/index.ts';
export { bitbucketExcludes, compileExcludes } from './rules/exclude.ts';
export { endProcess } from './system/end-process.ts';
export type { FileSystemFacts, FileSystemProbe } from './system/filesystem.ts';
export type { OwnerNames } from './system/owners.ts';
export type { ReadSeam } from './system/read.ts';
export type { StatSeam, Stats } from './system/stat.ts';
export type { HomeSupport } from './system/support.ts';
export { describeHomeSupport } from './system/support.ts';
export type {
  Home,
  HomeCapture,
  HomeEstimate,
  HomeOptions,
  HomeProgress,
  HomeResult,
  HomeScan,
  HomeSettings,
  HomeSkipped,
  HomeView,
} from './types.ts';
