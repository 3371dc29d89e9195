export {
  type Application,
  type ApplicationAccess,
  type ApplicationFacts,
  type BackupTask,
  type BitbucketAccess,
  type CallOptions,
  type CommandAccess,
  type CommandApplication,
  type FenceKind,
  isLockable,
  isStopped,
  type LatchedApplication,
  type LockAnswer,
  type LockableApplication,
  type LockIntent,
  type MaintenanceState,
  type SessionsSource,
  type StoppedApplication,
  type Timeouts,
  type UnlatchedApplication,
} from './app.ts';
export { bitbucket } from './bitbucket.ts';
export { commandApplication } from './command.ts';
export { type BackedUpPlaces, doubtsAbout } from './doubts.ts';
export { hasNoPort } from './jdbc.ts';
export { noApplication } from './none.ts';
export { openApplication } from './open.ts';
export { type StoppedOptions, stoppedApplication } from './stopped.ts';
