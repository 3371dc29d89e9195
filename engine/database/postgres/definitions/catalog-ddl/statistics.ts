import { type Context, keyOf } from './definitions.ts';
import { present } from './query.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface StatisticsRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly definition: string | null;
  readonly target: string | null;
}

/** CREATE STATISTICS; the figures themselves come from ANALYZE. */
export async function readStatistics({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<StatisticsRow>(
    `SELECT s.oid, ${qualified('n', 's.stxname')} AS name, pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(s.stxowner)) AS owner,
       CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget END AS target
     FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
     WHERE s.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const { oid, name, owner, definition, target } of rows) {
    const key = keyOf('pg_statistic_ext', oid);
    if (members.has(key)) continue;
    const statements = [present(definition)];
    if (target !== null) statements.push(`ALTER STATISTICS ${name} SET STATISTICS ${target}`);
    definitions.add({ kind: 'statistics', name, statements }, key);
    definitions.labels.set(key, `STATISTICS ${name}`);
    definitions.owners.push({ label: `STATISTICS ${name}`, role: owner });
  }
}
