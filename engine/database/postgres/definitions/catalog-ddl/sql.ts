/** The first oid that initdb does not use: FirstNormalObjectId of PostgreSQL's transam.h. */
export const firstUserOid = 16_384;

/** True of a schema (an alias of pg_namespace) that may hold user objects: no system schema, nobody's temporary one. */
export function isUserSchema(alias: string): string {
  return `(${alias}.nspname !~ '^pg_' AND ${alias}.nspname <> 'information_schema')`;
}

/** Narrows a query to the relations of users: what is temporary may be gone before it is looked at. */
export function joinUserRelation(column: string): string {
  return `JOIN pg_catalog.pg_class rel ON rel.oid = ${column}
    JOIN pg_catalog.pg_namespace sch ON sch.oid = rel.relnamespace AND ${isUserSchema('sch')}`;
}

/** The quoted, qualified name of something in a schema. */
export function qualified(schemaAlias: string, column: string): string {
  return `pg_catalog.format('%I.%I', ${schemaAlias}.nspname, ${column})`;
}

/** The collation clause of a column or type whose collation is not its type's own; null otherwise. */
export function collationName(collation: string, typeCollation: string): string {
  return `CASE WHEN ${collation} <> 0 AND ${collation} <> ${typeCollation} THEN (
    SELECT pg_catalog.format('%I.%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
    JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = ${collation}) END`;
}

/** Options such as reloptions, as they stand between the parentheses of WITH; null when there are none. */
export function optionList(array: string, prefix = ''): string {
  const value = `pg_catalog.substr(o, pg_catalog.strpos(o, '=') + 1)`;
  return `(SELECT pg_catalog.string_agg('${prefix}' || pg_catalog.quote_ident(pg_catalog.split_part(o, '=', 1)) || '='
    || CASE WHEN pg_catalog.quote_ident(${value}) = ${value} THEN ${value} ELSE pg_catalog.quote_literal(${value}) END,
    ', ' ORDER BY nr) FROM pg_catalog.unnest(${array}) WITH ORDINALITY AS u(o, nr))`;
}

/** Statements that make something in a tablespace; null: in the database's own, where everything is made otherwise. */
export function inTablespace(tablespace: string | null, statements: readonly string[]): readonly string[] {
  if (tablespace === null) return statements;
  return [`SET default_tablespace = ${tablespace}`, ...statements, `SET default_tablespace = ''`];
}
