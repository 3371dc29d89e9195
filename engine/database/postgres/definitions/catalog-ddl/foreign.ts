import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

/** `OPTIONS (…)` with a space before it, else ''. */
export function foreignOptions(array: string): string {
  return `coalesce((SELECT ' OPTIONS (' || pg_catalog.string_agg(pg_catalog.quote_ident(option_name) || ' '
    || pg_catalog.quote_literal(option_value), ', ' ORDER BY nr) || ')'
    FROM pg_catalog.pg_options_to_table(${array}) WITH ORDINALITY AS u(option_name, option_value, nr)), '')`;
}

interface Row {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly what: string;
}

const owner = (column: string): string =>
  `pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(${column})) AS owner`;

/** Wrappers, servers, and who is who on them, as far as that may be seen. */
export async function readForeign(context: Context): Promise<void> {
  const { select, definitions, members } = context;
  const call = (column: string, word: string): string =>
    `CASE WHEN w.${column} <> 0 THEN ' ${word} ' || w.${column}::pg_catalog.regproc::text ELSE '' END`;
  const wrappers = await select<Row>(
    `SELECT w.oid, pg_catalog.quote_ident(w.fdwname) AS name, ${owner('w.fdwowner')},
       ${call('fdwhandler', 'HANDLER')} || ${call('fdwvalidator', 'VALIDATOR')} || ${foreignOptions('w.fdwoptions')} AS what
     FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid >= ${firstUserOid}`,
  );
  const servers = await select<Row>(
    `SELECT s.oid, pg_catalog.quote_ident(s.srvname) AS name, ${owner('s.srvowner')},
       coalesce(' TYPE ' || pg_catalog.quote_literal(s.srvtype), '') || coalesce(' VERSION ' || pg_catalog.quote_literal(s.srvversion), '')
       || pg_catalog.format(' FOREIGN DATA WRAPPER %I', w.fdwname) || ${foreignOptions('s.srvoptions')} AS what
     FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE s.oid >= ${firstUserOid}`,
  );
  const kinds = [
    {
      rows: wrappers,
      catalog: 'pg_foreign_data_wrapper',
      word: 'FOREIGN DATA WRAPPER',
      grant: 'FOREIGN DATA WRAPPER',
    },
    { rows: servers, catalog: 'pg_foreign_server', word: 'SERVER', grant: 'FOREIGN SERVER' },
  ] as const;
  for (const { rows, catalog, word, grant } of kinds)
    for (const { oid, name, owner: role, what } of rows) {
      const key = keyOf(catalog, oid);
      if (members.has(key)) continue;
      const label = `${word} ${name}`;
      definitions.add({ kind: 'foreign server', name: label, statements: [`CREATE ${label}${what}`] }, key);
      definitions.labels.set(key, label);
      definitions.grantLabels.set(key, `${grant} ${name}`);
      definitions.owners.push({ label, role });
    }
  await readMappings(context);
}

/** Passwords may be in them: who may not read them leaves them unclaimed, hence refused by name. */
async function readMappings({ select, definitions }: Context): Promise<void> {
  const [may] = await select<{ read: 't' | 'f' }>(
    `SELECT pg_catalog.has_table_privilege('pg_catalog.pg_user_mapping', 'SELECT') AS read`,
  );
  if (may?.read !== 't') return;
  const rows = await select<{ oid: string; name: string; options: string }>(
    `SELECT m.oid, pg_catalog.format('FOR %s SERVER %I', CASE m.umuser WHEN 0 THEN 'PUBLIC'
         ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(m.umuser)) END, s.srvname) AS name, ${foreignOptions('m.umoptions')} AS options
     FROM pg_catalog.pg_user_mapping m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.umserver WHERE m.oid >= ${firstUserOid}`,
  );
  for (const { oid, name, options } of rows)
    definitions.add(
      { kind: 'user mapping', name, statements: [`CREATE USER MAPPING ${name}${options}`] },
      keyOf('pg_user_mapping', oid),
    );
}
