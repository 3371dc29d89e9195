import { type Column, readColumns } from './columns.ts';
import { type Context, keyOf, type ObjectKey } from './definitions.ts';
import { foreignOptions } from './foreign.ts';
import { type Flag, present } from './query.ts';
import { firstUserOid, isUserSchema, optionList, qualified } from './sql.ts';

/** A table, partitioned or foreign table, view or materialized view. */
export interface Relation {
  readonly key: ObjectKey;
  readonly oid: string;
  readonly kind: 'r' | 'p' | 'v' | 'm' | 'f';
  readonly name: string;
  readonly owner: string;
  readonly persistence: 'p' | 'u';
  readonly isPartition: boolean;
  /** FOR VALUES …, of a partition. */
  readonly bound: string | null;
  /** RANGE (…), of a partitioned table. */
  readonly partitionKey: string | null;
  readonly accessMethod: string | null;
  readonly options: string | null;
  readonly replicaIdentity: 'd' | 'n' | 'f' | 'i';
  /** The type of a table made OF a type. */
  readonly ofType: string | null;
  /** Oids of the tables that this one inherits from or is a partition of, in order. */
  readonly parents: readonly string[];
  readonly columns: readonly Column[];
  /** Where it is not in the database's own. */
  readonly tablespace: string | null;
  /** SERVER … OPTIONS (…), of a foreign table. */
  readonly server: string | null;
  /** ENABLE, FORCE: what there is of row-level security. */
  readonly security: readonly string[];
}

export type Relations = ReadonlyMap<string, Relation>;

interface RelationRow {
  readonly oid: string;
  readonly kind: Relation['kind'];
  readonly name: string;
  readonly owner: string;
  readonly persistence: 'p' | 'u';
  readonly is_partition: Flag;
  readonly bound: string | null;
  readonly partition_key: string | null;
  readonly access_method: string | null;
  readonly options: string | null;
  readonly toast_options: string | null;
  readonly replica_identity: Relation['replicaIdentity'];
  readonly of_type: string | null;
  readonly parents: string;
  readonly secured: Flag;
  readonly forced: Flag;
  readonly tablespace: string | null;
  readonly server: string | null;
  readonly detaching: Flag;
}

const kindNames = { r: 'TABLE', p: 'TABLE', v: 'VIEW', m: 'MATERIALIZED VIEW', f: 'FOREIGN TABLE' } as const;

/** Everything with columns, by oid, with how it is named in statements about it. */
export async function readRelations(context: Context): Promise<Relations> {
  const { select, definitions, members } = context;
  const rows = await select<RelationRow>(
    `SELECT c.oid, c.relkind AS kind, ${qualified('n', 'c.relname')} AS name, c.relpersistence AS persistence,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) AS owner, c.relispartition AS is_partition,
       pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound,
       CASE c.relkind WHEN 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partition_key,
       pg_catalog.quote_ident(am.amname) AS access_method, ${optionList('c.reloptions')} AS options,
       ${optionList('toast.reloptions', 'toast.')} AS toast_options, c.relreplident AS replica_identity,
       CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END AS of_type,
       coalesce(i.parents, '[]') AS parents, coalesce(i.detaching, false) AS detaching,
       c.relrowsecurity AS secured, c.relforcerowsecurity AS forced,
       (SELECT pg_catalog.quote_ident(s.spcname) FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace,
       'SERVER ' || pg_catalog.quote_ident(fs.srvname) || ${foreignOptions('ft.ftoptions')} AS server
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
       LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
       LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
       LEFT JOIN LATERAL (SELECT pg_catalog.json_agg(inhparent::text ORDER BY inhseqno)::text AS parents,
         pg_catalog.bool_or(inhdetachpending) AS detaching
         FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid) i ON true
     WHERE c.oid >= ${firstUserOid} AND ${isUserSchema('n')} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
  );
  const columns = await readColumns(context);
  const relations = new Map<string, Relation>();
  for (const row of rows) {
    if (members.has(keyOf('pg_class', row.oid))) continue;
    const relation = relationOf(row, columns.get(row.oid) ?? []);
    relations.set(row.oid, relation);
    const label = `${kindNames[row.kind]} ${row.name}`;
    definitions.labels.set(relation.key, label);
    definitions.grantLabels.set(relation.key, `TABLE ${row.name}`);
    definitions.columnOwners.set(relation.key, row.name);
    definitions.owners.push({ label, role: row.owner });
    if (row.detaching === 't')
      definitions.refuse(relation.key, `unfinished detaching of partition ${row.name}`);
  }
  return relations;
}

function relationOf(row: RelationRow, columns: readonly Column[]): Relation {
  const { oid, kind, name, owner, persistence, bound, options, tablespace } = row;
  return {
    key: keyOf('pg_class', oid),
    ...{ oid, kind, name, owner, persistence, bound, columns, tablespace },
    isPartition: row.is_partition === 't',
    partitionKey: kind === 'p' ? present(row.partition_key) : null,
    accessMethod: row.access_method,
    options: [options, row.toast_options].filter(Boolean).join(', ') || null,
    replicaIdentity: row.replica_identity,
    ofType: row.of_type,
    parents: JSON.parse(row.parents) as string[],
    server: kind === 'f' ? present(row.server) : null,
    security: [...(row.secured === 't' ? ['ENABLE'] : []), ...(row.forced === 't' ? ['FORCE'] : [])],
  };
}
