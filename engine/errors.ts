import { type ErrorDetails, StillpointError } from '../store/index.ts';

/** What went wrong outside the store. Every code has an exit code in `cli/exit-codes.ts`. */
export type EngineErrorCode =
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'HOME_UNREADABLE' // missing, not a folder, on a file system that cannot be trusted
  | 'HOME_CHANGED' // a source that could not be read consistently
  | 'DATABASE_UNREACHABLE'
  | 'DATABASE_UNSUPPORTED' // version, object kind or setting that this program refuses
  | 'DATABASE_RIGHTS'
  | 'DATABASE_FAILED' // a statement failed, a connection was lost
  | 'APP_UNREACHABLE'
  | 'APP_REFUSED' // credentials, redirect, HTML, an answer that is not the protocol's
  | 'APP_LOCKED' // locked by somebody else
  | 'APP_NOT_DRAINED'
  | 'APP_CANCELED' // from the application's page
  | 'APP_RUNNING' // it should be stopped and is not, or that cannot be told
  | 'APP_STILL_LOCKED' // the unlock was refused: exit 21
  | 'LATCH_LAPSED' // the fence does not hold: the pair is discarded
  | 'LATCH_OVERRUN' // past maxHold: unlocked, then failed
  | 'RUN_ACTIVE' // another run on this host
  | 'COMMAND_FAILED' // a command of the administrator: its exit, its time-out
  | 'PATH_UNKNOWN' // a snapshot holds nothing of that name
  | 'TARGET_NOT_EMPTY'
  | 'TARGET_FAILED' // restore target refused a write
  | 'RESTORE_MISMATCH' // what was restored is not what was backed up
  | 'TOOL_MISSING'
  | 'INTERRUPTED'
  | 'TERMINATED';

/** Makes an engine error: something about the source, the application, the target or the call; never about the store. */
export function engineError(
  code: EngineErrorCode,
  message: string,
  details?: ErrorDetails,
): StillpointError<EngineErrorCode> {
  return new StillpointError(code, message, details);
}
