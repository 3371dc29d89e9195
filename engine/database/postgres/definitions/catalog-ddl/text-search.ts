import { type Context, keyOf } from './definitions.ts';
import { append } from './multimap.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface Row {
  readonly oid: string;
  readonly name: string;
  readonly owner: string | null;
  readonly options: string;
}

const call = (column: string, word: string): string =>
  `CASE WHEN o.${column} <> 0 THEN '${word} = ' || o.${column}::pg_catalog.regproc::text END`;
const nameIn = (catalog: string, prefix: string, oid: string): string =>
  `(SELECT pg_catalog.format('%I.%I', xn.nspname, x.${prefix}name) FROM pg_catalog.${catalog} x
    JOIN pg_catalog.pg_namespace xn ON xn.oid = x.${prefix}namespace WHERE x.oid = o.${oid})`;

/** Catalog, prefix of its columns, what it is called, its options, whether it has an owner. */
const kinds = [
  {
    ...{ catalog: 'pg_ts_parser', prefix: 'prs', word: 'PARSER', isOwned: false },
    options: [
      call('prsstart', 'START'),
      call('prstoken', 'GETTOKEN'),
      call('prsend', 'END'),
      call('prsheadline', 'HEADLINE'),
      call('prslextype', 'LEXTYPES'),
    ],
  },
  {
    ...{ catalog: 'pg_ts_template', prefix: 'tmpl', word: 'TEMPLATE', isOwned: false },
    options: [call('tmplinit', 'INIT'), call('tmpllexize', 'LEXIZE')],
  },
  {
    ...{ catalog: 'pg_ts_dict', prefix: 'dict', word: 'DICTIONARY', isOwned: true },
    options: [`'TEMPLATE = ' || ${nameIn('pg_ts_template', 'tmpl', 'dicttemplate')}`, 'o.dictinitoption'],
  },
  {
    ...{ catalog: 'pg_ts_config', prefix: 'cfg', word: 'CONFIGURATION', isOwned: true },
    options: [`'PARSER = ' || ${nameIn('pg_ts_parser', 'prs', 'cfgparser')}`],
  },
] as const;

/** Parsers, templates, dictionaries and configurations; files of a dictionary are the server's. */
export async function readTextSearch({ select, definitions, members }: Context): Promise<void> {
  const mappings = new Map<string, string[]>();
  for (const { config, what } of await select<{ config: string; what: string }>(mappingsSql))
    append(mappings, config, what);
  for (const { catalog, prefix, word, isOwned, options } of kinds) {
    const rows = await select<Row>(
      `SELECT o.oid, ${qualified('n', `o.${prefix}name`)} AS name, pg_catalog.concat_ws(', ', ${options.join(', ')}) AS options,
         ${isOwned ? `pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o.${prefix}owner))` : 'NULL'} AS owner
       FROM pg_catalog.${catalog} o JOIN pg_catalog.pg_namespace n ON n.oid = o.${prefix}namespace
       WHERE o.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
    );
    for (const { oid, name, owner, options: list } of rows) {
      const key = keyOf(catalog, oid);
      if (members.has(key)) continue;
      const label = `TEXT SEARCH ${word} ${name}`;
      const own = catalog === 'pg_ts_config' ? (mappings.get(oid) ?? []) : [];
      const statements = [
        `CREATE ${label} (${list})`,
        ...own.map(what => `ALTER ${label} ADD MAPPING FOR ${what}`),
      ];
      definitions.add(
        {
          kind: 'text search',
          name: `${kinds.findIndex(one => one.catalog === catalog)} ${name}`,
          statements,
        },
        key,
      );
      definitions.labels.set(key, label);
      if (owner !== null) definitions.owners.push({ label, role: owner });
    }
  }
}

// Only its own parser knows what a token is called.
const mappingsSql = `SELECT m.mapcfg AS config, pg_catalog.quote_ident(t.alias) || ' WITH '
    || pg_catalog.string_agg(m.mapdict::pg_catalog.regdictionary::text, ', ' ORDER BY m.mapseqno) AS what
  FROM pg_catalog.pg_ts_config c JOIN pg_catalog.pg_ts_config_map m ON m.mapcfg = c.oid,
    LATERAL pg_catalog.ts_token_type(c.cfgparser) t
  WHERE c.oid >= ${firstUserOid} AND t.tokid = m.maptokentype GROUP BY m.mapcfg, m.maptokentype, t.alias ORDER BY m.mapcfg, m.maptokentype`;
