import { type Context, keyOf } from './definitions.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface CollationRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly options: string;
}

/** Collations and conversions. The version of a collation is that of the machine that makes it. */
export async function readCollations({ select, server, definitions, members }: Context): Promise<void> {
  const { versionNumber: version } = server;
  // ICU's locale stood in collcollate first, then had a column of its own, which got another name.
  const locale =
    version >= 170_000 ? 'c.colllocale' : version >= 150_000 ? 'c.colliculocale' : 'c.collcollate';
  const rows = await select<CollationRow>(
    `SELECT c.oid, ${qualified('n', 'c.collname')} AS name, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.collowner)) AS owner,
       pg_catalog.concat_ws(', ', 'PROVIDER = ' || CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END,
         CASE WHEN c.collprovider = 'c' THEN 'LC_COLLATE = ' || pg_catalog.quote_literal(c.collcollate)
           || ', LC_CTYPE = ' || pg_catalog.quote_literal(c.collctype)
         ELSE 'LOCALE = ' || pg_catalog.quote_literal(${locale}) END,
         CASE WHEN NOT c.collisdeterministic THEN 'DETERMINISTIC = false' END
         ${version >= 160_000 ? ", 'RULES = ' || pg_catalog.quote_literal(c.collicurules)" : ''}) AS options
     FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
     WHERE c.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const { oid, name, owner, options } of rows) {
    const key = keyOf('pg_collation', oid);
    if (members.has(key)) continue;
    definitions.add({ kind: 'collation', name, statements: [`CREATE COLLATION ${name} (${options})`] }, key);
    definitions.labels.set(key, `COLLATION ${name}`);
    definitions.owners.push({ label: `COLLATION ${name}`, role: owner });
  }
}

interface ConversionRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly standard: 't' | 'f';
  readonly what: string;
}

export async function readConversions({ select, definitions, members }: Context): Promise<void> {
  const encoding = (column: string): string =>
    `pg_catalog.quote_literal(pg_catalog.pg_encoding_to_char(c.${column}))`;
  const rows = await select<ConversionRow>(
    `SELECT c.oid, ${qualified('n', 'c.conname')} AS name, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.conowner)) AS owner,
       c.condefault AS standard, 'FOR ' || ${encoding('conforencoding')} || ' TO ' || ${encoding('contoencoding')}
         || ' FROM ' || c.conproc::pg_catalog.regproc::text AS what
     FROM pg_catalog.pg_conversion c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
     WHERE c.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const { oid, name, owner, standard, what } of rows) {
    const key = keyOf('pg_conversion', oid);
    if (members.has(key)) continue;
    const statements = [`CREATE ${standard === 't' ? 'DEFAULT ' : ''}CONVERSION ${name} ${what}`];
    definitions.add({ kind: 'conversion', name, statements }, key);
    definitions.labels.set(key, `CONVERSION ${name}`);
    definitions.owners.push({ label: `CONVERSION ${name}`, role: owner });
  }
}
