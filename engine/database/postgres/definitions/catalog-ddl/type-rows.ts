import { type Context, keyOf, type ObjectKey } from './definitions.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

/** What every kind of type has in common. */
export interface TypeRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
}

/** The columns that every kind of type has in common, and where they come from. */
export const typeColumns = `t.oid, ${qualified('n', 't.typname')} AS name,
  pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(t.typowner)) AS owner`;
export const typeTables = `pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`;
export const typeWhere = `t.oid >= ${firstUserOid} AND ${isUserSchema('n')}`;

/** Whether it comes with an extension. */
export function isMember({ members }: Context, { oid }: TypeRow): boolean {
  return members.has(keyOf('pg_type', oid));
}

/** Notes how a type is named in statements about it. */
export function labelType({ definitions }: Context, { oid, name, owner }: TypeRow, kind = 'TYPE'): ObjectKey {
  const key = keyOf('pg_type', oid);
  definitions.labels.set(key, `${kind} ${name}`);
  definitions.grantLabels.set(key, `TYPE ${name}`);
  definitions.owners.push({ label: `${kind} ${name}`, role: owner });
  return key;
}
