import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

interface LanguageRow {
  readonly oid: string;
  readonly name: string;
  readonly owner: string;
  readonly trusted: 't' | 'f';
  readonly calls: string;
}

/** Languages that no extension brings, with what turns values into theirs. */
export async function readLanguages(context: Context): Promise<void> {
  const { select, definitions, members } = context;
  const call = (column: string, word: string): string =>
    `CASE WHEN l.${column} <> 0 THEN '${word} ' || l.${column}::pg_catalog.regproc::text END`;
  const rows = await select<LanguageRow>(
    `SELECT l.oid, pg_catalog.quote_ident(l.lanname) AS name, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(l.lanowner)) AS owner,
       l.lanpltrusted AS trusted, pg_catalog.concat_ws(' ', ${call('lanplcallfoid', 'HANDLER')}, ${call('laninline', 'INLINE')},
         ${call('lanvalidator', 'VALIDATOR')}) AS calls
     FROM pg_catalog.pg_language l `,
  );
  for (const { oid, name, owner, trusted, calls } of rows) {
    const key = keyOf('pg_language', oid);
    if (members.has(key)) continue;
    const label = `LANGUAGE ${name}`;
    definitions.grantLabels.set(key, label);
    if (Number(oid) < firstUserOid || name === 'plpgsql') continue; // every database has it
    const statements = [`CREATE ${trusted === 't' ? 'TRUSTED ' : ''}${label} ${calls}`];
    definitions.add({ kind: 'language', name, statements }, key);
    definitions.labels.set(key, label);
    definitions.owners.push({ label, role: owner });
  }
  await readTransforms(context);
  await readAccessMethods(context);
}

async function readTransforms({ select, definitions, members }: Context): Promise<void> {
  const call = (column: string, word: string): string =>
    `CASE WHEN t.${column} <> 0 THEN '${word} SQL WITH FUNCTION ' || t.${column}::pg_catalog.regprocedure::text END`;
  const rows = await select<{ oid: string; name: string; calls: string }>(
    `SELECT t.oid, pg_catalog.format('FOR %s LANGUAGE %I', pg_catalog.format_type(t.trftype, NULL), l.lanname) AS name,
       pg_catalog.concat_ws(', ', ${call('trffromsql', 'FROM')}, ${call('trftosql', 'TO')}) AS calls
     FROM pg_catalog.pg_transform t JOIN pg_catalog.pg_language l ON l.oid = t.trflang WHERE t.oid >= ${firstUserOid}`,
  );
  for (const { oid, name, calls } of rows) {
    const key = keyOf('pg_transform', oid);
    if (members.has(key)) continue;
    definitions.add({ kind: 'transform', name, statements: [`CREATE TRANSFORM ${name} (${calls})`] }, key);
    definitions.labels.set(key, `TRANSFORM ${name}`);
  }
}

async function readAccessMethods({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<{ oid: string; name: string; kind: 'i' | 't'; handler: string }>(
    `SELECT a.oid, pg_catalog.quote_ident(a.amname) AS name, a.amtype AS kind, a.amhandler::pg_catalog.regproc::text AS handler
     FROM pg_catalog.pg_am a WHERE a.oid >= ${firstUserOid}`,
  );
  for (const { oid, name, kind, handler } of rows) {
    const key = keyOf('pg_am', oid);
    if (members.has(key)) continue;
    const label = `ACCESS METHOD ${name}`;
    const statements = [`CREATE ${label} TYPE ${kind === 'i' ? 'INDEX' : 'TABLE'} HANDLER ${handler}`];
    definitions.add({ kind: 'access method', name, statements }, key);
    definitions.labels.set(key, label);
  }
}
