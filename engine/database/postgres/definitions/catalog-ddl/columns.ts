import type { Context } from './definitions.ts';
import { foreignOptions } from './foreign.ts';
import { type Flag, present } from './query.ts';
import { collationName, firstUserOid, joinUserRelation } from './sql.ts';

/** A column that has not been dropped. */
export interface Column {
  readonly number: string;
  readonly name: string;
  readonly type: string;
  readonly typeOid: string;
  readonly collation: string | null;
  /** Declared by the table itself, not only by a parent. */
  readonly isLocal: boolean;
  readonly isRequired: boolean;
  /** The NOT NULL constraint, which has a name from 18 on. */
  readonly notNull: NotNull | null;
  /** Always, by default, or no identity column. */
  readonly identity: 'a' | 'd' | '';
  /** Stored, virtual (from 18 on), or not generated. */
  readonly generated: 's' | 'v' | '';
  readonly initial: Initial | null;
  /** Where it is not the type's own. */
  readonly storage: string | null;
  readonly compression: string | null;
  readonly statistics: string | null;
  readonly options: string | null;
  /** OPTIONS (…) with a space before, of a foreign table's column; else ''. */
  readonly foreignOptions: string;
}

export interface NotNull {
  readonly oid: string;
  readonly name: string;
  readonly isLocal: boolean;
  readonly isInherited: boolean;
  readonly isValid: boolean;
}

/** A default, or what generates the column. */
export interface Initial {
  readonly oid: string;
  readonly expression: string;
}

/** What a server keeps for itself beside the options of columns, from the minor releases of November 2026 on; no user may set it. */
const serversOwn = 'pg_attver';

interface ColumnRow {
  readonly relation: string;
  readonly number: string;
  readonly name: string;
  readonly type: string;
  readonly type_oid: string;
  readonly collation: string | null;
  readonly is_local: Flag;
  readonly is_required: Flag;
  readonly identity: Column['identity'];
  readonly generated: Column['generated'];
  readonly initial_oid: string | null;
  readonly initial: string | null;
  readonly storage: string | null;
  readonly compression: string | null;
  readonly statistics: string | null;
  readonly options: string | null;
  readonly foreign_options: string;
  readonly not_null_oid: string | null;
  readonly not_null: string | null;
  readonly not_null_local: Flag | null;
  readonly not_null_inheritable: Flag | null;
  readonly not_null_valid: Flag | null;
}

/** The columns of every relation, by its oid, in order. */
export async function readColumns({ select }: Context): Promise<Map<string, Column[]>> {
  const rows = await select<ColumnRow>(
    `SELECT a.attrelid AS relation, a.attnum AS number, pg_catalog.quote_ident(a.attname) AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.atttypid AS type_oid,
       ${collationName('a.attcollation', 't.typcollation')} AS collation, a.attislocal AS is_local,
       a.attnotnull AS is_required, a.attidentity AS identity, a.attgenerated AS generated,
       d.oid AS initial_oid, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS initial,
       CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage
         WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' WHEN 'x' THEN 'EXTENDED' END END AS storage,
       CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END AS statistics,
       pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.quote_ident(pg_catalog.split_part(o, '=', 1)) || '='
         || pg_catalog.split_part(o, '=', 2) FROM pg_catalog.unnest(a.attoptions) AS o
         WHERE pg_catalog.split_part(o, '=', 1) <> '${serversOwn}'), ', ') AS options,
       ${foreignOptions('a.attfdwoptions')} AS foreign_options,
       k.oid AS not_null_oid, pg_catalog.quote_ident(k.conname) AS not_null, k.conislocal AS not_null_local,
       NOT k.connoinherit AS not_null_inheritable, k.convalidated AS not_null_valid
     FROM pg_catalog.pg_attribute a ${joinUserRelation('a.attrelid')}
       JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       LEFT JOIN pg_catalog.pg_constraint k
         ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
     WHERE a.attrelid >= ${firstUserOid} AND rel.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attrelid, a.attnum`,
  );
  const byRelation = new Map<string, Column[]>();
  for (const row of rows) {
    const columns = byRelation.get(row.relation);
    if (columns) columns.push(columnOf(row));
    else byRelation.set(row.relation, [columnOf(row)]);
  }
  return byRelation;
}

function columnOf(row: ColumnRow): Column {
  const { number, name, type, collation, identity, generated, storage, compression, statistics } = row;
  return {
    ...{ number, name, type, collation, identity, generated, storage, compression, statistics },
    typeOid: row.type_oid,
    isLocal: row.is_local === 't',
    isRequired: row.is_required === 't',
    options: row.options || null,
    foreignOptions: row.foreign_options,
    initial: row.initial_oid === null ? null : { oid: row.initial_oid, expression: present(row.initial) },
    notNull:
      row.not_null_oid === null
        ? null
        : {
            oid: row.not_null_oid,
            name: row.not_null!,
            isLocal: row.not_null_local === 't',
            isInherited: row.not_null_inheritable === 't',
            isValid: row.not_null_valid === 't',
          },
  };
}
