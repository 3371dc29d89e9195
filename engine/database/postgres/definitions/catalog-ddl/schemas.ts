import { type Context, keyOf } from './definitions.ts';
import { isUserSchema } from './sql.ts';

interface SchemaRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly description: string | null;
  /** Whether the owner is the one that a fresh database gives. */
  readonly initial: 't' | 'f';
}

const initialComment = `'standard public schema'`;

/** Schemas. `public` comes with every database, so only its differences are written. */
export async function readSchemas({ select, server, definitions, members }: Context): Promise<void> {
  // 15 gave public to pg_database_owner; before, it was the bootstrap superuser's, whatever that is called.
  const initialOwner =
    server.versionNumber >= 150_000 ? `pg_catalog.to_regrole('pg_database_owner')::pg_catalog.oid` : '10';
  const rows = await select<SchemaRow>(
    `SELECT n.oid, pg_catalog.quote_ident(n.nspname) AS name, n.nspowner = ${initialOwner} AS initial,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.nspowner)) AS owner,
       pg_catalog.quote_literal(pg_catalog.obj_description(n.oid, 'pg_namespace')) AS description
     FROM pg_catalog.pg_namespace n WHERE ${isUserSchema('n')}`,
  );
  for (const { oid, name, owner, initial, description } of rows) {
    const key = keyOf('pg_namespace', oid);
    if (members.has(key)) continue;
    const label = `SCHEMA ${name}`;
    definitions.grantLabels.set(key, label);
    if (name !== 'public') {
      definitions.add({ kind: 'schema', name, statements: [`CREATE SCHEMA ${name}`] }, key);
      definitions.labels.set(key, label);
      definitions.owners.push({ label, role: owner });
      continue;
    }
    definitions.claims.set(key, null);
    if (initial === 'f') definitions.owners.push({ label, role: owner });
    if (description !== initialComment) {
      const statements = [`COMMENT ON SCHEMA public IS ${description ?? 'NULL'}`];
      definitions.add({ kind: 'comment', name: label, statements });
    }
  }
}
