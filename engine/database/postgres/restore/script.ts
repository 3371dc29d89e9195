import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';
import { splitStatements } from '../sql/statements.ts';

/** In one transaction: few enough that their locks fit, many enough that commits do not matter. */
const statementsPerBatch = 100;
const shownCharacters = 100;

/** Runs definitions. A failure names the statement: DATABASE_FAILED, DATABASE_RIGHTS. */
export async function runDefinitions(
  connection: Connection,
  action: string,
  sql: string | readonly string[],
): Promise<void> {
  const statements = typeof sql === 'string' ? [...splitStatements(sql)] : sql;
  for (let from = 0; from < statements.length; from += statementsPerBatch)
    await runBatch(connection, action, statements.slice(from, from + statementsPerBatch));
}

const foreignKeyViolation = '23503';

/** As runDefinitions, where rows are missing: a foreign key that they break is not made, and said. */
export async function runWhatHolds(
  connection: Connection,
  action: string,
  statements: readonly string[],
): Promise<string[]> {
  const broken: string[] = [];
  for (const statement of statements) {
    try {
      await runBatch(connection, action, [statement]);
    } catch (error) {
      const isBroken = error instanceof StillpointError && error.context['sqlState'] === foreignKeyViolation;
      if (!isBroken) throw error;
      broken.push(`Not made, since rows are lost: ${shown(statement)}`);
    }
  }
  return broken;
}

/** Within a transaction that is open: one by one, since the first that fails ends it. */
export async function runInTransaction(connection: Connection, action: string, sql: string): Promise<void> {
  for (const statement of splitStatements(sql)) {
    try {
      await connection.script(action, [statement]);
    } catch (error) {
      if (!(error instanceof StillpointError) || connection.isLost) throw error;
      throw named(error, statement);
    }
  }
}

/** One statement in a transaction of its own, after settings that end with it. */
export async function runAlone(
  connection: Connection,
  action: string,
  { statement, settings }: { readonly statement: string; readonly settings: readonly string[] },
): Promise<void> {
  try {
    await connection.script(action, ['BEGIN', [...settings, statement].join(''), 'COMMIT']);
  } catch (error) {
    if (!(error instanceof StillpointError) || connection.isLost) throw error;
    throw named(error, statement);
  }
}

async function runBatch(
  connection: Connection,
  action: string,
  statements: readonly string[],
): Promise<void> {
  try {
    await connection.script(action, [statements.join('')]);
    return;
  } catch (error) {
    if (connection.isLost) throw error;
  }
  // The batch is undone as a whole; one by one they show which it was.
  for (const statement of statements) {
    try {
      await connection.script(action, [statement]);
    } catch (error) {
      if (!(error instanceof StillpointError) || connection.isLost) throw error;
      throw named(error, statement);
    }
  }
}

function named(error: StillpointError, statement: string): Error {
  return engineError(
    error.code === 'DATABASE_RIGHTS' ? 'DATABASE_RIGHTS' : 'DATABASE_FAILED',
    `${error.message}, in: ${shown(statement)}`,
    {
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      context: error.context,
      cause: error,
    },
  );
}

function shown(statement: string): string {
  const bare = statement
    .replace(/^(\s*--[^\n]*\n|\s+)+/, '')
    .replace(/\s+/g, ' ')
    .trim();
  // A user mapping or subscription has its password there.
  const secret = /\b(OPTIONS|CONNECTION|PASSWORD)\b/i.exec(bare)?.index;
  if (secret !== undefined && secret < shownCharacters) return `${bare.slice(0, secret)}…`;
  return bare.length > shownCharacters ? `${bare.slice(0, shownCharacters)}…` : bare;
}
