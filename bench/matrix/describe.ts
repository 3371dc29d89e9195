import pg from 'pg';
import { catalogImage, differences } from './image.ts';

/** Everything that a database holds, without oids: topic → lines, sorted. */
export type Description = ReadonlyMap<string, readonly string[]>;

const settings = `BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL search_path = pg_catalog; SET LOCAL timezone = 'UTC';
  SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 3;
  SET LOCAL bytea_output = 'hex'; SET LOCAL row_security = off`;

const users = `nspname !~ '^pg_' AND nspname <> 'information_schema'`;

// The hash of an enum is that of an oid, so only the whole of such a table is the same everywhere.
const relationsSql = `
  SELECT format('%I.%I', nspname, relname) AS name, relkind AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE ${users} AND relpersistence <> 't' AND (relkind IN ('r', 'p') OR (relkind = 'm' AND relispopulated))
    AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) a (oid) JOIN pg_partitioned_table p ON p.partrelid = a.oid
      JOIN pg_opclass o ON o.oid = ANY (p.partclass) WHERE a.oid <> c.oid AND p.partstrat = 'h' AND o.opcname = 'enum_ops')
    AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) l JOIN pg_class f ON f.oid = l.relid WHERE f.relkind = 'f') ORDER BY 1`;

const acl = (list: string, kind: string, owner: string): string =>
  `(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(${list}, acldefault('${kind}', ${owner}))) a)`;

const topics: Readonly<Record<string, string>> = {
  database: `SELECT pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit, datistemplate, datdba::regrole,
      shobj_description(d.oid, 'pg_database'), ${acl('datacl', 'd', 'datdba')} FROM pg_database d WHERE datname = current_database()`,
  settings: `SELECT s.setrole::regrole, c FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
    WHERE datname = current_database()`,
  populated: `SELECT oid::regclass::text, relispopulated FROM pg_class WHERE relkind = 'm'`,
  largeObjects: `SELECT oid, lomowner::regrole, ${acl('lomacl', 'L', 'lomowner')}, md5(lo_get(oid)), octet_length(lo_get(oid)),
      obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata`,
  subscriptions: `SELECT subname, subowner::regrole, subenabled, subbinary, substream, subconninfo, subslotname, subsynccommit,
      subpublications, obj_description(s.oid, 'pg_subscription')
    FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()`,
};

/** Describes a database by its own catalogs and rows, for a superuser. */
export async function describeDatabase(url: string): Promise<Description> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(settings);
    const lines = new Map<string, string[]>(await catalogImage(client));
    for (const [topic, sql] of Object.entries(topics)) {
      const { rows } = await client.query({ text: sql, rowMode: 'array' });
      lines.set(topic, rows.map(row => JSON.stringify(row)).sort());
    }
    lines.set('rows', await sums(client, relationsSql));
    lines.set('sequences', await sequences(client));
    return lines;
  } finally {
    await client.end();
  }
}

/** `name count sum` of each relation, in which sum adds up a hash of every row. */
async function sums(client: pg.Client, sql: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string; kind: string }>(sql);
  if (rows.length === 0) return [];
  const parts = rows.map(
    ({ name, kind }) => `SELECT ${client.escapeLiteral(name)} || ' ' || count(*) || ' ' ||
      coalesce(sum(hashtextextended(t::text, 0)), 0) AS line FROM ${kind === 'r' ? 'ONLY ' : ''}${name} t`,
  );
  const answer = await client.query<{ line: string }>(parts.join(' UNION ALL '));
  return answer.rows.map(({ line }) => line);
}

async function sequences(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE ${users} AND relkind = 'S' AND relpersistence <> 't' ORDER BY 1`,
  );
  if (rows.length === 0) return [];
  const parts = rows.map(
    ({ name }) =>
      `SELECT ${client.escapeLiteral(name)} || ' ' || last_value || ' ' || is_called AS line FROM ${name}`,
  );
  const answer = await client.query<{ line: string }>(parts.join(' UNION ALL '));
  return answer.rows.map(({ line }) => line);
}

/** Lines in which two databases differ; empty where they are equal. */
export function compareDescriptions(expected: Description, found: Description): string[] {
  return differences(new Map(expected as Map<string, string[]>), new Map(found as Map<string, string[]>));
}
