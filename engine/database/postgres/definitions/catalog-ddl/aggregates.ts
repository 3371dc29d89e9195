import { type Context, keyOf } from './definitions.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface AggregateRow {
  readonly oid: string;
  readonly name: string;
  readonly arguments: string;
  readonly identity: string;
  readonly types: string;
  readonly owner: string;
  /** Normal, ordered-set, hypothetical-set. */
  readonly kind: 'n' | 'o' | 'h';
  readonly parallel: 's' | 'r' | 'u';
  readonly modifies: string;
  readonly moving_modifies: string;
  readonly final_extra: 't' | 'f';
  readonly moving_extra: 't' | 'f';
  /** SFUNC = …, as far as they are plain. */
  readonly options: string;
}

const parallels = { s: 'SAFE', r: 'RESTRICTED', u: null } as const;
const modes: Readonly<Record<string, string>> = { r: 'READ_ONLY', s: 'SHAREABLE', w: 'READ_WRITE' };

const call = (column: string, word: string): string =>
  `CASE WHEN a.${column} <> 0 THEN '${word} = ' || a.${column}::pg_catalog.regproc::text END`;
const type = (column: string, word: string): string =>
  `CASE WHEN a.${column} <> 0 THEN '${word} = ' || pg_catalog.format_type(a.${column}, NULL) END`;
const size = (column: string, word: string): string =>
  `CASE WHEN a.${column} <> 0 THEN '${word} = ' || a.${column} END`;
const value = (column: string, word: string): string =>
  `'${word} = ' || pg_catalog.quote_literal(a.${column})`;

const optionsSql = `pg_catalog.concat_ws(', ', ${[
  ...[call('aggtransfn', 'SFUNC'), type('aggtranstype', 'STYPE'), size('aggtransspace', 'SSPACE')],
  ...[value('agginitval', 'INITCOND'), call('aggfinalfn', 'FINALFUNC'), call('aggcombinefn', 'COMBINEFUNC')],
  ...[
    call('aggserialfn', 'SERIALFUNC'),
    call('aggdeserialfn', 'DESERIALFUNC'),
    call('aggmtransfn', 'MSFUNC'),
  ],
  ...[call('aggminvtransfn', 'MINVFUNC'), type('aggmtranstype', 'MSTYPE'), size('aggmtransspace', 'MSSPACE')],
  ...[value('aggminitval', 'MINITCOND'), call('aggmfinalfn', 'MFINALFUNC')],
  `(SELECT 'SORTOP = OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')'
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = a.aggsortop)`,
].join(', ')})`;

export async function readAggregates({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<AggregateRow>(
    `SELECT p.oid, ${qualified('n', 'p.proname')} AS name, pg_catalog.pg_get_function_arguments(p.oid) AS arguments,
       pg_catalog.pg_get_function_identity_arguments(p.oid) AS identity, pg_catalog.oidvectortypes(p.proargtypes) AS types,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.proowner)) AS owner, a.aggkind AS kind, p.proparallel AS parallel,
       a.aggfinalmodify AS modifies, a.aggmfinalmodify AS moving_modifies, a.aggfinalextra AS final_extra,
       a.aggmfinalextra AS moving_extra, ${optionsSql} AS options
     FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid
       JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE p.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const row of rows) {
    const key = keyOf('pg_proc', row.oid);
    if (members.has(key)) continue;
    const usual = row.kind === 'n' ? 'r' : 'w';
    const parallel = parallels[row.parallel];
    const options = [
      row.options,
      ...(row.final_extra === 't' ? ['FINALFUNC_EXTRA'] : []),
      ...(row.moving_extra === 't' ? ['MFINALFUNC_EXTRA'] : []),
      ...(row.modifies === usual ? [] : [`FINALFUNC_MODIFY = ${modes[row.modifies]}`]),
      ...(row.moving_modifies === usual ? [] : [`MFINALFUNC_MODIFY = ${modes[row.moving_modifies]}`]),
      ...(row.kind === 'h' ? ['HYPOTHETICAL'] : []),
      ...(parallel === null ? [] : [`PARALLEL = ${parallel}`]),
    ];
    const statements = [
      `CREATE AGGREGATE ${row.name}(${row.arguments || '*'}) (\n  ${options.join(',\n  ')}\n)`,
    ];
    const label = `AGGREGATE ${row.name}(${row.identity || '*'})`;
    definitions.add({ kind: 'aggregate', name: `${row.name}(${row.identity})`, statements }, key);
    definitions.labels.set(key, label);
    definitions.grantLabels.set(key, `FUNCTION ${row.name}(${row.types})`);
    definitions.owners.push({ label, role: row.owner });
  }
}
