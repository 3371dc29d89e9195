import { splitStatements } from '../sql/statements.ts';

const identity =
  /^(?:\s|--[^\n]*\n)*ALTER TABLE \S[\s\S]* ADD GENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY \(/;
const logged = /\n {4}LOGGED\n/;

/**
 * Definitions as a server takes them that is older than the pg_dump which wrote them. Before 15 a sequence was always
 * logged, and there was no word for it; a newer pg_dump says it of the identities of unlogged tables.
 */
export function statementsFor(serverVersionNumber: number, sql: string): string[] {
  const statements = [...splitStatements(sql)];
  if (serverVersionNumber >= 150_000) return statements;
  return statements.map(one => (identity.test(one) ? one.replace(logged, '\n') : one));
}
