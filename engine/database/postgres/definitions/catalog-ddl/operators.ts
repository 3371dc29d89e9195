import { type Context, keyOf } from './definitions.ts';
import { firstUserOid, isUserSchema } from './sql.ts';

interface OperatorRow {
  readonly oid: string;
  readonly name: string;
  readonly left: string | null;
  readonly right: string | null;
  readonly owner: string;
  readonly isDefined: 't' | 'f';
  readonly options: string;
}

/** Operators. One that is only named by another, as its commutator say, comes with that. */
export async function readOperators({ select, definitions, members }: Context): Promise<void> {
  const named = (column: string, word: string): string =>
    `(SELECT '${word} = OPERATOR(' || pg_catalog.quote_ident(xn.nspname) || '.' || x.oprname || ')' FROM pg_catalog.pg_operator x
      JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = o.${column})`;
  const call = (column: string, word: string): string =>
    `CASE WHEN o.${column} <> 0 THEN '${word} = ' || o.${column}::pg_catalog.regproc::text END`;
  const type = (column: string): string =>
    `CASE WHEN o.${column} <> 0 THEN pg_catalog.format_type(o.${column}, NULL) END`;
  const rows = await select<OperatorRow>(
    `SELECT o.oid, pg_catalog.quote_ident(n.nspname) || '.' || o.oprname AS name, ${type('oprleft')} AS left, ${type('oprright')} AS right,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o.oprowner)) AS owner, o.oprcode <> 0 AS "isDefined",
       pg_catalog.concat_ws(', ', ${call('oprcode', 'FUNCTION')}, 'LEFTARG = ' || ${type('oprleft')}, 'RIGHTARG = ' || ${type('oprright')},
         ${named('oprcom', 'COMMUTATOR')}, ${named('oprnegate', 'NEGATOR')}, ${call('oprrest', 'RESTRICT')}, ${call('oprjoin', 'JOIN')},
         CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END) AS options
     FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
     WHERE o.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const { oid, name, left, right, owner, isDefined, options } of rows) {
    const key = keyOf('pg_operator', oid);
    if (members.has(key)) continue;
    if (isDefined === 'f') {
      definitions.claims.set(key, null);
      continue;
    }
    const signature = `${name} (${left ?? 'NONE'}, ${right ?? 'NONE'})`;
    definitions.add(
      { kind: 'operator', name: signature, statements: [`CREATE OPERATOR ${name} (${options})`] },
      key,
    );
    definitions.labels.set(key, `OPERATOR ${signature}`);
    definitions.owners.push({ label: `OPERATOR ${signature}`, role: owner });
  }
}
