import { type Context, keyOf } from './definitions.ts';
import { present } from './query.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface FunctionRow {
  readonly oid: string;
  readonly signature: string;
  readonly owner: string;
  readonly kind: 'f' | 'p' | 'w' | 'a';
  readonly language: string;
  readonly definition: string | null;
}

/** Functions and procedures in SQL and PL/pgSQL; a library's own functions need files that no database holds. */
const languages = ['sql', 'plpgsql'];

/** Functions and procedures, but for those that come with a type. */
export async function readFunctions({ select, definitions }: Context): Promise<void> {
  const rows = await select<FunctionRow>(
    `SELECT p.oid, p.prokind AS kind, l.lanname AS language,
       ${qualified('n', 'p.proname')} || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS signature,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.proowner)) AS owner,
       CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid) END AS definition
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
       JOIN pg_catalog.pg_language l ON l.oid = p.prolang
     WHERE p.oid >= ${firstUserOid} AND ${isUserSchema('n')} AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
         AND d.objid = p.oid AND d.deptype = 'i')`,
  );
  for (const { oid, signature, owner, kind, language, definition } of rows) {
    const key = keyOf('pg_proc', oid);
    if (kind === 'a') {
      definitions.refuse(key, `aggregate ${signature}`);
    } else if (!languages.includes(language)) {
      definitions.refuse(key, `function ${signature} in language ${language}`);
    } else {
      const label = `${kind === 'p' ? 'PROCEDURE' : 'FUNCTION'} ${signature}`;
      definitions.add(
        { kind: 'function', name: signature, statements: [present(definition).trimEnd()] },
        key,
      );
      definitions.labels.set(key, label);
      definitions.grantLabels.set(key, label);
      definitions.owners.push({ label, role: owner });
    }
  }
}
