import type { EngineErrorCode } from '../engine/index.ts';
import type { StoreErrorCode } from '../store/index.ts';

/** What the program ends with. Scripts rely on these; they never change their meaning. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  incomplete: 3,
  noStore: 10,
  locked: 11,
  wrongKey: 12,
  damaged: 20,
  stillLocked: 21,
  tooOld: 22,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = keyof typeof exitCodes;

/** What a script may take each for. */
export const exitCodeMeanings: Readonly<Record<(typeof exitCodes)[ExitCode], string>> = {
  0: 'done',
  1: 'failed',
  2: 'usage or configuration',
  3: 'saved, but a source could not be read, or a command after the unlock failed; or restored, without what a repair found lost',
  10: 'no store there, or one of a newer format',
  11: 'store, instance or application is in use by another run',
  12: 'wrong passphrase or key, or a key that may write only',
  20: 'damage found, or what a repair cannot heal',
  21: 'the application could not be unlocked; the message has the command to do it by hand',
  22: 'too old',
  130: 'interrupted: unlocked first',
  143: 'terminated: unlocked first',
};

const byCode: Record<StoreErrorCode | EngineErrorCode, number> = {
  STORE_MISSING: exitCodes.noStore,
  STORE_NOT_EMPTY: exitCodes.failed,
  STORE_EXISTS: exitCodes.failed,
  STORE_NEWER: exitCodes.noStore,
  STORE_WRONG_PASSPHRASE: exitCodes.wrongKey,
  STORE_WRONG_KEY: exitCodes.wrongKey,
  STORE_KEYS_BACK: exitCodes.damaged,
  STORE_KEY_OLD: exitCodes.wrongKey,
  STORE_WRITE_ONLY: exitCodes.wrongKey,
  STORE_DAMAGED: exitCodes.damaged,
  STORE_OBJECT_MISSING: exitCodes.damaged,
  STORE_WRITE_FAILED: exitCodes.failed,
  STORE_READ_FAILED: exitCodes.failed,
  STORE_LOCKED: exitCodes.locked,
  STORE_UNPROVEN: exitCodes.failed,
  STORE_IMPLAUSIBLE: exitCodes.damaged,
  STORE_HOST_REFUSED: exitCodes.failed,
  STORE_SLOT_UNKNOWN: exitCodes.failed,
  STORE_SLOT_AMBIGUOUS: exitCodes.usage,
  STORE_SLOT_REFUSED: exitCodes.failed,
  SNAPSHOT_UNKNOWN: exitCodes.failed,
  SNAPSHOT_HELD: exitCodes.failed,
  SNAPSHOT_AMBIGUOUS: exitCodes.usage,
  USAGE: exitCodes.usage,
  CONFIG_INVALID: exitCodes.usage,
  HOME_UNREADABLE: exitCodes.failed,
  HOME_CHANGED: exitCodes.failed,
  DATABASE_UNREACHABLE: exitCodes.failed,
  DATABASE_UNSUPPORTED: exitCodes.failed,
  DATABASE_RIGHTS: exitCodes.failed,
  DATABASE_FAILED: exitCodes.failed,
  APP_UNREACHABLE: exitCodes.failed,
  APP_REFUSED: exitCodes.failed,
  APP_LOCKED: exitCodes.locked,
  APP_NOT_DRAINED: exitCodes.failed,
  APP_CANCELED: exitCodes.failed,
  APP_RUNNING: exitCodes.failed,
  APP_STILL_LOCKED: exitCodes.stillLocked,
  LATCH_LAPSED: exitCodes.failed,
  LATCH_OVERRUN: exitCodes.failed,
  RUN_ACTIVE: exitCodes.locked,
  COMMAND_FAILED: exitCodes.failed,
  PATH_UNKNOWN: exitCodes.failed,
  TARGET_NOT_EMPTY: exitCodes.failed,
  TARGET_FAILED: exitCodes.failed,
  RESTORE_MISMATCH: exitCodes.damaged,
  TOOL_MISSING: exitCodes.failed,
  INTERRUPTED: exitCodes.interrupted,
  TERMINATED: exitCodes.terminated,
};

/** The exit code for an error's code; anything unknown is a plain failure. */
export function exitCodeFor(code: string | undefined): number {
  return (byCode as Record<string, number>)[code ?? ''] ?? exitCodes.failed;
}
