import { isOwnerPair, ownersNamed } from '../outline/owners.ts';
import { statementsOf, type Wanted } from '../outline/wanted.ts';
import { literal } from '../sql/quoting.ts';
import type { Lack, ServerState } from './check-server.ts';
import { extensionsOf } from './lacks-of-server.ts';

/** What only a superuser may make; the extensions among them say so themselves. */
const ofSuperusers: readonly (readonly [kind: string, statement: RegExp])[] = [
  ['event triggers', /^create event trigger\b/],
  ['foreign-data wrappers', /^create foreign data wrapper\b/],
  ['casts without a function', /^create cast\b[^;]* without function\b/],
  ['operator classes', /^create operator (class|family)\b/],
];

/** Where a statement says what it makes. */
const shownMax = 300;

interface Row {
  readonly name: string;
  readonly quoted: string;
  readonly isSuper: boolean;
  readonly mayCreate: boolean;
}

/** What the role that restores may not do. */
export async function lacksOfRole(state: ServerState, wanted: Wanted): Promise<Lack[]> {
  const { connection, isThere } = state;
  const action = 'ask for the rights of the role';
  const [role] = await connection.rows<Row>(
    action,
    `SELECT rolname AS name, pg_catalog.quote_ident(rolname) AS quoted, rolsuper AS "isSuper",
      rolcreatedb AS "mayCreate" FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER`,
  );
  if (!role || role.isSuper) return [];
  const statements = [...statementsOf(wanted.definitions)];
  const lacks: Lack[] = [];
  const lack = (found: string, remedy: string): void =>
    void lacks.push({ code: 'DATABASE_RIGHTS', found, remedy });
  if (!isThere && !role.mayCreate)
    lack(`${role.name} may not create databases`, `ALTER ROLE ${role.quoted} CREATEDB;`);

  const given = wanted.record.databaseSql
    .filter(isOwnerPair)
    .map(([before, after]) => `${before}"name"${after};`);
  const owners = [...ownersNamed([...statements, ...(isThere ? [] : given)])];
  const foreign = await connection.rows<{ owner: string; quoted: string }>(
    action,
    // Since 16 a member may be one that cannot act as the role.
    `SELECT r.rolname AS owner, pg_catalog.quote_ident(r.rolname) AS quoted FROM pg_catalog.pg_roles r
     WHERE r.rolname = ANY (ARRAY[${owners.map(literal).join(', ')}]::pg_catalog.text[])
       AND NOT pg_catalog.pg_has_role(r.oid, '${connection.serverVersionNumber >= 160_000 ? 'SET' : 'MEMBER'}')`,
  );
  if (foreign.length > 0)
    lack(
      `${role.name} cannot give things to ${foreign.map(one => one.owner).join(', ')}`,
      `GRANT ${foreign.map(one => one.quoted).join(', ')} TO ${role.quoted};`,
    );

  const extensions = extensionsOf(statements);
  const closed = await connection.rows<{ name: string }>(
    action,
    `SELECT e.name::text AS name FROM pg_catalog.pg_available_extensions e
     JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
     WHERE v.superuser AND NOT v.trusted
       AND e.name = ANY (ARRAY[${extensions.map(literal).join(', ')}]::pg_catalog.name[])`,
  );
  const texts = statements.map(one =>
    one
      .replace(/^(\s*--[^\n]*\n|\s+)+/, '')
      .slice(0, shownMax)
      .replace(/\s+/g, ' ')
      .toLowerCase(),
  );
  const kinds = ofSuperusers
    .filter(([, pattern]) => texts.some(text => pattern.test(text)))
    .map(([kind]) => kind);
  const rest = [...closed.map(({ name }) => `the extension ${name}`), ...kinds];
  if (rest.length > 0)
    lack(
      `${role.name} may not make ${rest.join(', ')}`,
      `Restore as a superuser, who alone may make ${rest.join(', ')}.`,
    );
  return lacks;
}
