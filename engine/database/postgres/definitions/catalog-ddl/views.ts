import { type Context, keyOf } from './definitions.ts';
import { present } from './query.ts';
import type { Relations } from './relations.ts';
import { firstUserOid, inTablespace, joinUserRelation } from './sql.ts';

/**
 * Views and materialized views, the latter without their rows. A view that leans on a key (GROUP BY a primary key alone)
 * can only exist once the key does; the order of dependencies then moves it, and what leans on it, behind the rows.
 */
export async function readViews({ select, definitions }: Context, relations: Relations): Promise<void> {
  const rows = await select<{ oid: string; rule: string; definition: string | null }>(
    `SELECT rel.oid, r.oid AS rule, pg_catalog.pg_get_viewdef(rel.oid) AS definition
     FROM pg_catalog.pg_rewrite r ${joinUserRelation('r.ev_class')}
     WHERE r.oid >= ${firstUserOid} AND r.rulename = '_RETURN'`,
  );
  for (const { oid, rule, definition } of rows) {
    const view = relations.get(oid);
    if (!view) continue; // of a kind that is refused
    const body = present(definition).trimEnd().replace(/;$/, '');
    const options = view.options === null ? '' : ` WITH (${view.options})`;
    const method =
      view.accessMethod === null || view.accessMethod === 'heap' ? '' : ` USING ${view.accessMethod}`;
    const statement =
      view.kind === 'v'
        ? `CREATE VIEW ${view.name}${options} AS\n${body}`
        : `CREATE MATERIALIZED VIEW ${view.name}${method}${options} AS\n${body}\nWITH NO DATA`;
    const kind = view.kind === 'v' ? 'view' : 'materialized view';
    const statements = inTablespace(view.tablespace, [statement]);
    definitions.add({ kind, name: view.name, statements }, view.key, keyOf('pg_rewrite', rule));
  }
}
