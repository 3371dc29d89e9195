import type { SequenceValue } from '../entries/entry.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { identifier, literal, qualified } from './quoting.ts';
import { splitStatements } from './statements.ts';

/** The statement that takes a table's rows as they are stored: COPY text in the encoding of the database backed up. */
export function copyFromSql(
  relation: Pick<RelationEntry, 'schema' | 'name' | 'columns' | 'loadThrough'>,
  { encoding, freeze = false }: { readonly encoding: string; readonly freeze?: boolean },
): string {
  const columns = relation.columns.map(identifier).join(', ');
  return `COPY ${qualified(relation.loadThrough ?? relation)}${columns === '' ? '' : ` (${columns})`} FROM STDIN (FORMAT text, ENCODING ${literal(encoding)}${freeze ? ', FREEZE' : ''})`;
}

/** Gives a sequence its value. */
export const setvalSql = (one: SequenceValue): string =>
  `SELECT pg_catalog.setval(${literal(qualified(one))}::pg_catalog.regclass, ${one.lastValue}, ${one.isCalled})`;

/** `CREATE EVENT TRIGGER` and what is said of one, after comments. */
const eventTrigger = /^(\s*--[^\n]*\n|\s+)*(CREATE|ALTER|COMMENT\s+ON)\s+EVENT\s+TRIGGER\b/i;

/** Event triggers would see what is still to be done; they come last, as they do from pg_dump. */
export function splitPostData(sql: string): {
  readonly after: readonly string[];
  readonly last: readonly string[];
} {
  const statements = [...splitStatements(sql)];
  const found = statements.findIndex(statement => eventTrigger.test(statement));
  const watched = found < 0 ? statements.length : found;
  return { after: statements.slice(0, watched), last: statements.slice(watched) };
}

/** Materialized views that held something, each after those that it reads. */
export const refreshOrder = (relations: readonly RelationEntry[]): RelationEntry[] =>
  relations.filter(one => one.refreshOrder !== null).sort((a, b) => a.refreshOrder! - b.refreshOrder!);
