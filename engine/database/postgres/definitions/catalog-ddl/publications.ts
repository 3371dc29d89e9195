import { type Context, keyOf } from './definitions.ts';
import { append } from './multimap.ts';
import { firstUserOid } from './sql.ts';

interface PublicationRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly all_tables: 't' | 'f';
  readonly via_root: 't' | 'f';
  readonly publish: string;
  readonly generated: string | null;
}

interface PartRow {
  readonly oid: string;
  readonly publication: string;
  readonly what: string;
}

/** What is published; who listens is on other servers. */
export async function readPublications({ select, server, definitions, members }: Context): Promise<void> {
  const kinds = ['insert', 'update', 'delete', 'truncate'];
  const rows = await select<PublicationRow>(
    `SELECT p.oid, pg_catalog.quote_ident(p.pubname) AS name, p.puballtables AS all_tables, p.pubviaroot AS via_root,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.pubowner)) AS owner,
       pg_catalog.concat_ws(', ', ${kinds.map(kind => `CASE WHEN p.pub${kind} THEN '${kind}' END`).join(', ')}) AS publish,
       ${server.versionNumber >= 180_000 ? "CASE p.pubgencols WHEN 's' THEN 'stored' END" : 'NULL'} AS generated
     FROM pg_catalog.pg_publication p WHERE p.oid >= ${firstUserOid}`,
  );
  const has15 = server.versionNumber >= 150_000;
  const parts = new Map<string, PartRow[]>();
  for (const part of await select<PartRow>(tablesSql(has15))) append(parts, part.publication, part);
  const schemas = has15 ? await select<PartRow>(schemasSql) : [];
  for (const part of schemas) append(parts, part.publication, part);
  for (const row of rows) {
    const key = keyOf('pg_publication', row.oid);
    if (members.has(key)) continue;
    const options = [
      `publish = '${row.publish}'`,
      ...(row.via_root === 't' ? ['publish_via_partition_root = true'] : []),
      ...(row.generated === null ? [] : [`publish_generated_columns = ${row.generated}`]),
    ];
    const own = parts.get(row.oid) ?? [];
    const all = row.all_tables === 't' ? ' FOR ALL TABLES' : '';
    const statements = [
      `CREATE PUBLICATION ${row.name}${all} WITH (${options.join(', ')})`,
      ...own.map(({ what }) => `ALTER PUBLICATION ${row.name} ADD ${what}`),
    ];
    const keys = own.map(part =>
      keyOf(schemas.includes(part) ? 'pg_publication_namespace' : 'pg_publication_rel', part.oid),
    );
    definitions.add({ kind: 'publication', name: row.name, statements }, key, ...keys);
    definitions.labels.set(key, `PUBLICATION ${row.name}`);
    definitions.owners.push({ label: `PUBLICATION ${row.name}`, role: row.owner });
  }
}

function tablesSql(has15: boolean): string {
  const columns = `coalesce((SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.nr) || ')'
    FROM pg_catalog.unnest(r.prattrs::int2[]) WITH ORDINALITY AS u(k, nr)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = u.k), '')
    || coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')`;
  return `SELECT r.oid, r.prpubid AS publication,
      pg_catalog.format('TABLE ONLY %I.%I', n.nspname, c.relname) || ${has15 ? columns : "''"} AS what
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY n.nspname, c.relname`;
}

const schemasSql = `SELECT s.oid, s.pnpubid AS publication, pg_catalog.format('TABLES IN SCHEMA %I', n.nspname) AS what
  FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid ORDER BY n.nspname`;
