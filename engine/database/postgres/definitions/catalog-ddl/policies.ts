import { type Context, keyOf } from './definitions.ts';
import type { Relations } from './relations.ts';
import { joinUserRelation } from './sql.ts';

interface PolicyRow {
  readonly oid: string;
  readonly name: string;
  readonly relation: string;
  readonly command: '*' | 'r' | 'a' | 'w' | 'd';
  readonly permissive: 't' | 'f';
  readonly roles: string;
  readonly using: string | null;
  readonly check: string | null;
}

const commands = { '*': 'ALL', r: 'SELECT', a: 'INSERT', w: 'UPDATE', d: 'DELETE' } as const;

/** Row-level security: whether it is in force, and its policies. */
export async function readPolicies({ select, definitions }: Context, relations: Relations): Promise<void> {
  for (const { name, key, security } of relations.values()) {
    if (security.length === 0) continue;
    const statements = security.map(word => `ALTER TABLE ${name} ${word} ROW LEVEL SECURITY`);
    definitions.add({ kind: 'table settings', name: `${name} row-level security`, statements, after: [key] });
  }
  const rows = await select<PolicyRow>(
    `SELECT p.oid, pg_catalog.quote_ident(p.polname) AS name, p.polrelid AS relation, p.polcmd AS command, p.polpermissive AS permissive,
       (SELECT pg_catalog.string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ' ORDER BY nr)
         FROM pg_catalog.unnest(p.polroles) WITH ORDINALITY AS u(r, nr)) AS roles,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using, pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check
     FROM pg_catalog.pg_policy p ${joinUserRelation('p.polrelid')}`,
  );
  for (const { oid, name, relation, command, permissive, roles, using, check } of rows) {
    const table = relations.get(relation);
    if (!table) continue; // an extension's, or of a kind that is refused
    const clauses = [
      `CREATE POLICY ${name} ON ${table.name}`,
      permissive === 't' ? '' : ' AS RESTRICTIVE',
      ` FOR ${commands[command]} TO ${roles}`,
      using === null ? '' : ` USING (${using})`,
      check === null ? '' : ` WITH CHECK (${check})`,
    ];
    const key = keyOf('pg_policy', oid);
    const label = `${name} ON ${table.name}`;
    definitions.add({ kind: 'policy', name: label, statements: [clauses.join('')], after: [table.key] }, key);
    definitions.labels.set(key, `POLICY ${label}`);
  }
}
