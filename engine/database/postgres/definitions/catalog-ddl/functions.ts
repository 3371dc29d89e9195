import { type Context, keyOf } from './definitions.ts';
import { present } from './query.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface FunctionRow {
  readonly oid: string;
  readonly signature: string;
  readonly owner: string;
  readonly kind: 'f' | 'p' | 'w';
  readonly definition: string | null;
}

/** Functions and procedures, but for those that come with a type. A library's own need files that no database holds. */
export async function readFunctions({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<FunctionRow>(
    `SELECT p.oid, p.prokind AS kind,
       ${qualified('n', 'p.proname')} || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS signature,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.proowner)) AS owner,
       pg_catalog.pg_get_functiondef(p.oid) AS definition
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE p.oid >= ${firstUserOid} AND p.prokind <> 'a' AND ${isUserSchema('n')} AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
         AND d.objid = p.oid AND d.deptype = 'i')`,
  );
  for (const { oid, signature, owner, kind, definition } of rows) {
    const key = keyOf('pg_proc', oid);
    if (members.has(key)) continue;
    const label = `${kind === 'p' ? 'PROCEDURE' : 'FUNCTION'} ${signature}`;
    definitions.add({ kind: 'function', name: signature, statements: [present(definition).trimEnd()] }, key);
    definitions.labels.set(key, label);
    definitions.grantLabels.set(key, label);
    definitions.owners.push({ label, role: owner });
  }
}
