export type {
  Application,
  ApplicationFacts,
  BackupTask,
  BitbucketAccess,
  CallOptions,
  FenceKind,
  LatchedApplication,
  LockAnswer,
  MaintenanceState,
  Timeouts,
  UnlatchedApplication,
} from './app.ts';
export { bitbucket } from './bitbucket.ts';
export { noApplication } from './none.ts';
