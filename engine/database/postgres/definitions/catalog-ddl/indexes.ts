import { type Context, keyOf } from './definitions.ts';
import { type Flag, present } from './query.ts';
import type { Relations } from './relations.ts';
import { firstUserOid, inTablespace, isUserSchema, qualified } from './sql.ts';

interface IndexRow {
  readonly oid: string;
  readonly name: string;
  readonly quoted: string;
  readonly relation: string;
  readonly definition: string | null;
  readonly tablespace: string | null;
  readonly constrains: Flag;
  readonly is_valid: Flag;
  readonly clusters: Flag;
  readonly identifies: Flag;
  readonly parent: string | null;
  readonly parent_name: string | null;
  /** [[position, target], …] */
  readonly statistics: string;
}

/**
 * Indexes that no constraint makes, how a partition's belong to the whole's, and what a table says of its indexes. One
 * that a broken CREATE INDEX CONCURRENTLY left behind holds nothing and is left out, as pg_dump does.
 */
export async function readIndexes(context: Context, relations: Relations): Promise<void> {
  const rows = await context.select<IndexRow>(
    `SELECT c.oid, ${qualified('n', 'c.relname')} AS name, pg_catalog.quote_ident(c.relname) AS quoted,
       i.indrelid AS relation, pg_catalog.pg_get_indexdef(c.oid) AS definition,
       (SELECT pg_catalog.quote_ident(s.spcname) FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace,
       (i.indisvalid AND i.indisready) OR c.relkind = 'I' AS is_valid,
       i.indisclustered AS clusters, i.indisreplident AS identifies,
       EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
         AND k.conrelid = i.indrelid) AS constrains,
       h.inhparent AS parent, (SELECT ${qualified('pn', 'p.relname')} FROM pg_catalog.pg_class p
         JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE p.oid = h.inhparent) AS parent_name,
       (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum), '[]')
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0) AS statistics
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid
     WHERE c.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const row of rows) addIndex(context, row, relations);
  addReplicaIdentities(context, relations, rows);
}

function addIndex({ definitions, members }: Context, row: IndexRow, relations: Relations): void {
  const key = keyOf('pg_class', row.oid);
  if (members.has(key)) return;
  if (row.is_valid === 'f') {
    definitions.claims.set(key, null);
    return;
  }
  definitions.labels.set(key, `INDEX ${row.name}`);
  if (row.constrains === 'f')
    definitions.add(
      { kind: 'index', name: row.name, statements: inTablespace(row.tablespace, [present(row.definition)]) },
      key,
    );
  if (row.parent !== null)
    definitions.add({
      kind: 'index of a partition',
      name: row.name,
      statements: [`ALTER INDEX ${row.parent_name} ATTACH PARTITION ${row.name}`],
      after: [key, keyOf('pg_class', row.parent)],
    });
  const targets = JSON.parse(row.statistics) as [number, number][];
  const table = relations.get(row.relation)?.name;
  const statements = targets.map(
    ([position, target]) => `ALTER INDEX ${row.name} ALTER COLUMN ${position} SET STATISTICS ${target}`,
  );
  if (row.clusters === 't') statements.push(`ALTER TABLE ${table} CLUSTER ON ${row.quoted}`);
  if (statements.length > 0)
    definitions.add({ kind: 'table settings', name: `${table} ${row.name}`, statements, after: [key] });
}

/** REPLICA IDENTITY; one whose index is gone identifies nothing. */
function addReplicaIdentities(
  { definitions }: Context,
  relations: Relations,
  indexes: readonly IndexRow[],
): void {
  const identifying = new Map(
    indexes.filter(row => row.identifies === 't').map(row => [row.relation, row] as const),
  );
  for (const { oid, key, kind, name, replicaIdentity } of relations.values()) {
    if (replicaIdentity === 'd' || kind === 'v' || kind === 'f') continue;
    const index = replicaIdentity === 'i' ? identifying.get(oid) : undefined;
    const what = index ? `USING INDEX ${index.quoted}` : replicaIdentity === 'f' ? 'FULL' : 'NOTHING';
    const statements = [`ALTER TABLE ONLY ${name} REPLICA IDENTITY ${what}`];
    const after = index ? [key, keyOf('pg_class', index.oid)] : [key];
    definitions.add({ kind: 'table settings', name: `${name} replica identity`, statements, after });
  }
}
