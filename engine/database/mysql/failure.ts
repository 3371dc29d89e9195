import { StillpointError } from '../../../store/index.ts';
import { type EngineErrorCode, engineError } from '../../errors.ts';

/** What a failed statement or connection says. Never more than the server's words: no URL, no statement. */
interface ServerFailure {
  readonly message: string;
  /** The server's number of the error; undefined where it did not speak. */
  readonly number: number | undefined;
}

export const serverErrors = {
  noDatabase: 1049,
  noTable: 1146,
  lockWaitTimeout: 1205,
  noBackupStage: 4146,
} as const;

const rightsErrors = new Set([1044, 1045, 1095, 1142, 1143, 1227, 1370, 1419, 1698]);

const remedies: Readonly<Record<number, string>> = {
  1040: 'Raise max_connections of the server: a run needs four.',
  1045: 'Check user and password.',
  1153: 'Raise max_allowed_packet of the server (SET GLOBAL max_allowed_packet = 1073741824), then run it again.',
  1205: 'Wait until the session that holds the lock has ended, then run it again.',
  1290: 'The server is read-only: give the address of the primary.',
  1419: 'Let the role make functions and triggers: SET GLOBAL log_bin_trust_function_creators = 1, or GRANT SUPER.',
  3024: 'Find out who limits the time of statements on this server, then run it again.',
};

const anyRemedy = 'Look into the log of the database server, then run it again.';

function failureOf(error: unknown): ServerFailure {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const text = (name: string): string | undefined => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const number = fields['errno'];
  const message = text('sqlMessage') ?? text('message') ?? text('code') ?? 'unknown failure';
  return { message, number: typeof number === 'number' && number > 0 ? number : undefined };
}

/** `Cannot <verb object>: <what the server said>`, with the code that fits; passes our own errors on. */
export function databaseError(action: string, error: unknown): StillpointError {
  if (error instanceof StillpointError) return error;
  const { message, number } = failureOf(error);
  const isRight = number !== undefined && rightsErrors.has(number);
  const code: EngineErrorCode = isRight ? 'DATABASE_RIGHTS' : 'DATABASE_FAILED';
  return engineError(code, `Cannot ${action}: ${message}`, {
    remedy:
      (number !== undefined && remedies[number]) || (isRight ? 'Grant what the server names.' : anyRemedy),
    context: number === undefined ? {} : { serverError: number },
    cause: error,
  });
}

/** A connection that could not be opened: what the server refused is DATABASE_RIGHTS, no answer DATABASE_UNREACHABLE. */
export function connectError(address: string, error: unknown): StillpointError {
  const { number } = failureOf(error);
  if (number !== undefined && number > 1000 && number < 2000)
    return databaseError(`connect to ${address}`, error);
  const code = String((error as { readonly code?: unknown } | null)?.code ?? '');
  const isTls = /SSL|TLS|CERT|SIGNATURE|ISSUER/.test(code);
  return engineError('DATABASE_UNREACHABLE', `Cannot connect to ${address}: ${failureOf(error).message}`, {
    remedy: isTls
      ? "Check ssl-mode and ssl-ca of the URL against what the server offers (SHOW VARIABLES LIKE '%ssl%')."
      : code === 'ETIMEDOUT'
        ? 'Check host and port. MariaDB speaks first; where PostgreSQL listens, which has database.type: postgresql, nobody does.'
        : 'Check that the server runs and that host, port or socket are right.',
    cause: error,
  });
}

/** The server's number of what went wrong; undefined where something else did. */
export function serverErrorOf(error: unknown): unknown {
  return error instanceof StillpointError ? error.context['serverError'] : undefined;
}
