import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';
import type { RelationKind } from '../entries/relation-entry.ts';
import { checkRights } from './rights.ts';

/** A relation as the catalogs describe it at one moment. */
export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** Names of the columns that COPY carries, in order; none that is generated. */
  readonly columns: readonly string[];
  /** 0 where there is no file. */
  readonly filenode: number;
  readonly isUnlogged: boolean;
  readonly isPopulated: boolean;
  /** False: rows are kept in a way of their own, in which places mean nothing to us. */
  readonly isHeap: boolean;
  /** Rows of an extension's table that are the user's: a condition on them, '' for all; else null. */
  readonly condition: string | null;
  /** The partitioned table that rows are loaded through, where their partition depends on the server; else null. */
  readonly loadThrough: { readonly schema: string; readonly name: string } | null;
}

interface Row {
  oid: number;
  schema: string;
  name: string;
  relkind: string;
  persistence: string;
  populated: boolean;
  filenode: number;
  columns: string[];
  readable: boolean;
  hidden: boolean;
  condition: string | null;
  access_method: string;
  root_schema: string | null;
  root_name: string | null;
}

const kinds: Readonly<Record<string, RelationKind>> = {
  r: 'table',
  p: 'partitioned',
  f: 'foreign',
  m: 'materialized',
  S: 'sequence',
  L: 'large-objects',
};

/** pg_largeobject has the same number everywhere. */
const largeObjectsOid = 2613;

// Hash partitions on an enum: its hash is that of an oid, so another server sends the rows elsewhere.
const relationsSql = `
WITH config AS (
  SELECT c.oid, c.condition FROM pg_catalog.pg_extension e,
    LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS c (oid, condition)
), unsafe AS (
  SELECT p.partrelid FROM pg_catalog.pg_partitioned_table p
  WHERE p.partstrat = 'h' AND EXISTS (
    SELECT FROM pg_catalog.pg_opclass o WHERE o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops')
), root AS (
  SELECT i.inhrelid AS leaf, r.root
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class l ON l.oid = i.inhrelid AND l.relispartition,
    LATERAL (SELECT pg_catalog.pg_partition_root(i.inhrelid)::oid AS root) r
  WHERE EXISTS (SELECT FROM unsafe)
    AND EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(i.inhrelid) a (oid) JOIN unsafe u ON u.partrelid = a.oid)
)
SELECT c.oid, n.nspname AS schema, c.relname AS name,
  CASE WHEN c.oid = ${largeObjectsOid} THEN 'L' ELSE c.relkind::text END AS relkind, c.relpersistence::text AS persistence,
  c.relispopulated AS populated, c.relfilenode AS filenode,
  CASE WHEN f.oid IS NOT NULL THEN COALESCE(f.condition, '') END AS condition,
  COALESCE((SELECT a.amname FROM pg_catalog.pg_am a WHERE a.oid = c.relam), 'heap') AS access_method,
  pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS readable,
  c.relkind = 'r' AND pg_catalog.row_security_active(c.oid) AS hidden,
  rn.nspname AS root_schema, rc.relname AS root_name,
  ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY COALESCE((SELECT o.attnum FROM pg_catalog.pg_attribute o
      WHERE o.attrelid = rc.oid AND o.attname = a.attname AND NOT o.attisdropped), a.attnum)) AS columns
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN config f ON f.oid = c.oid
  LEFT JOIN root ON root.leaf = c.oid
  LEFT JOIN pg_catalog.pg_class rc ON rc.oid = root.root
  LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm', 'S') AND c.relpersistence <> 't'
  AND (c.oid = ${largeObjectsOid} OR f.oid IS NOT NULL OR (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

/**
 * Everything that has rows, values or a definition of its own, in the order of schema and name. What extensions own
 * comes with them, except the rows that they declare to be the user's. DATABASE_RIGHTS where some cannot be read in full.
 */
export async function listRelations(connection: Connection): Promise<Relation[]> {
  const all = await connection.rows<Row>('list the tables', relationsSql);
  // Who may not read the pages may still read the objects, one by one.
  const rows = all.filter(row => row.readable || row.oid !== largeObjectsOid);
  await checkRights(connection, { relations: rows, mayReadPages: rows.length === all.length });
  for (const row of rows) {
    // A database without an encoding may hold names that are no UTF-8: the driver cannot say them back.
    if ([row.schema, row.name, ...row.columns].some(name => name.includes('\ufffd')))
      throw engineError(
        'DATABASE_UNSUPPORTED',
        `Cannot back up ${row.schema}.${row.name}: its name is not valid UTF-8`,
        {
          remedy: 'Rename it.',
        },
      );
  }
  return rows.map(toRelation);
}

function toRelation(row: Row): Relation {
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    kind: kinds[row.relkind]!,
    columns: row.columns,
    filenode: row.filenode,
    isUnlogged: row.persistence === 'u',
    isPopulated: row.populated,
    isHeap: row.access_method === 'heap',
    condition: row.condition,
    loadThrough:
      row.root_schema !== null && row.root_name !== null
        ? { schema: row.root_schema, name: row.root_name }
        : null,
  };
}
