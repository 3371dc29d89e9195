export type { Application, FenceKind } from './app/index.ts';
export {
  bitbucket,
  commandApplication,
  hasNoPort,
  isLockable,
  noApplication,
  stoppedApplication,
} from './app/index.ts';
export { backup } from './backup/backup.ts';
export type { DryRun } from './backup/dry-run.ts';
export { dryRun } from './backup/dry-run.ts';
export type { BackupOptions, BackupSeams, BackupSummary, HoldUntil } from './backup/options.ts';
export { type CanceledRun, type CancelOptions, cancelRun, type NothingToCancel } from './cancel.ts';
export type { Command, CommandRecord } from './command/index.ts';
export { committedHere } from './committed-here.ts';
export type {
  DatabaseAddress,
  DatabaseDifference,
  DatabaseItem,
  DatabaseWish,
  SequenceChange,
  TableChange,
} from './database/index.ts';
export { databaseTarget, databaseTitle } from './database/index.ts';
export {
  type DoctorOptions,
  type DoctorSeams,
  examine,
  type Finding,
  failed,
  good,
  type SecretFile,
} from './doctor/index.ts';
export type { EngineErrorCode } from './errors.ts';
export { engineError } from './errors.ts';
export {
  archiveKindOf,
  type ExportResult,
  type ExportTarget,
  exportSnapshot,
  isArchiveName,
} from './export/export.ts';
export type { OwnerRule } from './home/index.ts';
export { bitbucketExcludes, endProcess } from './home/index.ts';
export { type CommandPlace, type Hooks, runFailureHooks } from './hooks.ts';
export type { FenceRecord, Forecast, LatchToken, UnresolvedLatch } from './latch/index.ts';
export { releaseLatches } from './latch/index.ts';
export {
  databaseMark,
  diffDatabases,
  type EntryChange,
  exactText,
  HomeDifference,
  type Listed,
  listPath,
  nameOfRoot,
  printable,
  printableText,
  type RefChange,
  readPath,
} from './look/index.ts';
export { nearest } from './nearest.ts';
export { writeOutputFile } from './output-file.ts';
export type { Degraded, Loss, PairedDatabase, PairedHome, Snapshot } from './pair.ts';
export type { OnPhase, OnProgress, Phase, Progress } from './progress.ts';
export { phases } from './progress.ts';
export { type InstanceState, judgeInstance } from './proven.ts';
export { type RepairOptions, type RepairResult, repair } from './repair/repair.ts';
export type { RestoreOptions, RestoreResult } from './restore/restore.ts';
export { restore } from './restore/restore.ts';
export { restoreSql } from './restore/sql.ts';
export { isTimeZone, localTimeZone } from './retention/calendar.ts';
export type { PrunedSnapshot, PruneResult, Retention } from './retention/prune.ts';
export { prune } from './retention/prune.ts';
export type { SnapshotFilter } from './snapshots.ts';
export { findSnapshot, listSnapshots } from './snapshots.ts';
export {
  type ApplicationState,
  askApplication,
  type LockState,
  type RunState,
  readLocalState,
} from './status.ts';
export type { NamedDamage, SnapshotLoss, VerifyResult } from './verify.ts';
export { verifySnapshots } from './verify.ts';
export { dropLeftViews, type LeftViews } from './view/index.ts';
export { checkWitness, updateWitness } from './witness.ts';
