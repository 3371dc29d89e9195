import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';

/** What the catalogs say of a relation and this role. */
export interface RelationRights {
  readonly schema: string;
  readonly name: string;
  readonly relkind: string;
  readonly readable: boolean;
  /** Row-level security keeps rows from this role. */
  readonly hidden: boolean;
}

const namedMax = 10;

/** As `has_table_privilege`, for large objects one by one: the server has such a function from 18 on only. */
const lackingObjectsSql = `
  SELECT pg_catalog.count(*)::int AS lacking FROM pg_catalog.pg_largeobject_metadata m
  WHERE pg_catalog.current_setting('lo_compat_privileges') = 'off'
    AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a
      WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))`;

/** Everything that this role lacks, in one message and with the statements that give it. DATABASE_RIGHTS. */
export async function checkRights(
  connection: Connection,
  what: { readonly relations: readonly RelationRights[]; readonly mayReadPages: boolean },
): Promise<void> {
  // The definition of a foreign table is all that is taken of it.
  const unreadable = what.relations.filter(one => one.relkind !== 'f' && !one.readable).map(label);
  const hidden = what.relations.filter(one => one.hidden).map(label);
  const objects = what.mayReadPages ? 0 : await countLackingObjects(connection);
  if (unreadable.length + hidden.length + objects === 0) return;
  const { plain, quoted } = await roleOf(connection);
  const closed = [
    ...(unreadable.length > 0 ? [listed(unreadable, namedMax)] : []),
    ...(objects > 0 ? [`${objects} large objects`] : []),
  ];
  const lacks = [
    ...(closed.length > 0 ? [`${plain} may not read ${closed.join(', nor ')}`] : []),
    ...(hidden.length > 0
      ? [`row-level security hides rows of ${listed(hidden, namedMax)} from ${plain}`]
      : []),
  ];
  const grants = [
    ...(closed.length > 0 ? [`GRANT pg_read_all_data TO ${quoted};`] : []),
    ...(hidden.length > 0 ? [`ALTER ROLE ${quoted} BYPASSRLS;`] : []),
  ];
  throw engineError('DATABASE_RIGHTS', `Cannot back up the database: ${lacks.join('; ')}`, {
    remedy: `As a superuser: ${grants.join(' ')}`,
    context: { unreadable, hidden, largeObjects: objects, grants },
  });
}

async function countLackingObjects(connection: Connection): Promise<number> {
  const [row] = await connection.rows<{ lacking: number }>('look at large objects', lackingObjectsSql);
  return row!.lacking;
}

async function roleOf(connection: Connection): Promise<{ plain: string; quoted: string }> {
  const [row] = await connection.rows<{ plain: string; quoted: string }>(
    'ask for the role',
    'SELECT current_user::text AS plain, pg_catalog.quote_ident(current_user) AS quoted',
  );
  return row!;
}

function label(one: RelationRights): string {
  return `${one.schema}.${one.name}`;
}

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[], max = 3): string {
  const shown = names.slice(0, max).join(', ');
  return names.length > max ? `${shown} and ${names.length - max} more` : shown;
}
