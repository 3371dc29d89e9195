import { identifier } from '../sql/quoting.ts';
import { leadingWords, splitStatements } from '../sql/statements.ts';

/** The only way in which a dump says where the next tables and indexes are to lie. */
const setting = /(\bSET default_tablespace = )("(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?=;)/u;

/** Definitions with other tablespaces. */
export function withTablespaces(sql: string, names: ReadonlyMap<string, string> | undefined): string {
  if (!names || names.size === 0) return sql;
  return [...splitStatements(sql)]
    .map(statement => {
      const old = tablespaceOf(statement);
      const name = old === undefined ? undefined : names.get(old);
      return name === undefined
        ? statement
        : statement.replace(setting, (_, start: string) => `${start}${identifier(name)}`);
    })
    .join('');
}

/** Where a statement wants the next tables to lie; undefined: it does not say, or where the database lies. */
export function tablespaceOf(statement: string): string | undefined {
  if (leadingWords(statement, 2).join(' ') !== 'set default_tablespace') return undefined;
  const name = setting.exec(statement)?.[2];
  return name?.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
