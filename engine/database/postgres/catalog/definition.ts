import { createHash } from 'node:crypto';
import type { Connection } from '../connect/connection.ts';

/** Names of objects, which change without the row that refers to them. */
const namingTypes = new Set([
  'regproc',
  'regprocedure',
  'regoper',
  'regoperator',
  'regclass',
  'regtype',
  'regconfig',
  'regdictionary',
  'regnamespace',
  'regcollation',
]);

/** Likewise of objects that all databases of a server share: no catalog of this one changes with their names. */
const sharedNamingTypes = new Set(['regrole', 'regdatabase', 'aclitem']);

interface ColumnRow {
  relation: number;
  columns: unknown;
  types: number[];
}

interface TypeRow {
  oid: number;
  name: string;
  refs: number[];
  builtin: boolean;
  detail: unknown;
}

/** Of pg_largeobject, whose columns are the same everywhere. */
export const largeObjectDefinition = new Uint8Array(createHash('sha256').update('pg_largeobject').digest());

const columnsSql = `
SELECT c.oid AS relation,
  pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated,
    CASE WHEN a.atthasmissing THEN a.attmissingval::text END) ORDER BY a.attnum) AS columns,
  pg_catalog.array_remove(pg_catalog.array_agg(DISTINCT a.atttypid), NULL) AS types
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a
  ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
GROUP BY c.oid`;

// What a type's text depends on: its parts, its labels, the function that writes it, the extension that brings it.
const typesSql = `
SELECT t.oid, t.typname AS name,
  ARRAY(SELECT r FROM pg_catalog.unnest(ARRAY[t.typelem, t.typbasetype,
      (SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid),
      (SELECT g.rngtypid FROM pg_catalog.pg_range g WHERE g.rngmultitypid = t.oid)]
    || ARRAY(SELECT a.atttypid FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)) r WHERE r <> 0) AS refs,
  COALESCE((SELECT l.lanname = 'internal' FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid = t.typoutput), false) AS builtin,
  pg_catalog.json_build_array(t.typnamespace::pg_catalog.regnamespace::text, t.typname, t.typtype, t.typdelim,
    t.typoutput::pg_catalog.regprocedure::text,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(e.oid, e.enumlabel) ORDER BY e.enumsortorder)
      FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attisdropped)
        ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0),
    (SELECT pg_catalog.json_build_array(x.extname, x.extversion) FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')) AS detail
FROM pg_catalog.pg_type t`;

/** What the text of a table's rows depends on, beside the rows. */
export interface Definition {
  /** 32 bytes: two equal ones mean that a stored row that did not change reads the same. */
  readonly fingerprint: Uint8Array;
  /** Some values are names of objects. */
  readonly namesObjects: boolean;
  /** Some are names of roles or databases: nothing that is compared here tells when these change. */
  readonly namesShared: boolean;
}

/**
 * By oid, for every table. Takes in the columns with their missing values and, to any depth, enums, composites, domains,
 * ranges and extension versions; where values are names, all catalogs. A table has none where a type is written by a
 * function that is not the server's own: nobody knows what that looks at.
 */
export async function readDefinitions(
  connection: Connection,
  catalogFingerprint: Uint8Array,
): Promise<Map<number, Definition>> {
  const action = 'read the columns of tables';
  const columns = await connection.rows<ColumnRow>(action, columnsSql);
  const types = new Map((await connection.rows<TypeRow>(action, typesSql)).map(row => [row.oid, row]));
  return new Map(
    columns.flatMap(row => {
      const used = [...closure(row.types, types)].sort((a, b) => a - b).map(oid => types.get(oid));
      if (used.some(type => !type?.builtin)) return [];
      const hash = createHash('sha256').update(
        JSON.stringify([row.columns, used.map(type => [type?.oid, type?.detail])]),
      );
      const namesShared = used.some(type => type && sharedNamingTypes.has(type.name));
      const namesObjects = namesShared || used.some(type => type && namingTypes.has(type.name));
      if (namesObjects) hash.update(catalogFingerprint);
      const fingerprint = new Uint8Array(hash.digest());
      return [[row.relation, { fingerprint, namesObjects, namesShared }]];
    }),
  );
}

function closure(from: readonly number[], types: ReadonlyMap<number, TypeRow>): Set<number> {
  const found = new Set(from);
  for (const oid of found) for (const ref of types.get(oid)?.refs ?? []) found.add(ref); // a Set grows while it is walked
  return found;
}
