import { StillpointError } from '../../../../store/index.ts';
import { type EngineErrorCode, engineError } from '../../../errors.ts';

/** What a failed statement or connection says; SQLSTATE and the server's own hint where there are any. */
export interface ServerFailure {
  readonly message: string;
  readonly sqlState: string | undefined;
  readonly hint: string | undefined;
  /** Where in the statement, counted in characters from 1. */
  readonly position: number | undefined;
}

/** Reads what pg or the socket threw. Never more than the server's words: a URL or a password must not get through. */
export function failureOf(error: unknown): ServerFailure {
  const one = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const fields = (typeof one === 'object' && one !== null ? one : {}) as Record<string, unknown>;
  const text = (name: string): string | undefined => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const code = text('code');
  const position = Number(text('position'));
  return {
    message: text('message') ?? code ?? 'unknown failure',
    sqlState: code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined,
    hint: text('hint'),
    position: Number.isSafeInteger(position) && position > 0 ? position : undefined,
  };
}

/** What a server without room for so many locks needs. */
export const locksRemedy = 'Raise max_locks_per_transaction of the server and restart it.';

const remedies: Readonly<Record<string, string>> = {
  '53100': 'Make room on the disk of the database server.',
  '53300': 'Raise max_connections of the server: a run needs up to six.',
  '57P02': 'Run it again once the server is back; its log says why it crashed.',
  '57P03': 'Wait until the server has started; then run it again.',
  '25006': 'Give the address of the primary, or set default_transaction_read_only off for the role.',
  '55P03': 'Wait until the session that changes or locks tables has ended, then run it again.',
  '57014': 'Find out who cancels statements on this server, then run it again.',
  '57P01': 'Run it again once the server is back.',
};

const anyRemedy = 'Look into the log of the database server, then run it again.';

/** `Cannot <verb object>: <what the server said>`, with the code that fits its SQLSTATE; passes our own errors on. */
export function databaseError(action: string, error: unknown): StillpointError {
  if (error instanceof StillpointError) return error;
  const { message, sqlState, hint } = failureOf(error);
  const code: EngineErrorCode = sqlState === '42501' ? 'DATABASE_RIGHTS' : 'DATABASE_FAILED';
  const remedy = remedyOf(message, sqlState) ?? hint ?? rightsRemedy(message, sqlState) ?? anyRemedy;
  return engineError(code, `Cannot ${action}: ${message}`, {
    remedy,
    context: sqlState === undefined ? {} : { sqlState },
    cause: error,
  });
}

function remedyOf(message: string, sqlState: string | undefined): string | undefined {
  if (sqlState === '53200')
    return isAboutLocks(message)
      ? locksRemedy
      : 'Give the database server more memory, or its sessions less.';
  return sqlState && remedies[sqlState];
}

/** Locks have their place in the memory that all backends share; the other kind of memory is a backend's own. */
const isAboutLocks = (message: string): boolean => message.includes('shared memory');

/** True where the server has no room for the locks of a run: nobody will make room by ending what he does. */
export function isOutOfLocks(error: unknown): boolean {
  return (
    error instanceof StillpointError && error.context['sqlState'] === '53200' && isAboutLocks(error.message)
  );
}

function rightsRemedy(message: string, sqlState: string | undefined): string | undefined {
  if (sqlState !== '42501') return undefined;
  if (message.includes('row-level security'))
    return 'Let the backup role see every row: ALTER ROLE … BYPASSRLS.';
  if (/must be (member|owner|able)/.test(message))
    return 'Restore as a superuser, or as a role that is a member of the roles that own the objects.';
  return 'Let the backup role read everything: GRANT pg_read_all_data TO ….';
}
